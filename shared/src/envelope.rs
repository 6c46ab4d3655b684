//! What the queue carries: one incoming message with everything that a worker needs to take it in.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::event::EventExtra;
use crate::ids::{Channel, RequestId, SessionKey, user_id};
use crate::media::Media;
use crate::whatsapp::WhatsApp;

/// A message on `chat.incoming.<channel>.<session>`, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The id that was given out on acceptance.
    pub request_id: RequestId,
    /// The conversation it belongs to.
    pub session: SessionKey,
    /// Where it came from.
    pub channel: Channel,
    /// `connections.device_id`.
    pub device: String,
    /// `users.phone_number`: `chat_{user id or device}` on the web, `+1234567890` on WhatsApp, and `whatsapp:{user id}` where
    /// WhatsApp keeps the number to itself (stored as null then; the user's id is derived from it all the same).
    pub phone_number: String,
    /// Whether the website vouched for the user.
    pub verified: bool,
    /// The text; may be empty where there is media.
    #[serde(default)]
    pub content: String,
    /// Attachments, in order.
    #[serde(default)]
    pub media: Vec<Media>,
    /// When the api accepted it.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// What it wants of a reply that runs.
    #[serde(default)]
    pub if_busy: IfBusy,
    /// The reply that it was given while PostgreSQL was away; the message itself has been on the queue before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// What a message from WhatsApp has besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whatsapp: Option<WhatsApp>,
}

/// What a message wants where a reply of its session still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IfBusy {
    /// To wait for it.
    #[default]
    Queue,
    /// To stop it, and everything else that waits before.
    Interrupt,
    /// Not to be accepted. The api sees to that, so that this is never on the queue.
    Reject,
}

/// A reply that was given without the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The message's own place in the queue.
    pub stream_seq: u64,
    /// `messages.id` of the reply.
    pub id: Uuid,
    /// All that was sent.
    pub body: String,
    /// The first event's `seq`.
    pub first_seq: u64,
    /// Where each event's text ends in `body`, in bytes.
    pub piece_ends: Vec<usize>,
    /// The final event's own fields.
    pub final_fields: EventExtra,
    /// When it was finished.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Envelope {
    /// An empty message, accepted now, by somebody for whom no website vouches. Whoever makes one sets what it has.
    pub fn new(
        request_id: RequestId,
        session: SessionKey,
        channel: Channel,
        device: impl Into<String>,
        phone_number: impl Into<String>,
    ) -> Self {
        Self {
            request_id,
            session,
            channel,
            device: device.into(),
            phone_number: phone_number.into(),
            verified: false,
            content: String::new(),
            media: Vec::new(),
            received_at: OffsetDateTime::now_utc(),
            if_busy: IfBusy::default(),
            answered: None,
            whatsapp: None,
        }
    }

    /// `users.phone_number` of the writer; nobody knows it where WhatsApp keeps it to itself.
    pub fn stored_phone_number(&self) -> Option<&str> {
        (!self.phone_number.starts_with("whatsapp:")).then_some(self.phone_number.as_str())
    }

    /// `users.id` of the writer.
    pub fn user_id(&self) -> Uuid {
        user_id(&self.phone_number, self.verified)
    }

    /// Tells whether two requests of the same key say the same.
    pub fn body_hash(&self) -> [u8; 32] {
        body_hash(&self.content, &self.media)
    }
}

/// SHA-256 over what the visitor sent, as stored in `messages.body_hash`.
pub fn body_hash(content: &str, media: &[Media]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((content.len() as u64).to_be_bytes());
    hash.update(content);
    for item in media {
        hash.update([item.kind as u8]);
        hash.update((item.url.len() as u64).to_be_bytes());
        hash.update(&item.url);
    }
    hash.finalize().into()
}
