//! Who is asking: the device, and the user where the website vouches for one.

mod cookie;
mod layer;
mod signature;

use axum::http::HeaderMap;
use axum::http::StatusCode;
use shared::config::Secret;
use shared::db::stop::SessionOwner;
use shared::ids::{Channel, SessionKey, user_id};
use time::OffsetDateTime;
use uuid::Uuid;

pub use layer::{REQUEST_HEADER, identify};

use crate::error::Problem;
use cookie::Cookies;
use signature::Signer;

/// The header that names the device.
pub const DEVICE_HEADER: &str = "x-device-id";
/// The header that names the user of the website.
pub const USER_HEADER: &str = "x-user-id";
/// The header in which the website vouches for the user.
pub const USER_HASH_HEADER: &str = "x-user-hash";

/// Characters of a device or user id at most.
const MAX_ID: usize = 128;

/// Whoever sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The device: a secret of its visitor.
    pub device: String,
    /// The user that the website vouched for.
    pub user: Option<String>,
    /// The conversation.
    pub session: SessionKey,
}

impl Visitor {
    fn new(device: String, user: Option<String>) -> Self {
        let session = SessionKey::derive(Channel::Web, &device, user.as_deref());
        Self {
            device,
            user,
            session,
        }
    }

    /// Whether the website vouched for the user.
    pub fn verified(&self) -> bool {
        self.user.is_some()
    }

    /// `users.phone_number`.
    pub fn phone_number(&self) -> String {
        format!("chat_{}", self.user.as_deref().unwrap_or(&self.device))
    }

    /// The same, as PostgreSQL's rows need it.
    pub fn owner(&self) -> SessionOwner {
        SessionOwner {
            session: self.session,
            channel: Channel::Web,
            device: self.device.clone(),
            phone_number: self.phone_number(),
            verified: self.verified(),
        }
    }

    /// `users.id`.
    pub fn user_id(&self) -> Uuid {
        user_id(&self.phone_number(), self.verified())
    }
}

/// How visitors are told apart.
#[derive(Clone, Debug)]
pub struct Identity {
    signer: Option<Signer>,
    cookies: Cookies,
}

/// What a request says of its sender.
struct Claim {
    visitor: Visitor,
    /// The website vouched for the user in this very request.
    vouched: bool,
    /// The device is not yet in a cookie.
    new_device: bool,
}

impl Identity {
    /// `https`: visitors come over https; `other_origins`: pages of other origins call us.
    pub fn new(secret: Option<&Secret>, https: bool, other_origins: bool) -> Self {
        Self {
            signer: secret
                .filter(|secret| !secret.expose().is_empty())
                .map(Signer::new),
            cookies: Cookies::new(https, other_origins),
        }
    }

    fn read(&self, headers: &HeaderMap, now: OffsetDateTime) -> Result<Claim, Problem> {
        let in_cookie = cookie::get(headers, cookie::DEVICE).filter(|device| is_device_id(device));
        let device = match headers.get(DEVICE_HEADER) {
            Some(value) => Some(
                value
                    .to_str()
                    .ok()
                    .filter(|device| is_device_id(device))
                    .ok_or_else(|| {
                        let detail =
                            "A device id has 1 to 128 characters of A-Z, a-z, 0-9, '.', '_', ':' and '-'.";
                        Problem::bad("X-Device-ID", "bad_device_id", detail)
                    })?,
            ),
            None => in_cookie,
        };
        let new_device = device.is_none() || device != in_cookie;
        let device = device.map_or_else(new_device_id, str::to_owned);
        let (user, vouched) = match headers.get(USER_HEADER) {
            Some(value) => {
                let user = value
                    .to_str()
                    .ok()
                    .filter(|user| is_user_id(user))
                    .ok_or_else(|| {
                        let detail = "A user id has 1 to 128 printable ASCII characters.";
                        Problem::bad("X-User-ID", "bad_user_id", detail)
                    })?;
                (Some(self.vouch(user, headers)?), true)
            }
            None => {
                let signed = cookie::get(headers, cookie::USER);
                let user = self
                    .signer
                    .as_ref()
                    .and_then(|signer| signer.read_cookie(signed?, now));
                (user, false)
            }
        };
        Ok(Claim {
            visitor: Visitor::new(device, user),
            vouched,
            new_device,
        })
    }

