//! Who writes to which of our numbers, and through which provider.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{Channel, RequestId, SessionKey};

/// Who carries a message between WhatsApp and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Meta's own Cloud API.
    Meta,
    /// Twilio.
    Twilio,
}

impl Provider {
    /// The word that stands in subjects and in [`SenderKey`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Twilio => "twilio",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Somebody on WhatsApp.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipient {
    /// A phone number, `+16505551234`.
    Phone(String),
    /// WhatsApp's own id of somebody whose number it keeps to itself, `IN.2081…`; it is good for one business alone.
    UserId(String),
}

impl Recipient {
    /// Reads what a provider calls a person: digits with or without `+`, or an id such as `IN.2081…`.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if (5..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::Phone(format!("+{digits}")));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_id = (3..=256).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(allowed);
        is_id.then(|| Self::UserId(text.to_owned()))
    }

    /// The number or the id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phone(phone) => phone,
            Self::UserId(id) => id,
        }
    }

    /// The number, where WhatsApp tells it.
    pub fn phone(&self) -> Option<&str> {
        match self {
            Self::Phone(phone) => Some(phone),
            Self::UserId(_) => None,
        }
    }

    /// What stands for `users.phone_number` in an envelope.
    pub fn phone_number(&self) -> String {
        match self {
            Self::Phone(phone) => phone.clone(),
            Self::UserId(id) => format!("whatsapp:{id}"),
        }
    }
}

/// Where a reply goes. Stored as JSON in `connections.address`:
/// `{"provider":"meta","sender":"106540352242922","phone":"+16505551234"}`, or with `user_id` instead of `phone`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Through whom.
    pub provider: Provider,
    /// From which of our numbers: Meta's phone number id, or Twilio's `+1…`.
    pub sender: String,
    /// To whom.
    #[serde(flatten)]
    pub to: Recipient,
}

impl Address {
    /// Which of our numbers it is.
    pub fn sender_key(&self) -> SenderKey {
        SenderKey {
            provider: self.provider,
            sender: self.sender.clone(),
        }
    }

    /// `connections.device_id`. Our own number is part of it: who writes to two of them has two conversations.
    pub fn device(&self) -> String {
        format!("{}:{}", self.sender, self.to.as_str())
    }

    /// The conversation.
    pub fn session(&self) -> SessionKey {
        SessionKey::derive(Channel::Whatsapp, &self.device(), None)
    }

    /// The request that a message of this conversation is, by the provider's id.
    pub fn request(&self, provider_id: &str) -> RequestId {
        RequestId::from_key(self.session(), provider_id)
    }
}

/// One of our numbers, written `meta:106540352242922` or `twilio:+15550783881`; `senders.sender` in the database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SenderKey {
    /// Through whom it is reached.
    pub provider: Provider,
    /// Meta's phone number id, or Twilio's `+1…`.
    pub sender: String,
}

impl fmt::Display for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider, self.sender)
    }
}

/// What is neither `meta:…` nor `twilio:…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sender is written meta:<phone number id> or twilio:<number>")]
pub struct BadSender;

impl FromStr for SenderKey {
    type Err = BadSender;

    fn from_str(text: &str) -> Result<Self, BadSender> {
        let (provider, sender) = text.split_once(':').ok_or(BadSender)?;
        let provider = match provider {
            "meta" => Provider::Meta,
            "twilio" => Provider::Twilio,
            _ => return Err(BadSender),
        };
        if sender.is_empty() {
            return Err(BadSender);
        }
        Ok(Self {
            provider,
            sender: sender.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_gets_its_plus_and_an_id_stays_as_it_is() {
        let phone = Some(Recipient::Phone("+16505551234".into()));
        assert_eq!(Recipient::read("16505551234"), phone);
        assert_eq!(Recipient::read("+16505551234"), phone);
        let id = Recipient::read("IN.2081978709").unwrap();
        assert_eq!(id, Recipient::UserId("IN.2081978709".into()));
        assert_eq!(id.phone_number(), "whatsapp:IN.2081978709");
        for bad in ["", "+", "1 650", "a\0b", "IN 20", "+IN.20", "12", "😀😀😀"] {
            assert_eq!(Recipient::read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_stored_with_the_number_or_the_id() {
        let address = |to| Address {
            provider: Provider::Meta,
            sender: "106".into(),
            to,
        };
        for (to, stored) in [
            (
                Recipient::Phone("+16505551234".into()),
                json!({"provider": "meta", "sender": "106", "phone": "+16505551234"}),
            ),
            (
                Recipient::UserId("IN.2081".into()),
                json!({"provider": "meta", "sender": "106", "user_id": "IN.2081"}),
            ),
        ] {
            let address = address(to);
            assert_eq!(serde_json::to_value(&address).unwrap(), stored);
            assert_eq!(serde_json::from_value::<Address>(stored).unwrap(), address);
            assert_eq!(address.sender_key().to_string().parse(), Ok(address.sender_key()));
        }
    }

    #[test]
    fn who_writes_to_two_of_our_numbers_has_two_conversations() {
        let to = Recipient::Phone("+16505551234".into());
        let session = |sender: &str| {
            let (provider, sender, to) = (Provider::Meta, sender.to_owned(), to.clone());
            Address { provider, sender, to }.session()
        };
        assert_ne!(session("106"), session("107"));
        assert_eq!(session("106"), session("106"));
    }
}
