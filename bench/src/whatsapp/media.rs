//! Media that customers sent, as the provider keeps it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// A picture: eight coloured squares.
pub const PICTURE: &[u8] = include_bytes!("../../samples/picture.png");
/// A second of silence, as a voice note is encoded.
pub const VOICE: &[u8] = include_bytes!("../../samples/voice.ogg");

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The provider's id.
    pub id: String,
    /// Its type.
    pub mime_type: String,
    /// Its bytes.
    pub bytes: Bytes,
}

impl File {
    /// Its checksum as Meta's media endpoint gives it: hex.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.bytes))
    }

    /// Its checksum as it stands in Meta's webhooks: base64.
    pub fn sha256_base64(&self) -> String {
        STANDARD.encode(Sha256::digest(&self.bytes))
    }
}

#[derive(Debug, Default)]
struct Kept {
    files: VecDeque<File>,
    links: VecDeque<(String, String, Instant)>,
    /// So many of the next links have ended when they are given out.
    ended: usize,
}

/// The newest files, and the links under which they can be fetched.
#[derive(Debug)]
pub struct Media {
    kept: Mutex<Kept>,
    lifetime: Mutex<Duration>,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
            lifetime: Mutex::new(Duration::from_secs(300)),
        }
    }
}

impl Media {
    /// How many bytes are kept at most.
    const MOST: usize = 64 << 20;
    const MOST_LINKS: usize = 1_000;

    /// Takes a file and returns its id.
    pub fn add(&self, mime_type: &str, bytes: impl Into<Bytes>) -> String {
        let id = rand::random_range(100_000_000_000_000u64..999_999_999_999_999).to_string();
        let file = File {
            id: id.clone(),
            mime_type: mime_type.to_owned(),
            bytes: bytes.into(),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.files.push_back(file);
        while kept.files.len() > 1
            && kept.files.iter().map(|file| file.bytes.len()).sum::<usize>() > Self::MOST
        {
            kept.files.pop_front();
        }
        id
    }

    /// Takes a picture to send.
    pub fn picture(&self) -> File {
        self.sample("image/png", PICTURE)
    }

    /// Takes a voice note to send.
    pub fn voice(&self) -> File {
        self.sample("audio/ogg; codecs=opus", VOICE)
    }

    fn sample(&self, mime_type: &str, bytes: &'static [u8]) -> File {
        let id = self.add(mime_type, bytes);
        File {
            id,
            mime_type: mime_type.to_owned(),
            bytes: Bytes::from_static(bytes),
        }
    }

    /// A file by its id.
    pub fn file(&self, id: &str) -> Option<File> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.files.iter().find(|file| file.id == id).cloned()
    }

    /// How long links live from now on: five minutes unless it is set.
    pub fn set_lifetime(&self, lifetime: Duration) {
        *self.lifetime.lock().unwrap_or_else(PoisonError::into_inner) = lifetime;
    }

    /// The next `count` links have ended when they are given out, as if they were fetched too late.
    pub fn expire_next(&self, count: usize) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).ended = count;
    }

    /// All links end now.
    pub fn expire_links(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.links.clear();
    }

    /// A new link to a file: the secret part of its address.
    pub(super) fn link(&self, id: &str) -> String {
        let secret = hex::encode(rand::random::<[u8; 16]>());
        let mut lifetime = *self.lifetime.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = kept.ended.checked_sub(1) {
            (kept.ended, lifetime) = (left, Duration::ZERO);
        }
        if kept.links.len() == Self::MOST_LINKS {
            kept.links.pop_front();
        }
        let end = Instant::now() + lifetime;
        kept.links.push_back((secret.clone(), id.to_owned(), end));
        secret
    }

    /// The file behind a link that has not ended.
    pub(super) fn linked(&self, secret: &str) -> Option<File> {
        let id = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let link = kept.links.iter().find(|(known, _, _)| known == secret)?;
            (link.2 > Instant::now()).then(|| link.1.clone())?
        };
        self.file(&id)
    }
}
