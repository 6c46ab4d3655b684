//! Typed ids. They are derived wherever two processes must arrive at the same one without asking.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Namespace of every name-based id of ours (UUIDv5); random, never to be changed.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f0d_4c3e_97a1_4f0b_8e21_c6d2_8b60_39aa);

/// Where a visitor writes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// The clinic's website.
    Web,
    /// WhatsApp, through either provider.
    Whatsapp,
}

impl Channel {
    /// The word that stands in subjects and in `connections.channel`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Whatsapp => "whatsapp",
        }
    }
}

/// Names a conversation without naming the visitor; also the id of its row in `connections`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey([u8; 16]);

impl SessionKey {
    /// The first 16 bytes of SHA-256 over channel, device and the verified user id (or nothing), separated by NUL.
    pub fn derive(channel: Channel, device: &str, verified_user: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        for part in [
            channel.as_str(),
            "\0",
            device,
            "\0",
            verified_user.unwrap_or_default(),
        ] {
            hash.update(part.as_bytes());
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }

    /// `connections.id` and `conversation_states.connection_id` of this session.
    pub fn connection_id(self) -> Uuid {
        Uuid::from_bytes(self.0)
    }

    /// The session whose row has this `connection_id`.
    pub fn from_connection_id(id: Uuid) -> Self {
        Self(id.into_bytes())
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SessionKey {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut key = [0; 16];
        hex::decode_to_slice(text, &mut key)?;
        Ok(Self(key))
    }
}

impl Serialize for SessionKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One incoming message; `messages.id` of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub Uuid);

impl RequestId {
    /// A fresh one, sortable by time.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The request that `key` (an `Idempotency-Key` or a provider's message id) names within `session`.
    pub fn from_key(session: SessionKey, key: &str) -> Self {
        Self(Uuid::new_v5(&session.connection_id(), key.as_bytes()))
    }

    /// `messages.id` of the reply to this request.
    pub fn reply_id(self) -> Uuid {
        Uuid::new_v5(&self.0, b"reply")
    }
}

impl Default for RequestId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RequestId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

/// One run of the worker program. New for every process, so that an old one can be told from its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkerId(pub Uuid);

impl WorkerId {
    /// A fresh one.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for WorkerId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `users.id` of whoever has this `phone_number`. A verified user is never the same as an unverified one.
pub fn user_id(phone_number: &str, verified: bool) -> Uuid {
    let name = format!("{}:{phone_number}", if verified { "verified" } else { "user" });
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_one_device_one_channel_and_one_verified_user() {
        let visitor = SessionKey::derive(Channel::Web, "device", None);
        assert_eq!(visitor, SessionKey::derive(Channel::Web, "device", None));
        assert_ne!(visitor, SessionKey::derive(Channel::Whatsapp, "device", None));
        assert_ne!(visitor, SessionKey::derive(Channel::Web, "device", Some("jane")));
        assert_ne!(visitor, SessionKey::derive(Channel::Web, "other", None));
        assert_eq!(visitor, visitor.to_string().parse().unwrap());
        assert_eq!(visitor, SessionKey::from_connection_id(visitor.connection_id()));
    }

    #[test]
    fn a_device_never_names_a_verified_user() {
        assert_ne!(user_id("chat_jane", true), user_id("chat_jane", false));
    }

    #[test]
    fn an_idempotency_key_names_a_request_within_its_session_only() {
        let (a, b) = (
            SessionKey::derive(Channel::Web, "a", None),
            SessionKey::derive(Channel::Web, "b", None),
        );
        assert_eq!(RequestId::from_key(a, "k"), RequestId::from_key(a, "k"));
        assert_ne!(RequestId::from_key(a, "k"), RequestId::from_key(b, "k"));
    }
}
