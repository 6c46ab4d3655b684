//! The worker's program.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shared::db::failed::Retried;
use shared::ids::RequestId;
use shared::lifecycle::Lifecycle;
use shared::telemetry;
use worker::config::Config;
use worker::failed::Retries;

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
    /// List the messages that were given up, newest first: id, when it was accepted, attempts, error, session.
    Failed {
        /// Messages at most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// List the numbers that stand still, and the messages to WhatsApp that failed, are held, or have waited for more than a minute,
    /// newest first: id, status, error, when it was written, attempts, session.
    Undelivered {
        /// Messages at most.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Run messages again that were given up; their replies begin anew, where their readers stand. Those that shared a reply on
    /// WhatsApp run again together.
    ///
    /// It fails where one of them is unknown or has not failed; the others run all the same.
    Retry {
        /// The ids of the messages, as `failed` lists them.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<RequestId>,
    },
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
        Some(Command::Failed { limit }) => {
            let failed = worker::failed::list(&cli.config, limit).await?;
            if failed.is_empty() {
                println!("No message has failed");
            }
            for line in failed {
                println!("{line}");
            }
            Ok(())
        }
        Some(Command::Undelivered { limit }) => {
            let lines = worker::undelivered::list(&cli.config, limit).await?;
            if lines.is_empty() {
                println!("Every message was delivered");
            }
            for line in lines {
                println!("{line}");
            }
            Ok(())
        }
        Some(Command::Retry { ids }) => {
            let retries = Retries::connect(&cli.config).await?;
            let mut left = 0;
            for id in ids {
                let outcome = retries.retry(id).await?;
                left += usize::from(outcome != Retried::Retried);
                let outcome = match outcome {
                    Retried::Retried => "runs again",
                    Retried::Unknown => "there is no such message",
                    Retried::NotFailed => "has not failed",
                };
                println!("{id}: {outcome}");
            }
            anyhow::ensure!(left == 0, "{left} of them cannot run again");
            Ok(())
        }
        None => worker::run(cli.config, Lifecycle::from_signals()?).await,
    }
}
