//! The program `local`: everything on this machine, or only the two servers.

mod cli;
mod phone;
mod run;
mod settings;
mod stop;
mod welcome;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::cli::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match carry_out(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("local: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(cli: Cli) -> Result<()> {
    match cli.command.unwrap_or(Command::Run) {
        Command::Run => run::run(&cli.place, &cli.phone).await,
        Command::Services => only_services(cli.place.options()).await,
        Command::Clean => {
            for removed in local::remove(&cli.place.dir)? {
                eprintln!("removed {}", removed.display());
            }
            Ok(())
        }
    }
}

/// Prints the two addresses and nothing else on standard output, for scripts that read them.
#[expect(clippy::print_stdout, reason = "the addresses are this command's output")]
async fn only_services(options: local::Options) -> Result<()> {
    let mut stop = stop::Requests::listen()?;
    let services = tokio::select! {
        services = local::Services::start(options) => services?,
        // What has been started ends with this process.
        () = stop.next() => return Ok(()),
    };
    println!(
        "DATABASE_URL={}\nNATS_URL={}",
        services.database_url(),
        services.nats_url()
    );
    let failure = tokio::select! {
        () = stop.next() => None,
        failure = services.supervise() => Some(failure),
    };
    tokio::select! {
        stopped = services.stop() => stopped?,
        () = stop.next() => anyhow::bail!("asked twice: left the rest to the guard"),
    }
    failure.map_or(Ok(()), Err)
}
