//! What a provider says about a message of ours, on its way from the webhook to the worker.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Provider;

/// Namespace of [`Status::message_id`] (UUIDv5); random, never to be changed.
const NAMESPACE: Uuid = Uuid::from_u128(0x9a3e_1c55_04d7_4b62_a8f1_3fd0_6e7b_12c9);

/// How far a message of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// The provider has passed it on.
    Sent,
    /// It is on the phone.
    Delivered,
    /// It was looked at.
    Read,
    /// It will not arrive.
    Failed,
}

impl DeliveryState {
    /// The word that stands in `deliveries.status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }
}

/// A message on `chat.status.<provider>`, as JSON. They come in any order and more than once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Who says it.
    pub provider: Provider,
    /// The provider's name of our message.
    pub provider_id: String,
    /// Our own name of it, where the provider gives it back: `deliveries.id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Uuid>,
    /// How far it is.
    pub state: DeliveryState,
    /// Why it failed, by the provider's table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// Since when, by the provider's clock where it tells.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

impl Status {
    /// Its `Nats-Msg-Id`: the same for a repetition. A hash, since Meta's names of messages have a phone number in them.
    pub fn message_id(&self) -> String {
        let name = format!("{} {} {}", self.provider, self.provider_id, self.state.as_str());
        Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_is_written_as_documented_and_a_repetition_is_known() {
        let status = Status {
            provider: Provider::Twilio,
            provider_id: "SM1".into(),
            delivery: None,
            state: DeliveryState::Failed,
            code: Some(63016),
            at: OffsetDateTime::UNIX_EPOCH,
        };
        let written = json!({
            "provider": "twilio", "provider_id": "SM1", "state": "failed", "code": 63016, "at": "1970-01-01T00:00:00Z",
        });
        assert_eq!(serde_json::to_value(&status).unwrap(), written);
        assert_eq!(serde_json::from_value::<Status>(written).unwrap(), status);
        let later = Status {
            at: OffsetDateTime::now_utc(),
            ..status.clone()
        };
        assert_eq!(status.message_id(), later.message_id());
        let other = Status {
            state: DeliveryState::Read,
            ..status.clone()
        };
        assert_ne!(status.message_id(), other.message_id());
        assert!(!status.message_id().contains("SM1"));
    }
}
