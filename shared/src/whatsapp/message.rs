//! What a message from WhatsApp has besides one of the website.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Address;
use crate::ids::RequestId;

/// The part of an envelope that only WhatsApp has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatsApp {
    /// Where the reply goes.
    pub address: Address,
    /// The provider's name of the message: `wamid…`, `SM…`. Meta's has the writer's number in it, so it is in no log.
    pub provider_id: String,
    /// When it was written, by the provider's clock, in whole seconds; with Twilio, which does not say, when it came. A message
    /// that is delivered again can be days old.
    #[serde(with = "time::serde::rfc3339")]
    pub sent_at: OffsetDateTime,
    /// Whether it is a new one.
    #[serde(default, skip_serializing_if = "Change::is_new")]
    pub change: Change,
    /// An emergency, which no burst window holds up. The worker finds that out; the api leaves it alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urgent: bool,
}

/// What a message does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// It is one.
    #[default]
    New,
    /// It gives an earlier one a new text, and new media.
    Edit {
        /// The earlier one.
        of: RequestId,
    },
    /// It takes an earlier one back.
    Revoke {
        /// The earlier one.
        of: RequestId,
    },
}

impl Change {
    /// Whether the message stands for itself.
    pub fn is_new(&self) -> bool {
        *self == Self::New
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::envelope::Envelope;
    use crate::ids::Channel;
    use crate::whatsapp::{Provider, Recipient};

    #[test]
    fn an_envelope_keeps_it_and_one_of_the_website_does_not_mention_it() {
        let address = Address {
            provider: Provider::Meta,
            sender: "106".into(),
            to: Recipient::Phone("+16505551234".into()),
        };
        let (request, session) = (address.request("wamid.2"), address.session());
        let mut envelope = Envelope::new(
            request,
            session,
            Channel::Whatsapp,
            address.device(),
            "+16505551234",
        );
        assert!(
            !serde_json::to_string(&envelope)
                .unwrap()
                .contains("\"whatsapp\":{")
        );
        envelope.whatsapp = Some(WhatsApp {
            provider_id: "wamid.2".into(),
            sent_at: OffsetDateTime::from_unix_timestamp(1_749_416_383).unwrap(),
            change: Change::Edit {
                of: address.request("wamid.1"),
            },
            urgent: false,
            address,
        });
        let written = serde_json::to_value(&envelope).unwrap();
        assert_eq!(
            written["whatsapp"],
            json!({
                "address": {"provider": "meta", "sender": "106", "phone": "+16505551234"},
                "provider_id": "wamid.2", "sent_at": "2025-06-08T20:59:43Z",
                "change": {"kind": "edit", "of": envelope.whatsapp.as_ref().unwrap().address.request("wamid.1")},
            })
        );
        assert_eq!(serde_json::from_value::<Envelope>(written).unwrap(), envelope);
    }
}
