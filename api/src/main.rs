//! The program `api`.

use std::process::ExitCode;

use anyhow::Context;
use api::Config;
use clap::{Parser, Subcommand};
use shared::lifecycle::Lifecycle;
use tokio::net::TcpListener;

/// Frontdesk's front door: takes messages in over HTTP, and streams the replies out.
#[derive(Parser)]
#[command(name = "api", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Exits with 0 where an api answers on the port of API_BIND; for container health checks.
    Healthcheck,
}

#[tokio::main]
async fn main() -> ExitCode {
    shared::tls::install();
    let cli = Cli::parse();
    shared::telemetry::init(cli.config.common.debug);
    let result = match cli.command {
        Some(Command::Healthcheck) => api::healthcheck::healthcheck(cli.config.api_bind).await,
        None => serve(cli.config).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let address = config.api_bind;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("API_BIND {address} cannot be listened on; set API_BIND to another address or port")
    })?;
    let lifecycle = Lifecycle::from_signals()?;
    let result = api::run(config, listener, lifecycle.clone()).await;
    lifecycle.hard.cancel();
    result
}
