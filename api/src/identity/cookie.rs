//! Cookies: read from a request, and written for a response.

use axum::http::{HeaderMap, HeaderValue, header};

/// The cookie that holds the device id.
pub const DEVICE: &str = "device_id";
/// The cookie that holds the signed user.
pub const USER: &str = "user_id";

/// How long a browser keeps the device: a year, in seconds.
const DEVICE_AGE: u32 = 365 * 24 * 60 * 60;

/// The attributes of our cookies.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    attributes: &'static str,
}

impl Cookies {
    /// `https`: browsers may send them over https only; `other_origins`: pages of other sites may have them sent.
    pub fn new(https: bool, other_origins: bool) -> Self {
        let attributes = match (https, other_origins) {
            // Browsers drop SameSite=None without Secure.
            (true, true) => "Path=/; HttpOnly; SameSite=None; Secure",
            (true, false) => "Path=/; HttpOnly; SameSite=Lax; Secure",
            (false, _) => "Path=/; HttpOnly; SameSite=Lax",
        };
        Self { attributes }
    }

    /// Keeps the device for a year.
    pub fn device(self, device: &str) -> Option<HeaderValue> {
        let Self { attributes } = self;
        HeaderValue::from_str(&format!("{DEVICE}={device}; Max-Age={DEVICE_AGE}; {attributes}")).ok()
    }

    /// Keeps the signed user until the browser is closed.
    pub fn user(self, signed: &str) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{USER}={signed}; {}", self.attributes)).ok()
    }
}

/// The value of a request's cookie; of several with this name, the first.
pub fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_out_of_reach_for_scripts_and_secure_on_https() {
        let cookie = |https, others| {
            Cookies::new(https, others)
                .device("d")
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            cookie(false, false),
            "device_id=d; Max-Age=31536000; Path=/; HttpOnly; SameSite=Lax"
        );
        assert!(cookie(true, false).ends_with("SameSite=Lax; Secure"));
        assert!(cookie(true, true).ends_with("SameSite=None; Secure"));
        assert!(cookie(false, true).ends_with("SameSite=Lax"));
    }
}
