//! Whether a webhook is the provider's. Compared in constant time, and what would have been right is never printed.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::config::Secret;

/// Whether two secrets are the same, in a time that does not tell how much of them is.
pub fn is_same(secret: &Secret, given: &str) -> bool {
    // Of both a MAC under the same key: what is compared byte by byte is not the secret.
    let mac = |text: &str| Hmac::<Sha256>::new_from_slice(b"comparison").map(|mac| mac.chain_update(text));
    let (Ok(ours), Ok(theirs)) = (mac(secret.expose()), mac(given)) else {
        return false;
    };
    ours.verify(&theirs.finalize().into_bytes()).is_ok()
}

/// Meta's `X-Hub-Signature-256`.
pub mod meta {
    use super::{Hmac, KeyInit, Mac, Secret, Sha256};

    /// Whether `header`, `sha256=<hex>`, is the HMAC-SHA256 of `body`, byte by byte as it came, under the app's secret.
    pub fn verify(app_secret: &Secret, body: &[u8], header: &str) -> bool {
        let Some(Ok(signature)) = header.trim().strip_prefix("sha256=").map(hex::decode) else {
            return false;
        };
        Hmac::<Sha256>::new_from_slice(app_secret.expose().as_bytes())
            .is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok())
    }
}

/// Twilio's `X-Twilio-Signature`.
pub mod twilio {
    use std::borrow::Cow;
    use std::collections::BTreeSet;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::{Hmac, KeyInit, Mac, Secret, Sha1};

    /// Whether `header` is the base64 of the HMAC-SHA1, under the account's auth token, of the whole public address and all
    /// fields of the form: sorted, each value once.
    ///
    /// Twilio is not of one mind whether the port belongs to the address, so that it is tried with and without.
    pub fn verify(auth_token: &Secret, url: &str, fields: &[(String, String)], header: &str) -> bool {
        let Ok(signature) = STANDARD.decode(header.trim()) else {
            return false;
        };
        let Ok(mac) = Hmac::<Sha1>::new_from_slice(auth_token.expose().as_bytes()) else {
            return false;
        };
        let sorted: BTreeSet<_> = fields.iter().collect();
        spellings(url).iter().any(|url| {
            let mut mac = mac.clone();
            mac.update(url.as_bytes());
            for (key, value) in &sorted {
                mac.update(key.as_bytes());
                mac.update(value.as_bytes());
            }
            mac.verify_slice(&signature).is_ok()
        })
    }

    /// The address as it is, and with or without its port.
    fn spellings(url: &str) -> Vec<Cow<'_, str>> {
        let mut spellings = vec![Cow::Borrowed(url)];
        let Some((scheme, rest)) = url.split_once("://") else {
            return spellings;
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let port = match host.rsplit_once(':') {
            // Not within an IPv6 address.
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(name),
            _ => None,
        };
        spellings.push(Cow::Owned(match port {
            Some(name) => format!("{scheme}://{name}{path}"),
            None => {
                let usual = if scheme.eq_ignore_ascii_case("https") {
                    443
                } else {
                    80
                };
                format!("{scheme}://{host}:{usual}{path}")
            }
        }));
        spellings
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn an_address_is_tried_with_and_without_its_port() {
            for (url, other) in [
                ("https://a.example/x?y=1:2", "https://a.example:443/x?y=1:2"),
                ("http://a.example", "http://a.example:80"),
                ("https://a.example:8443/x", "https://a.example/x"),
                ("https://[::1]/x", "https://[::1]:443/x"),
                ("https://[::1]:8443/x", "https://[::1]/x"),
            ] {
                assert_eq!(spellings(url), [url, other]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn secrets_are_the_same_to_the_last_character() {
        assert!(is_same(&secret("verify me"), "verify me"));
        for wrong in ["", "verify m", "verify me ", "Verify me"] {
            assert!(!is_same(&secret("verify me"), wrong));
        }
    }

    #[test]
    fn metas_signature_is_over_the_bytes_as_they_came() {
        let body = br#"{"object":"whatsapp_business_account","entry":[]}"#;
        let good = "sha256=09eceea024af6e6343b760cc9bd3ae7c056938dd636e24e92109eb8219500384";
        assert!(meta::verify(&secret("appsecret"), body, good));
        let spaced = br#"{"object": "whatsapp_business_account","entry":[]}"#;
        assert!(!meta::verify(&secret("appsecret"), spaced, good));
        assert!(!meta::verify(&secret("appsecre"), body, good));
        for bad in ["", "sha256=", &good[7..], &good[..70], "sha1=00", "sha256=zz"] {
            assert!(!meta::verify(&secret("appsecret"), body, bad), "{bad}");
        }
    }

    #[test]
    fn twilios_signature_is_over_the_address_and_every_field() {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let with_port = "https://mycompany.com:443/myapp.php?foo=1&bar=2";
        let fields = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let call = fields(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
        ]);
        let token = secret("12345");
        let verify = |url: &str, fields: &[_], header: &str| twilio::verify(&token, url, fields, header);
        for signature in ["RSOYDt4T1cUTdK1PDd93/VVr8B8=", "kvajT1Ptam85bY51eRf/AJRuM3w="] {
            assert!(verify(url, &call, signature));
            assert!(verify(with_port, &call, signature));
        }
        let repeated = fields(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        assert!(verify(url, &repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="));

        let good = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        assert!(!twilio::verify(&secret("1234"), url, &call, good));
        assert!(!verify(url, &call[1..], good));
        assert!(!verify(&url.replace("bar=2", "bar=3"), &call, good));
        for bad in ["", "RSOYDt4T1cUTdK1PDd93", "AAAA", "?"] {
            assert!(!verify(url, &call, bad), "{bad}");
        }
    }
}
