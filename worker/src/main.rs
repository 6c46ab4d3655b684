//! The worker's program.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shared::lifecycle::Lifecycle;
use shared::telemetry;
use worker::config::Config;

/// Answers the messages of a clinic's visitors. Start as many as you need.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Clear expired sessions once and print how many; their messages stay.
    Cleanup,
}

#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    telemetry::init(cli.config.common.debug);
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("❌ Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Some(Command::Cleanup) => {
            println!(
                "Cleaned up {} expired sessions",
                worker::clean_up(&cli.config).await?
            );
            Ok(())
        }
        None => worker::run(cli.config, Lifecycle::from_signals()?).await,
    }
}
