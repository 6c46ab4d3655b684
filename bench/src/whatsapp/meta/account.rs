//! What a clinic has at Meta.

use std::fmt;

/// One number, with the secrets of its app.
#[derive(Clone, PartialEq, Eq)]
pub struct MetaAccount {
    /// `META_PHONE_NUMBER_ID`.
    pub phone_number_id: String,
    /// The number itself, digits.
    pub display_phone_number: String,
    /// The WhatsApp business account.
    pub business_id: String,
    /// `META_APP_SECRET`.
    pub app_secret: String,
    /// `META_VERIFY_TOKEN`.
    pub verify_token: String,
    /// `META_ACCESS_TOKEN`.
    pub access_token: String,
}

impl fmt::Debug for MetaAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetaAccount")
            .field("phone_number_id", &self.phone_number_id)
            .finish_non_exhaustive()
    }
}

impl MetaAccount {
    /// A number with secrets that stand in a test.
    pub fn sample() -> Self {
        Self {
            phone_number_id: "106540352242922".to_owned(),
            display_phone_number: "15550783881".to_owned(),
            business_id: "102290129340398".to_owned(),
            app_secret: "appsecret".to_owned(),
            verify_token: "verify-me".to_owned(),
            access_token: "EAAJB-sample".to_owned(),
        }
    }

    /// The same number with new secrets.
    pub fn random() -> Self {
        let secret = || hex::encode(rand::random::<[u8; 16]>());
        Self {
            app_secret: secret(),
            verify_token: secret(),
            access_token: secret(),
            ..Self::sample()
        }
    }
}
