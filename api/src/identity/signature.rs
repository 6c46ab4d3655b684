//! What is signed with the identity secret: the website's word for its user, and our cookie that repeats it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared::config::Secret;
use time::{Duration, OffsetDateTime};

use super::is_user_id;

/// Keeps a signed cookie from being the hash of any user id: those hold no NUL.
const COOKIE_DOMAIN: &[u8] = b"frontdesk user cookie\0";

/// How long a signed cookie is believed; each verified POST renews it.
const COOKIE_AGE: Duration = Duration::hours(24);

/// Signs and checks with the identity secret.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    pub fn new(secret: &Secret) -> Self {
        let key = secret.expose().as_bytes();
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length"))
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }

    /// Whether `hash` is the hex HMAC-SHA256 of `user`. Compared in constant time.
    pub fn vouches(&self, user: &str, hash: &str) -> bool {
        hex::decode(hash).is_ok_and(|hash| self.mac(&[user.as_bytes()]).verify_slice(&hash).is_ok())
    }

    /// `<expiry>.<user>.<signature>`: seconds since 1970, hex, hex.
    pub fn write_cookie(&self, user: &str, now: OffsetDateTime) -> String {
        let expiry = (now + COOKIE_AGE).unix_timestamp().to_string();
        let signature = self.cookie_mac(&expiry, user).finalize().into_bytes();
        format!("{expiry}.{}.{}", hex::encode(user), hex::encode(signature))
    }

    /// The user of a cookie that we signed and that has not expired.
    pub fn read_cookie(&self, cookie: &str, now: OffsetDateTime) -> Option<String> {
        let mut parts = cookie.splitn(3, '.');
        let (expiry, user, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let user = String::from_utf8(hex::decode(user).ok()?).ok()?;
        let signature = hex::decode(signature).ok()?;
        self.cookie_mac(expiry, &user).verify_slice(&signature).ok()?;
        let expires: i64 = expiry.parse().ok()?;
        (expires > now.unix_timestamp() && is_user_id(&user)).then_some(user)
    }

    fn cookie_mac(&self, expiry: &str, user: &str) -> Hmac<Sha256> {
        self.mac(&[COOKIE_DOMAIN, expiry.as_bytes(), b"\0", user.as_bytes()])
    }

    #[cfg(test)]
    pub fn hash(&self, user: &str) -> String {
        hex::encode(self.mac(&[user.as_bytes()]).finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn signer(secret: &str) -> Signer {
        Signer::new(&Secret::from(secret.to_owned()))
    }

    #[test]
    fn the_hash_is_hmac_sha256_in_hex() {
        // RFC 4231, test case 2.
        let hash = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(signer("Jefe").vouches("what do ya want for nothing?", hash));
        assert!(!signer("Jefe").vouches("what do ya want for nothing", hash));
        assert!(!signer("Jefe").vouches("what do ya want for nothing?", &hash[2..]));
    }

    #[test]
    fn a_cookie_is_believed_until_it_expires_and_only_where_we_signed_it() {
        let cookie = signer("key").write_cookie("jane.doe", NOW);
        let read = |cookie: &str, now| signer("key").read_cookie(cookie, now);
        assert_eq!(read(&cookie, NOW).as_deref(), Some("jane.doe"));
        assert_eq!(read(&cookie, NOW + COOKIE_AGE), None);
        assert_eq!(signer("other").read_cookie(&cookie, NOW), None);
        let later = cookie.replacen("86400", "96400", 1);
        assert_eq!(read(&later, NOW), None);
        let other = cookie.replacen(&hex::encode("jane"), &hex::encode("john"), 1);
        assert_eq!(read(&other, NOW), None);
        for bad in ["", "x", "1.2", "86400.6a.", "jane"] {
            assert_eq!(read(bad, NOW), None);
        }
    }

    #[test]
    fn the_websites_hash_is_no_cookie() {
        let signer = signer("key");
        for signed in ["jane", "86400\0jane"] {
            let forged = format!("86400.{}.{}", hex::encode("jane"), signer.hash(signed));
            assert_eq!(signer.read_cookie(&forged, NOW), None);
        }
    }
}
