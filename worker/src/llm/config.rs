//! Settings of the language model, and what they come to once they are complete.

use std::time::Duration;

use clap::Args;
use reqwest::Url;
use reqwest::header::HeaderValue;
use shared::config::{Secret, duration};

/// Which model the agents think with; none: the offline rules. Each field's text is its `--help`.
#[derive(Args, Clone, Debug)]
pub struct LlmArgs {
    /// Address of an OpenAI-compatible server, such as https://api.openai.com/v1 or http://127.0.0.1:11434/v1 (Ollama). Needs
    /// LLM_API_KEY and LLM_MODEL, too; without all three, Anna follows her rules.
    #[arg(long, env, hide_env_values = true)]
    pub llm_base_url: Option<String>,
    /// Key for that server; any word where it wants none.
    #[arg(long, env, hide_env_values = true)]
    pub llm_api_key: Option<Secret>,
    /// Name of the model there.
    #[arg(long, env)]
    pub llm_model: Option<String>,
    /// A second model of that server, asked where the first one fails before its first word.
    #[arg(long, env)]
    pub llm_fallback_model: Option<String>,
    /// How long connecting to the server may take.
    #[arg(long, env, default_value = "5s", value_parser = duration)]
    pub llm_connect_deadline: Duration,
    /// How long the model may be silent, before its first word and between two.
    #[arg(long, env, default_value = "30s", value_parser = duration)]
    pub llm_read_deadline: Duration,
    /// How long a model that fails before its first word is asked again; then the fallback model, then the rules.
    #[arg(long, env, default_value = "8s", value_parser = duration)]
    pub llm_retry_for: Duration,
    /// How long a model is left alone once three turns in a row have found it down; then one turn tries it. 0s: never.
    #[arg(long, env, default_value = "15s", value_parser = duration)]
    pub llm_rest: Duration,
    /// How long one reply may take in all, with its tools, tries and models; then what was said is closed, or the rules answer. To
    /// be shorter than AGENT_DEADLINE.
    #[arg(long, env, default_value = "90s", value_parser = duration)]
    pub llm_reply_deadline: Duration,
    /// Tokens of earlier messages that the model is given, as estimated; older ones are left to a summary.
    #[arg(long, env, default_value_t = 4_000)]
    pub llm_history_tokens: usize,
    /// Whether the model looks at pictures: those that visitors link to are fetched and shown to it.
    #[arg(long, env, default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub llm_images: bool,
    /// Name of the model of that server that turns voice messages into text, such as whisper-1; without it they are not opened.
    #[arg(long, env)]
    pub llm_transcription_model: Option<String>,
}

/// Complete settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where chat completions are.
    pub(crate) endpoint: Url,
    /// Where transcriptions are.
    pub(crate) transcriptions: Url,
    /// `Bearer …`, marked as sensitive.
    pub(crate) authorization: HeaderValue,
    /// The models in the order in which they are asked.
    pub(crate) models: Vec<String>,
    pub(crate) connect_deadline: Duration,
    pub(crate) read_deadline: Duration,
    pub(crate) retry_for: Duration,
    pub(crate) rest: Duration,
    pub(crate) reply_deadline: Duration,
    pub(crate) history_tokens: usize,
    pub(crate) images: bool,
    pub(crate) transcription_model: Option<String>,
}

/// Settings that make no sense. The text is for the operator and holds no value of a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Some of the three are there, and some are not.
    #[error(
        "a language model needs LLM_BASE_URL, LLM_API_KEY and LLM_MODEL: {} is missing (without any of them, the offline rules answer)",
        .0.join(" and ")
    )]
    Missing(Vec<&'static str>),
    /// No address.
    #[error("LLM_BASE_URL: an http or https address is expected, such as https://api.openai.com/v1")]
    Address,
    /// Something that no header can carry.
    #[error("LLM_API_KEY: it has characters that no key has, perhaps a line break")]
    Key,
}

impl LlmArgs {
    /// What the settings come to; `None` where no model is wanted.
    ///
    /// # Errors
    /// They are incomplete or make no sense.
    pub fn settings(&self) -> Result<Option<Settings>, SettingsError> {
        // docker compose sets what is not set to nothing.
        let given = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
        let (url, model, fallback) = (
            given(&self.llm_base_url),
            given(&self.llm_model),
            given(&self.llm_fallback_model),
        );
        let key = self
            .llm_api_key
            .as_ref()
            .filter(|key| !key.expose().trim().is_empty());
        if url.is_none() && model.is_none() && fallback.is_none() && key.is_none() {
            return Ok(None);
        }
        let (Some(url), Some(key), Some(model)) = (&url, key, &model) else {
            let names = [
                ("LLM_BASE_URL", url.is_none()),
                ("LLM_API_KEY", key.is_none()),
                ("LLM_MODEL", model.is_none()),
            ];
            let missing = names.iter().filter(|(_, missing)| *missing);
            return Err(SettingsError::Missing(missing.map(|(name, _)| *name).collect()));
        };
        let base = url.trim().trim_end_matches('/');
        let at = |path: &str| Url::parse(&format!("{base}/{path}")).map_err(|_| SettingsError::Address);
        let (endpoint, transcriptions) = (at("chat/completions")?, at("audio/transcriptions")?);
        if !matches!(endpoint.scheme(), "http" | "https") || !endpoint.has_host() {
            return Err(SettingsError::Address);
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose().trim()))
            .map_err(|_| SettingsError::Key)?;
        authorization.set_sensitive(true);
        Ok(Some(Settings {
            endpoint,
            transcriptions,
            authorization,
            models: [Some(model.clone()), fallback].into_iter().flatten().collect(),
            connect_deadline: self.llm_connect_deadline,
            read_deadline: self.llm_read_deadline,
            retry_for: self.llm_retry_for,
            rest: self.llm_rest,
            reply_deadline: self.llm_reply_deadline,
            history_tokens: self.llm_history_tokens,
            images: self.llm_images,
            transcription_model: given(&self.llm_transcription_model),
        }))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: LlmArgs,
    }

    fn settings(args: &[&str]) -> Result<Option<Settings>, SettingsError> {
        Command::parse_from([&["worker"], args].concat()).args.settings()
    }

    #[test]
    fn settings_are_complete_or_absent_and_what_is_missing_is_named() {
        assert!(settings(&[]).unwrap().is_none());
        assert!(
            settings(&["--llm-model", "", "--llm-api-key", " "])
                .unwrap()
                .is_none()
        );
        let error = settings(&["--llm-model", "m"]).unwrap_err().to_string();
        assert!(
            error.contains("LLM_BASE_URL and LLM_API_KEY is missing"),
            "{error}"
        );
        let error = settings(&["--llm-fallback-model", "m"]).unwrap_err();
        assert!(matches!(error, SettingsError::Missing(names) if names.len() == 3));
        let all = |url, key| settings(&["--llm-base-url", url, "--llm-api-key", key, "--llm-model", "m"]);
        assert_eq!(all("localhost:1/v1", "k").unwrap_err(), SettingsError::Address);
        assert_eq!(
            all("http://localhost/v1", "a\nb").unwrap_err(),
            SettingsError::Key
        );
        let complete = all("http://localhost:1/v1/", "s3cret").unwrap().unwrap();
        assert_eq!(
            complete.endpoint.as_str(),
            "http://localhost:1/v1/chat/completions"
        );
        assert!(!format!("{complete:?}").contains("s3cret"), "a key never prints");
    }
}
