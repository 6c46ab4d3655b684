//! What a clinic has at Twilio.

use std::fmt;

/// One sender, with the secret of its account.
#[derive(Clone, PartialEq, Eq)]
pub struct TwilioAccount {
    /// `TWILIO_ACCOUNT_SID`.
    pub account_sid: String,
    /// `TWILIO_AUTH_TOKEN`.
    pub auth_token: String,
    /// `TWILIO_FROM`, as `+14155238886`.
    pub from: String,
}

impl fmt::Debug for TwilioAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioAccount")
            .field("account_sid", &self.account_sid)
            .finish_non_exhaustive()
    }
}

impl TwilioAccount {
    /// A sender with a secret that stands in a test.
    pub fn sample() -> Self {
        Self {
            account_sid: format!("AC{}", "5".repeat(32)),
            auth_token: "12345".to_owned(),
            from: "+14155238886".to_owned(),
        }
    }

    /// The same sender with a new secret.
    pub fn random() -> Self {
        Self {
            auth_token: hex::encode(rand::random::<[u8; 16]>()),
            ..Self::sample()
        }
    }
}
