//! Our numbers on WhatsApp: what an operator sets, and what it comes to once it is complete.

mod raw;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use uuid::Uuid;

use super::{Provider, SenderKey};
use crate::config::{Secret, duration};
use raw::{File, RawMeta, RawTwilio};

/// Settings of WhatsApp; none: the website alone. Each field's text is its `--help`.
#[derive(Args, Clone, Debug)]
pub struct WhatsAppArgs {
    /// Id of a phone number of Meta's Cloud API (not the number itself). It needs META_APP_SECRET, META_VERIFY_TOKEN and
    /// META_ACCESS_TOKEN, too.
    #[arg(long, env)]
    pub meta_phone_number_id: Option<String>,
    /// The app's secret, under which Meta signs what it sends.
    #[arg(long, env, hide_env_values = true)]
    pub meta_app_secret: Option<Secret>,
    /// Any word of yours; the same is entered beside the webhook's address at Meta.
    #[arg(long, env, hide_env_values = true)]
    pub meta_verify_token: Option<Secret>,
    /// A system user's token, which may send messages.
    #[arg(long, env, hide_env_values = true)]
    pub meta_access_token: Option<Secret>,
    /// Where Meta's Graph API is.
    #[arg(long, env, default_value = "https://graph.facebook.com")]
    pub meta_base_url: String,
    /// Its version.
    #[arg(long, env, default_value = "v23.0")]
    pub meta_api_version: String,
    /// Name of a template without variables that asks the visitor to write. It is sent once when a reply comes after the 24 hours
    /// in which WhatsApp allows one; the reply waits until they do, with it or without.
    #[arg(long, env)]
    pub meta_template: Option<String>,
    /// Language of that template, such as en_US.
    #[arg(long, env)]
    pub meta_template_language: Option<String>,
    /// Number of a WhatsApp sender of Twilio, +15550783881, with or without `whatsapp:`. It needs TWILIO_ACCOUNT_SID,
    /// TWILIO_AUTH_TOKEN and PUBLIC_URL, too.
    #[arg(long, env)]
    pub twilio_from: Option<String>,
    /// The account at Twilio.
    #[arg(long, env, hide_env_values = true)]
    pub twilio_account_sid: Option<String>,
    /// Its auth token, under which Twilio signs what it sends.
    #[arg(long, env, hide_env_values = true)]
    pub twilio_auth_token: Option<Secret>,
    /// Where Twilio's REST API is.
    #[arg(long, env, default_value = "https://api.twilio.com")]
    pub twilio_base_url: String,
    /// A TOML file with more numbers: tables [[meta]] and [[twilio]] with the names of these settings, in lower case and without
    /// the first word: phone_number_id, app_secret …
    #[arg(long, env)]
    pub whatsapp_config: Option<PathBuf>,
    /// Messages a second that one of our numbers sends at most.
    #[arg(long, env, default_value_t = 80, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub whatsapp_rate: u32,
    /// A message of WhatsApp that is older than this when its turn comes is answered as late.
    #[arg(long, env, default_value = "1h", value_parser = duration)]
    pub stale_after: Duration,
    /// How long a writer on WhatsApp has to be quiet until what was written is answered, in one reply.
    #[arg(long, env, default_value = "1500ms", value_parser = duration)]
    pub whatsapp_quiet: Duration,
    /// How long a reply waits for that at most.
    #[arg(long, env, default_value = "10s", value_parser = duration)]
    pub whatsapp_burst: Duration,
}

/// All our numbers, complete and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    /// Those of Meta's Cloud API.
    pub meta: Vec<MetaSender>,
    /// Those of Twilio.
    pub twilio: Vec<TwilioSender>,
}

/// A number of Meta's Cloud API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaSender {
    /// Its id there: digits.
    pub phone_number_id: String,
    /// Its app signs webhooks with it.
    pub app_secret: Secret,
    /// It comes with the handshake.
    pub verify_token: Secret,
    /// It goes with what we send.
    pub access_token: Secret,
    /// Without a slash at its end.
    pub base_url: String,
    /// `v23.0`.
    pub api_version: String,
    /// What is sent where the 24 hours are over.
    pub template: Option<Template>,
}

/// A template that Meta has approved, without variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name there.
    pub name: String,
    /// Its language, `en_US`.
    pub language: String,
}

