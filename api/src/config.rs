//! What an operator sets. Each field's text is its `--help`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use shared::config::{CommonArgs, Secret, duration};

/// Settings of the api.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Settings that the workers have, too.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Address and port to listen on.
    #[arg(long, env, default_value = "0.0.0.0:8000")]
    pub api_bind: SocketAddr,
    /// Shared with the website that signs its users in: X-User-Hash is the hex HMAC-SHA256 of the user id under it. Without
    /// it, X-User-ID is refused.
    #[arg(long, env, hide_env_values = true)]
    pub identity_secret: Option<Secret>,
    /// Websites on other origins that may call the api from a browser, e.g. https://clinic.example, separated by commas.
    #[arg(long, env, value_delimiter = ',')]
    pub allowed_origins: Vec<String>,
    /// Messages of one session that may wait for their reply; beyond it, 429.
    #[arg(long, env, default_value_t = 256)]
    pub max_pending_per_session: usize,
    /// Connections at once; beyond it, 503. Questions after the api's health are answered all the same.
    #[arg(long, env, default_value_t = 10_000)]
    pub max_connections: usize,
    /// How long a client may take to send the head of a request, and how long a connection without a request is kept.
    #[arg(long, env, default_value = "30s", value_parser = duration)]
    pub head_deadline: Duration,
    /// How long a client may take nothing of what is written to it; then the connection is closed, and the reply goes on.
    #[arg(long, env, default_value = "30s", value_parser = duration)]
    pub slow_reader_deadline: Duration,
    /// How long POST /chat/ waits for the whole reply; beyond it, 504.
    #[arg(long, env, default_value = "60s", value_parser = duration)]
    pub chat_deadline: Duration,
    /// How long open connections may take to end when the program is stopped.
    #[arg(long, env, default_value = "10s", value_parser = duration)]
    pub drain_deadline: Duration,
}

impl Config {
    /// Whether visitors come over https.
    pub fn is_https(&self) -> bool {
        self.common
            .public_url
            .as_deref()
            .is_some_and(|url| url.to_ascii_lowercase().starts_with("https://"))
    }
}
