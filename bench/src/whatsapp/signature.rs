//! How the two providers sign their webhooks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// Meta's `X-Hub-Signature-256`: over the body as it is sent.
pub fn meta(app_secret: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Twilio's `X-Twilio-Signature`: over the URL and each field once, sorted by name and value.
pub fn twilio(auth_token: &str, url: &str, fields: &[(String, String)]) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(auth_token.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(url.as_bytes());
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort();
    sorted.dedup();
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metas_signature_is_that_of_the_vector() {
        assert_eq!(
            meta(
                "appsecret",
                br#"{"object":"whatsapp_business_account","entry":[]}"#
            ),
            "sha256=09eceea024af6e6343b760cc9bd3ae7c056938dd636e24e92109eb8219500384"
        );
    }

    #[test]
    fn twilios_signatures_are_those_of_the_vectors() {
        let fields = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            pairs.iter().map(owned).collect()
        };
        let call = fields(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
            ("Caller", "+14158675309"),
        ]);
        let repeated = fields(&[
            ("Sid", "CA123"),
            ("SidAccount", "AC123"),
            ("Digits", "5678"),
            ("Digits", "1234"),
            ("Digits", "1234"),
        ]);
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let with_port = "https://mycompany.com:443/myapp.php?foo=1&bar=2";
        assert_eq!(twilio("12345", url, &call), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        assert_eq!(twilio("12345", with_port, &call), "kvajT1Ptam85bY51eRf/AJRuM3w=");
        assert_eq!(twilio("12345", url, &repeated), "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
    }
}