/// A number of Twilio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwilioSender {
    /// `+15550783881`, without `whatsapp:`.
    pub from: String,
    /// The account, and the name in the basic auth.
    pub account_sid: String,
    /// The password there; and webhooks are signed with it.
    pub auth_token: Secret,
    /// Without a slash at its end.
    pub base_url: String,
    /// The api's public address, without a slash at its end. Twilio signs for it.
    pub public_url: String,
}

impl TwilioSender {
    /// The path of Twilio's webhook, for messages and for what becomes of ours.
    pub const WEBHOOK: &str = "/webhooks/twilio";

    /// `StatusCallback` of a message of ours: the webhook, with our own name of the message.
    pub fn status_callback(&self, delivery: Uuid) -> String {
        format!("{}{}?delivery={delivery}", self.public_url, Self::WEBHOOK)
    }
}

/// One of [`Senders`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender<'s> {
    /// Of Meta's Cloud API.
    Meta(&'s MetaSender),
    /// Of Twilio.
    Twilio(&'s TwilioSender),
}

impl Senders {
    /// The number with this name.
    pub fn sender(&self, key: &SenderKey) -> Option<Sender<'_>> {
        match key.provider {
            Provider::Meta => self.of_meta(&key.sender).map(Sender::Meta),
            Provider::Twilio => self.of_twilio(&key.sender).map(Sender::Twilio),
        }
    }

    /// Meta's with this id.
    pub fn of_meta(&self, phone_number_id: &str) -> Option<&MetaSender> {
        let mut numbers = self.meta.iter();
        numbers.find(|number| number.phone_number_id == phone_number_id)
    }

    /// Twilio's with this number, `+1…`.
    pub fn of_twilio(&self, from: &str) -> Option<&TwilioSender> {
        self.twilio.iter().find(|number| number.from == from)
    }

    /// The names of all of them.
    pub fn keys(&self) -> impl Iterator<Item = SenderKey> {
        let key = |provider, sender: &String| SenderKey {
            provider,
            sender: sender.clone(),
        };
        let meta = self.meta.iter();
        let meta = meta.map(move |number| key(Provider::Meta, &number.phone_number_id));
        let twilio = self.twilio.iter();
        meta.chain(twilio.map(move |number| key(Provider::Twilio, &number.from)))
    }
}

/// Settings that are not complete or make no sense. The text is for the operator and holds no value of a setting.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Some settings of a number are there, and some are not.
    #[error("WhatsApp is configured by half: {}", .0.join("; "))]
    Missing(Vec<String>),
    /// A setting that cannot be.
    #[error("{name}: {expected} is expected")]
    Value {
        /// Its name.
        name: String,
        /// What it looks like.
        expected: &'static str,
    },
    /// Two numbers of the same name.
    #[error("the WhatsApp number {0} is configured twice")]
    Twice(SenderKey),
    /// The file could not be opened or is not UTF-8.
    #[error("WHATSAPP_CONFIG: {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is in the file is not as it should be. What is written there is not quoted: it may be a secret.
    #[error(
        "WHATSAPP_CONFIG: {}, line {line}: tables [[meta]] and [[twilio]] are expected, with texts under known names",
        path.display()
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The place, counted from 1.
        line: usize,
    },
}

impl WhatsAppArgs {
    /// What the settings come to.
    ///
    /// # Errors
    /// A number is not complete, or makes no sense.
    pub fn senders(&self, public_url: Option<&str>) -> Result<Senders, ConfigError> {
        let file = self.whatsapp_config.as_deref();
        let file = file.map_or_else(|| Ok(File::default()), File::load)?;
        let mut missing = Vec::new();
        let mut senders = Senders::default();
        let single = RawMeta::of(self).into_iter().map(|raw| ("META_".to_owned(), raw));
        for (place, raw) in single.chain(file.meta()) {
            senders.meta.extend(raw.complete(&place, &mut missing)?);
        }
        let single = RawTwilio::of(self)
            .into_iter()
            .map(|raw| ("TWILIO_".to_owned(), raw));
        for (place, raw) in single.chain(file.twilio()) {
            senders
                .twilio
                .extend(raw.complete(&place, public_url, &mut missing)?);
        }
        if !missing.is_empty() {
            return Err(ConfigError::Missing(missing));
        }
        let mut seen = std::collections::HashSet::new();
        let twice = senders.keys().find(|key| !seen.insert(key.clone()));
        twice.map_or(Ok(senders), |key| Err(ConfigError::Twice(key)))
    }
}

#[cfg(test)]
mod tests;
