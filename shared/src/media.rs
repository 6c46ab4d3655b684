//! What a visitor attaches: links to pictures, documents or sound.

use serde::{Deserialize, Serialize};

/// What kind of thing a link points to, as the visitor declared it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// From `media_urls`: a picture or a document.
    Media,
    /// From `audio_urls`: a voice note.
    Audio,
    /// Something that nobody here can open: a message type that WhatsApp keeps to its app, or one of tomorrow. It has no link.
    Unreadable,
}

/// One attachment. In `messages.media` they stand in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Picture, document or sound.
    pub kind: MediaKind,
    /// An http or https address, 2,048 characters at most. From WhatsApp, what only its provider's credentials open:
    /// `meta:<phone number id>/<media id>` or `twilio:<sender>/<MediaUrl>`.
    pub url: String,
    /// Its type, as the provider names it; an `audio/ogg; codecs=opus` may have parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// SHA-256 of its bytes, as the provider writes it: base64 or hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The name that the visitor's document has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

impl Media {
    /// A link of which nothing else is known.
    pub fn new(kind: MediaKind, url: impl Into<String>) -> Self {
        Self {
            kind,
            url: url.into(),
            mime_type: None,
            sha256: None,
            filename: None,
        }
    }
}
