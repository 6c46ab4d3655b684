//! A visitor: someone with a device who writes to one api.

use std::time::Duration;

use anyhow::ensure;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use shared::event::EventId;
use shared::ids::{Channel, SessionKey};
use uuid::Uuid;

use crate::sse::{EventStream, SseEvent};

/// Someone who writes. Clones are the same person.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Where to.
    pub base: String,
    /// The `X-Device-ID`.
    pub device: String,
    http: Client,
}

/// A client without a total deadline, since streams are long; a minute without a byte is too long, though.
///
/// # Panics
/// Never: the settings are fixed.
pub fn http() -> Client {
    shared::tls::install();
    Client::builder()
        // No address of a test is https: without this, every client reads the system's certificates.
        .tls_certs_only([])
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(crate::PATIENCE)
        .no_proxy()
        .build()
        .expect("the settings are fixed")
}

impl Visitor {
    /// A stranger who writes to the api at `base`.
    pub fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            device: Uuid::now_v7().to_string(),
            http: http(),
        }
    }

    /// The same person at another api.
    pub fn at(&self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            ..self.clone()
        }
    }

    /// The visitor's conversation.
    pub fn session(&self) -> SessionKey {
        SessionKey::derive(Channel::Web, &self.device, None)
    }

    /// A request that names the device.
    pub fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .header("X-Device-ID", &self.device)
    }

    /// Writes and waits for the whole reply: the answer to `POST /chat/`.
    ///
    /// # Errors
    /// It is not 200.
    pub async fn chat(&self, content: &str) -> anyhow::Result<Value> {
        let response = self.post("/chat/", &json!({ "content": content })).await?;
        let status = response.status();
        let body = response.text().await?;
        ensure!(status == 200, "{status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// Posts any JSON.
    ///
    /// # Errors
    /// The api cannot be reached.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Response> {
        Ok(self
            .request(reqwest::Method::POST, path)
            .json(body)
            .send()
            .await?)
    }

    /// Writes and reads the reply as it comes.
    ///
    /// # Errors
    /// It is not a stream.
    pub async fn stream(&self, content: &str) -> anyhow::Result<EventStream> {
        EventStream::of(self.post("/chat/stream", &json!({ "content": content })).await?)
    }

    /// Writes and reads the whole stream.
    ///
    /// # Errors
    /// It is not what it should be.
    pub async fn say(&self, content: &str) -> anyhow::Result<Vec<SseEvent>> {
        self.stream(content).await?.all().await
    }

    /// What an `EventSource` does: `GET /chat/stream`, after `last` where there is one.
    ///
    /// # Errors
    /// The api cannot be reached.
    pub async fn listen(&self, last: Option<EventId>) -> anyhow::Result<Response> {
        let mut request = self.request(reqwest::Method::GET, "/chat/stream");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
        Ok(request.send().await?)
    }

    /// The visitor's messages.
    ///
    /// # Errors
    /// It is not 200.
    pub async fn history(&self) -> anyhow::Result<Vec<Value>> {
        let response = self
            .request(reqwest::Method::GET, "/chat/history?limit=100")
            .send()
            .await?;
        ensure!(response.status() == 200, "{}", response.status());
        let page: Value = response.json().await?;
        Ok(page["messages"].as_array().cloned().unwrap_or_default())
    }
}

/// The `X-User-Hash` of `user`: hex HMAC-SHA256, as a website would make it.
///
/// # Panics
/// Never: any key is good for HMAC.
pub fn identity_hash(user: &str, secret: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};

    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any key is good for HMAC");
    mac.update(user.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}
