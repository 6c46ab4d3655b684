//! Fetching what visitors sent over WhatsApp: from its provider, with its credentials, bounded in size and time, and compared
//! with its checksum.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use shared::media::Media;
use shared::whatsapp::{MetaSender, TwilioSender};
use tokio::time::timeout;

use super::meta;
use super::provider::Providers;

/// For one file, everything included.
const DEADLINE: Duration = Duration::from_secs(30);
/// The largest file: what Meta lets a visitor send as a voice note, a picture or a video. Documents may be larger.
pub const MAX_BYTES: usize = 16 << 20;
/// The largest description of a file.
const MAX_DESCRIPTION: usize = 64 << 10;
const MAX_REDIRECTS: usize = 3;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its type, without parameters, in lower case.
    pub kind: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why a file was not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Its address is none of a provider of ours.
    NotOurs,
    /// Not there, or not in time.
    Unavailable,
    /// More bytes than we take.
    TooLarge,
    /// Not what the visitor sent: the checksum differs.
    Altered,
}

/// What Meta says of a file. The address is good for five minutes.
#[derive(Deserialize)]
struct Described {
    url: String,
    #[serde(default)]
    mime_type: Option<String>,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    file_size: Option<u64>,
}

impl Providers {
    /// Whether an address can only be opened with a provider's credentials.
    pub fn keeps(address: &str) -> bool {
        address.starts_with("meta:") || address.starts_with("twilio:")
    }

    /// Fetches what a visitor sent, `max` bytes of it at most ([`MAX_BYTES`] in any case).
    ///
    /// # Errors
    /// See [`Missing`].
    pub async fn fetch(&self, media: &Media, max: usize) -> Result<File, Missing> {
        let max = max.min(MAX_BYTES);
        let fetched = async {
            let (provider, rest) = media.url.split_once(':').ok_or(Missing::NotOurs)?;
            let (sender, name) = rest.split_once('/').ok_or(Missing::NotOurs)?;
            match provider {
                "meta" => {
                    let sender = self.senders().of_meta(sender).ok_or(Missing::NotOurs)?;
                    self.fetch_meta(sender, name, media, max).await
                }
                "twilio" => {
                    let sender = self.senders().of_twilio(sender).ok_or(Missing::NotOurs)?;
                    self.fetch_twilio(sender, name, max).await
                }
                _ => Err(Missing::NotOurs),
            }
        };
        timeout(DEADLINE, fetched)
            .await
            .map_err(|_| Missing::Unavailable)?
    }

    async fn fetch_meta(
        &self,
        sender: &MetaSender,
        id: &str,
        media: &Media,
        max: usize,
    ) -> Result<File, Missing> {
        // The id is part of a path, and came from outside.
        if id.is_empty()
            || !id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        {
            return Err(Missing::NotOurs);
        }
        let token = sender.access_token.expose();
        let described = async || {
            let response = get(self.http().get(meta::media_url(sender, id)).bearer_auth(token)).await?;
            let described = bytes(ok(response)?, MAX_DESCRIPTION).await?;
            serde_json::from_slice::<Described>(&described).map_err(|_| Missing::Unavailable)
        };
        let mut file = described().await?;
        if file.file_size.is_some_and(|size| size > max as u64) {
            return Err(Missing::TooLarge);
        }
        let mut response = get(self
            .http()
            .get(address(&file.url, &sender.base_url)?)
            .bearer_auth(token))
        .await?;
        if response.status().is_client_error() {
            // It has expired.
            file = described().await?;
            response = get(self
                .http()
                .get(address(&file.url, &sender.base_url)?)
                .bearer_auth(token))
            .await?;
        }
        let response = ok(response)?;
        let kind = kind_of(file.mime_type.as_deref(), &response);
        let bytes = bytes(response, max).await?;
        let digest = Sha256::digest(&bytes);
        let sums = [file.sha256.as_deref(), media.sha256.as_deref()];
        if sums.into_iter().flatten().any(|sum| !is_sum(sum, &digest)) {
            return Err(Missing::Altered);
        }
        Ok(File { kind, bytes })
    }

    async fn fetch_twilio(&self, sender: &TwilioSender, name: &str, max: usize) -> Result<File, Missing> {
        let mut url = address(name, &sender.base_url)?;
        let base = Url::parse(&sender.base_url).map_err(|_| Missing::NotOurs)?;
        if url.origin() != base.origin() || !url.path().starts_with(base.path().trim_end_matches('/')) {
            return Err(Missing::NotOurs);
        }
        let first = self.http().get(url.clone());
        let mut response =
            get(first.basic_auth(&sender.account_sid, Some(sender.auth_token.expose()))).await?;
        for _ in 0..MAX_REDIRECTS {
            if !response.status().is_redirection() {
                break;
            }
            // It leads to a storage whose address says it all: our credentials stay here.
            let next = response
                .headers()
                .get(LOCATION)
                .and_then(|next| next.to_str().ok());
            let next = next
                .and_then(|next| url.join(next).ok())
                .ok_or(Missing::Unavailable)?;
            url = address(next.as_str(), &sender.base_url)?;
            response = get(self.http().get(url.clone())).await?;
        }
        let response = ok(response)?;
        let kind = kind_of(None, &response);
        Ok(File {
            kind,
            bytes: bytes(response, max).await?,
        })
    }
}

/// An address that a provider named; encrypted, if the provider itself is.
fn address(address: &str, base_url: &str) -> Result<Url, Missing> {
    let url = Url::parse(address).map_err(|_| Missing::NotOurs)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if base_url.starts_with("http:") => Ok(url),
        _ => Err(Missing::NotOurs),
    }
}

async fn get(request: RequestBuilder) -> Result<Response, Missing> {
    request.send().await.map_err(|_| Missing::Unavailable)
}

fn ok(response: Response) -> Result<Response, Missing> {
    match response.status() {
        StatusCode::OK => Ok(response),
        _ => Err(Missing::Unavailable),
    }
}

async fn bytes(response: Response, most: usize) -> Result<Vec<u8>, Missing> {
    let length = response
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > most) {
        return Err(Missing::TooLarge);
    }
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| Missing::Unavailable)?);
        if bytes.len() > most {
            return Err(Missing::TooLarge);
        }
    }
    Ok(bytes)
}

fn kind_of(described: Option<&str>, response: &Response) -> String {
    let header = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = described.or(header).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_lowercase()
}

/// Whether `sum` (hex where a file is described, base64 in webhooks) is of these bytes.
fn is_sum(sum: &str, digest: &[u8]) -> bool {
    sum.eq_ignore_ascii_case(&hex::encode(digest)) || sum == STANDARD.encode(digest)
}
