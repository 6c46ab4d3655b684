//! Settings of the worker. Each field's text is its `--help`.

use std::time::Duration;

use clap::Args;
use shared::config::{CommonArgs, duration};

use crate::llm::config::LlmArgs;

/// Everything that can be set.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Queue, database, clinic.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Turns that this worker runs at once.
    #[arg(long, env, default_value_t = 256)]
    pub worker_concurrency: usize,
    /// Text that comes within this time of the last event is merged into the next one; 0s sends every piece.
    #[arg(long, env, default_value = "20ms", value_parser = duration)]
    pub token_interval: Duration,
    /// Milliseconds between the words of the offline engine, to read like someone typing.
    #[arg(long, env, default_value_t = 0)]
    pub offline_token_delay_ms: u64,
    /// How long a visitor of the website waits for PostgreSQL before the agent answers without it, knowing nothing of what was
    /// said before; 0s: for as long as it takes.
    #[arg(long, env, default_value = "2s", value_parser = duration)]
    pub stateless_after: Duration,
    /// How long an agent may take for one reply; then the turn is tried again.
    #[arg(long, env, default_value = "2m", value_parser = duration)]
    pub agent_deadline: Duration,
    /// On SIGTERM: how long running turns may take to finish before they are handed over.
    #[arg(long, env, default_value = "10s", value_parser = duration)]
    pub drain_deadline: Duration,
    /// How long a silent worker keeps its sessions. Renewed three times as often.
    #[arg(long, env, default_value = "10s", value_parser = a_second_at_least)]
    pub lease_length: Duration,
    /// How long a new session remembers what was said, counted from its last reply.
    #[arg(long, env, default_value = "24h", value_parser = session_ttl)]
    pub session_ttl: Duration,
    /// How often expired sessions are looked for, and messages that were left in the queue.
    #[arg(long, env, default_value = "1m", value_parser = a_second_at_least)]
    pub cleanup_interval: Duration,
    /// The language model.
    #[command(flatten)]
    pub llm: LlmArgs,
}

/// Reads a duration, or a plain number of seconds.
fn session_ttl(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => not_less_than_a_second(Duration::from_secs(seconds)),
        Err(_) => a_second_at_least(text),
    }
}

fn a_second_at_least(text: &str) -> Result<Duration, String> {
    not_less_than_a_second(duration(text)?)
}

fn not_less_than_a_second(duration: Duration) -> Result<Duration, String> {
    if duration < Duration::from_secs(1) {
        return Err("this has to be a second at least".into());
    }
    Ok(duration)
}
