//! A model server for developers: no model, no key, a script.

use std::net::SocketAddr;
use std::path::PathBuf;

use bench::model::{FakeModel, Script};
use clap::Parser;

/// Answers like an OpenAI-compatible server, from a script. A model named `fault:<name>` fails in that way.
#[derive(Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8011")]
    bind: SocketAddr,
    /// The script, TOML or JSON; without it, bench/scripts/anna.toml.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Milliseconds before each token; without it, as the script says.
    #[arg(long)]
    pace_ms: Option<u64>,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the address is what a developer needs")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut script = args
        .script
        .as_deref()
        .map_or_else(|| Ok(Script::shipped()), Script::load)?;
    script.pace_ms = args.pace_ms.unwrap_or(script.pace_ms);
    let mut server = FakeModel::start_on(args.bind, script).await?;
    println!(
        "LLM_BASE_URL={} LLM_API_KEY=any LLM_MODEL=fake (what was asked: http://{}/requests)",
        server.base_url(),
        args.bind
    );
    server.ended().await;
    Ok(())
}