    fn vouch(&self, user: &str, headers: &HeaderMap) -> Result<String, Problem> {
        let hash = headers
            .get(USER_HASH_HEADER)
            .and_then(|hash| hash.to_str().ok())
            .unwrap_or_default();
        match &self.signer {
            Some(signer) if signer.vouches(user, hash) => Ok(user.to_owned()),
            _ => {
                let detail = "X-User-ID needs X-User-Hash: the hex HMAC-SHA256 of the user id under the identity secret.";
                let problem = Problem::new(StatusCode::UNAUTHORIZED, "bad_user_hash", detail);
                Err(problem.field("X-User-Hash"))
            }
        }
    }
}

fn is_device_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_user_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// 128 random bits, in hex.
fn new_device_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn identity(secret: Option<&str>) -> Identity {
        Identity::new(
            secret.map(|secret| Secret::from(secret.to_owned())).as_ref(),
            false,
            false,
        )
    }

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                )
            })
            .collect()
    }

    fn read(identity: &Identity, list: &[(&'static str, &str)]) -> Result<Claim, String> {
        identity
            .read(&headers(list), NOW)
            .map_err(|problem| problem.code.clone())
    }

    #[test]
    fn the_device_is_the_headers_else_the_cookies_else_a_fresh_one() {
        let identity = identity(None);
        let claim = read(
            &identity,
            &[(DEVICE_HEADER, "a:1"), ("cookie", "x=1; device_id=b")],
        )
        .unwrap();
        assert_eq!((claim.visitor.device.as_str(), claim.new_device), ("a:1", true));
        assert_eq!(claim.visitor.phone_number(), "chat_a:1");
        let claim = read(&identity, &[("cookie", "x=1; device_id=b")]).unwrap();
        assert_eq!((claim.visitor.device.as_str(), claim.new_device), ("b", false));
        let fresh: Vec<_> = ["", "device_id=b ad", "device_id="]
            .iter()
            .map(|cookie| {
                let claim = read(&identity, &[("cookie", cookie)]).unwrap();
                assert!(claim.new_device && claim.visitor.device.len() == 32);
                claim.visitor.session
            })
            .collect();
        assert!(fresh[0] != fresh[1] && fresh[1] != fresh[2]);
    }

    #[test]
    fn a_device_id_is_read_strictly() {
        let long = "x".repeat(129);
        for bad in ["", "a b", "a/b", "é", &long] {
            assert_eq!(
                read(&identity(None), &[(DEVICE_HEADER, bad)]).err().as_deref(),
                Some("bad_device_id"),
                "{bad}"
            );
        }
        assert!(read(&identity(None), &[(DEVICE_HEADER, &long[1..])]).is_ok());
    }

    #[test]
    fn a_user_is_believed_only_with_the_right_hash() {
        // printf jane | openssl dgst -sha256 -hmac key
        let hash = "6f90a9c6e1ff0ef8ec5c3c4a5a3c9b7c";
        let with = identity(Some("key"));
        let right = signature::Signer::new(&Secret::from("key".to_owned())).hash("jane");
        for (identity, hash) in [
            (&with, hash),
            (&with, ""),
            (&with, "zz"),
            (&identity(None), right.as_str()),
            (&identity(Some("")), right.as_str()),
            (&identity(Some("other")), right.as_str()),
        ] {
            let claim = read(identity, &[(USER_HEADER, "jane"), (USER_HASH_HEADER, hash)]);
            assert_eq!(claim.err().as_deref(), Some("bad_user_hash"));
        }
        assert!(read(&with, &[(USER_HEADER, "jane")]).is_err());
        let claim = read(
            &with,
            &[
                (DEVICE_HEADER, "d"),
                (USER_HEADER, "jane"),
                (USER_HASH_HEADER, &right),
            ],
        )
        .unwrap();
        assert!(claim.vouched);
        assert_eq!(claim.visitor.phone_number(), "chat_jane");
        assert_eq!(
            claim.visitor.session,
            SessionKey::derive(Channel::Web, "d", Some("jane"))
        );
        let bad = read(&with, &[(USER_HEADER, ""), (USER_HASH_HEADER, &right)]);
        assert_eq!(bad.err().as_deref(), Some("bad_user_id"));
    }

    #[test]
    fn a_device_that_is_called_like_a_user_is_not_that_user() {
        let device = Visitor::new("jane".into(), None);
        let user = Visitor::new("d".into(), Some("jane".into()));
        assert_eq!(device.phone_number(), user.phone_number());
        assert_ne!(device.user_id(), user.user_id());
    }
}
