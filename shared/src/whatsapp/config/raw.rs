//! Numbers as they are written, in the environment or in the file of `WHATSAPP_CONFIG`; and the checks that make them complete.

use std::path::Path;

use serde::Deserialize;
use url::Url;

use super::{ConfigError, MetaSender, Template, TwilioSender, WhatsAppArgs};
use crate::config::Secret;
use crate::whatsapp::Recipient;

/// The file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    meta: Vec<RawMeta>,
    #[serde(default)]
    twilio: Vec<RawTwilio>,
}

impl File {
    pub(super) fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| {
                text[..span.start.min(text.len())].matches('\n').count() + 1
            }),
        })
    }

    /// Meta's numbers, each with where it stands.
    pub(super) fn meta(&self) -> impl Iterator<Item = (String, RawMeta)> {
        let at = |(index, raw): (usize, &RawMeta)| (format!("[[meta]] {}, ", index + 1), raw.clone());
        self.meta.iter().enumerate().map(at)
    }

    /// Twilio's numbers, each with where it stands.
    pub(super) fn twilio(&self) -> impl Iterator<Item = (String, RawTwilio)> {
        let at = |(index, raw): (usize, &RawTwilio)| (format!("[[twilio]] {}, ", index + 1), raw.clone());
        self.twilio.iter().enumerate().map(at)
    }
}

/// One of Meta's, as written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMeta {
    phone_number_id: Option<String>,
    app_secret: Option<Secret>,
    verify_token: Option<Secret>,
    access_token: Option<Secret>,
    base_url: Option<String>,
    api_version: Option<String>,
    template: Option<String>,
    template_language: Option<String>,
}

impl RawMeta {
    /// The one of the environment, where something of it is set.
    pub(super) fn of(args: &WhatsAppArgs) -> Option<Self> {
        let raw = Self {
            phone_number_id: text(&args.meta_phone_number_id),
            app_secret: secret(&args.meta_app_secret),
            verify_token: secret(&args.meta_verify_token),
            access_token: secret(&args.meta_access_token),
            base_url: Some(args.meta_base_url.clone()),
            api_version: Some(args.meta_api_version.clone()),
            template: text(&args.meta_template),
            template_language: text(&args.meta_template_language),
        };
        let is_wanted = raw.phone_number_id.is_some()
            || raw.app_secret.is_some()
            || raw.verify_token.is_some()
            || raw.access_token.is_some()
            || raw.template.is_some()
            || raw.template_language.is_some();
        is_wanted.then_some(raw)
    }

    /// The complete number; `None` where something lacks, which is added to `missing`.
    pub(super) fn complete(
        self,
        place: &str,
        missing: &mut Vec<String>,
    ) -> Result<Option<MetaSender>, ConfigError> {
        let (template, language) = (text(&self.template), text(&self.template_language));
        let (Some(id), Some(app_secret), Some(verify_token), Some(access_token), true) = (
            text(&self.phone_number_id),
            secret(&self.app_secret),
            secret(&self.verify_token),
            secret(&self.access_token),
            template.is_some() == language.is_some(),
        ) else {
            missing.push(lacks(
                place,
                &[
                    ("phone_number_id", text(&self.phone_number_id).is_none()),
                    ("app_secret", secret(&self.app_secret).is_none()),
                    ("verify_token", secret(&self.verify_token).is_none()),
                    ("access_token", secret(&self.access_token).is_none()),
                    ("template", language.is_some() && template.is_none()),
                    ("template_language", template.is_some() && language.is_none()),
                ],
                None,
            ));
            return Ok(None);
        };
        let wrong = |field: &str, expected| {
            Err(ConfigError::Value {
                name: name(place, field),
                expected,
            })
        };
        if !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return wrong("phone_number_id", "the id that Meta shows, of digits only,");
        }
        if !goes_into_a_header(&access_token) {
            return wrong("access_token", "a token without spaces and line breaks");
        }
        let Some(base_url) = address(self.base_url.as_deref().unwrap_or("https://graph.facebook.com")) else {
            return wrong("base_url", ADDRESS);
        };
        let api_version = text(&self.api_version).unwrap_or_else(|| "v23.0".to_owned());
        let number = api_version.strip_prefix('v').unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return wrong("api_version", "a version such as v23.0");
        }
        Ok(Some(MetaSender {
            phone_number_id: id,
            app_secret,
            verify_token,
            access_token,
            base_url,
            api_version,
            template: template
                .zip(language)
                .map(|(name, language)| Template { name, language }),
        }))
    }
}

