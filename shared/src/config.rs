//! Settings that the api and the workers share. Each field's text is its `--help`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use crate::clinic::{Clinic, ClinicError};
use crate::subject::Subjects;
use crate::topology::Limits;
use crate::whatsapp::{ConfigError, Senders, WhatsAppArgs};

/// A value that never prints.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The value, to be handed to whoever needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Ok(Self(value.to_owned()))
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

/// Reads `250ms`, `2s`, `1h`.
///
/// # Errors
/// A sentence that says what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; a duration is written 250ms, 2s or 1h"))
}

/// Where the queue is.
#[derive(Args, Clone, Debug)]
pub struct NatsArgs {
    /// Address of the NATS server (2.12 or newer, with JetStream); several are separated by commas.
    #[arg(long, env, default_value = "nats://127.0.0.1:4222", hide_env_values = true)]
    pub nats_url: Secret,
    /// First token of every subject; deployments with different prefixes can share a server. 1-64 of a-z, 0-9, - and _.
    #[arg(long, env, default_value = crate::subject::DEFAULT_PREFIX)]
    pub subject_prefix: Subjects,
    /// Copies of each stream: 1, or 3 on a cluster.
    #[arg(long, env, default_value_t = 1)]
    pub nats_replicas: usize,
    /// Size of the queue in bytes. When it is full, messages are refused with 503.
    #[arg(long, env, default_value_t = 1 << 30)]
    pub chat_max_bytes: i64,
    /// Size of the journal of token events in bytes. When it is full, the oldest events go.
    #[arg(long, env, default_value_t = 1 << 30)]
    pub tokens_max_bytes: i64,
}

impl NatsArgs {
    /// The part of the streams' settings that an operator chooses.
    pub fn limits(&self) -> Limits {
        Limits {
            replicas: self.nats_replicas,
            chat_max_bytes: self.chat_max_bytes,
            tokens_max_bytes: self.tokens_max_bytes,
        }
    }
}

/// What both programs need.
#[derive(Args, Clone, Debug)]
pub struct CommonArgs {
    /// The queue.
    #[command(flatten)]
    pub nats: NatsArgs,
    /// Address of the PostgreSQL database, postgres://user:password@host:port/database.
    #[arg(
        long,
        env,
        default_value = "postgres://frontdesk:frontdesk@127.0.0.1:5432/frontdesk",
        hide_env_values = true
    )]
    pub database_url: Secret,
    /// Connections to PostgreSQL at most.
    #[arg(long, env, default_value_t = 10)]
    pub database_connections: u32,
    /// The clinic's file: treatments, opening hours, assistant. Without it, the one that ships with the program.
    #[arg(long, env)]
    pub clinic_config: Option<PathBuf>,
    /// Turns on debug logs. Even they never contain what visitors write.
    #[arg(long, env, default_value_t = false, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub debug: bool,
    /// The address under which visitors and providers reach the api. With https, cookies are marked Secure. Twilio signs what
    /// it sends for this address, so with Twilio it has to be set.
    #[arg(long, env)]
    pub public_url: Option<String>,
    /// WhatsApp.
    #[command(flatten)]
    pub whatsapp: WhatsAppArgs,
}

impl CommonArgs {
    /// The numbers on WhatsApp.
    ///
    /// # Errors
    /// One of them is not complete, or makes no sense. The text is for the operator and holds no secret.
    pub fn senders(&self) -> Result<Senders, ConfigError> {
        self.whatsapp.senders(self.public_url.as_deref())
    }

    /// The clinic of [`Self::clinic_config`].
    ///
    /// # Errors
    /// The file cannot be read; the error names the field.
    pub fn clinic(&self) -> Result<Clinic, ClinicError> {
        self.clinic_config
            .as_deref()
            .map_or_else(|| Ok(Clinic::shipped()), Clinic::load)
    }
}