/// One of Twilio's, as written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTwilio {
    from: Option<String>,
    account_sid: Option<String>,
    auth_token: Option<Secret>,
    base_url: Option<String>,
}

impl RawTwilio {
    /// The one of the environment, where something of it is set.
    pub(super) fn of(args: &WhatsAppArgs) -> Option<Self> {
        let raw = Self {
            from: text(&args.twilio_from),
            account_sid: text(&args.twilio_account_sid),
            auth_token: secret(&args.twilio_auth_token),
            base_url: Some(args.twilio_base_url.clone()),
        };
        let is_wanted = raw.from.is_some() || raw.account_sid.is_some() || raw.auth_token.is_some();
        is_wanted.then_some(raw)
    }

    /// The complete number; `None` where something lacks, which is added to `missing`.
    pub(super) fn complete(
        self,
        place: &str,
        public_url: Option<&str>,
        missing: &mut Vec<String>,
    ) -> Result<Option<TwilioSender>, ConfigError> {
        let public_url = public_url.filter(|url| !url.trim().is_empty());
        let (Some(from), Some(account_sid), Some(auth_token), Some(public_url)) = (
            text(&self.from),
            text(&self.account_sid),
            secret(&self.auth_token),
            public_url,
        ) else {
            missing.push(lacks(
                place,
                &[
                    ("from", text(&self.from).is_none()),
                    ("account_sid", text(&self.account_sid).is_none()),
                    ("auth_token", secret(&self.auth_token).is_none()),
                ],
                public_url.is_none().then_some("PUBLIC_URL"),
            ));
            return Ok(None);
        };
        let wrong = |name: String, expected| Err(ConfigError::Value { name, expected });
        let bare = from.strip_prefix("whatsapp:").unwrap_or(&from);
        let Some(Recipient::Phone(from)) = Recipient::read(bare) else {
            return wrong(name(place, "from"), "a number such as +15550783881");
        };
        if !account_sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return wrong(name(place, "account_sid"), "the account's id, AC…,");
        }
        let Some(base_url) = address(self.base_url.as_deref().unwrap_or("https://api.twilio.com")) else {
            return wrong(name(place, "base_url"), ADDRESS);
        };
        let Some(public_url) = address(public_url) else {
            return wrong("PUBLIC_URL".into(), ADDRESS);
        };
        Ok(Some(TwilioSender {
            from,
            account_sid,
            auth_token,
            base_url,
            public_url,
        }))
    }
}

const ADDRESS: &str = "an http or https address without ? and #";

/// `META_APP_SECRET`, or `[[meta]] 1, app_secret`.
fn name(place: &str, field: &str) -> String {
    if place.starts_with('[') {
        format!("WHATSAPP_CONFIG, {place}{field}")
    } else {
        format!("{place}{}", field.to_uppercase())
    }
}

/// Names what is not there.
fn lacks(place: &str, fields: &[(&str, bool)], other: Option<&str>) -> String {
    let fields = fields.iter().filter(|(_, is_missing)| *is_missing);
    let names: Vec<String> = fields
        .map(|(field, _)| name(place, field))
        .chain(other.map(str::to_owned))
        .collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    match names.split_last() {
        Some((last, [])) => format!("{last} {verb} missing"),
        Some((last, rest)) => format!("{} and {last} {verb} missing", rest.join(", ")),
        None => String::new(),
    }
}

/// A text that says something: docker compose can set what is not set to nothing.
fn text(value: &Option<String>) -> Option<String> {
    let value = value.as_deref().map(str::trim).filter(|value| !value.is_empty());
    value.map(str::to_owned)
}

fn secret(value: &Option<Secret>) -> Option<Secret> {
    let value = value.as_ref().map(|value| value.expose().trim());
    let value = value.filter(|value| !value.is_empty());
    value.map(|value| Secret::from(value.to_owned()))
}

fn goes_into_a_header(secret: &Secret) -> bool {
    secret.expose().bytes().all(|byte| byte.is_ascii_graphic())
}

/// An address to which a path can be added.
fn address(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    let url = Url::parse(text).ok()?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none();
    is_plain.then(|| text.to_owned())
}
