//! `make chaos`: faults against a deployment for as long as asked; fails where a guarantee did not hold.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use e2e::Programs;
use e2e::chaos::run::{Options, run};

/// Breaks a deployment of its own in all ways that a seed stands for, and checks that nobody was told, lost or charged twice.
#[derive(Parser)]
struct Args {
    /// How long faults are made, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Repeats the schedule of another run; without it, a new one is made and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Runs so many seeds, one after the other.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Conversations at a time.
    #[arg(long, default_value_t = 20)]
    sessions: u64,
    /// A NATS cluster of three with three copies of each stream, of which one node at a time goes away.
    #[arg(long)]
    cluster: bool,
    /// No faults: only conversations.
    #[arg(long)]
    calm: bool,
    /// Of the schedule only faults whose name contains one of these texts, such as "kill NATS"; may be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// Prints each fault as it is done.
    #[arg(long)]
    verbose: bool,
    #[command(flatten)]
    programs: Programs,
    /// Where logs are kept if something was wrong, in a folder named after the seed.
    #[arg(long)]
    logs: Option<PathBuf>,
    /// Keeps logs also if nothing was wrong.
    #[arg(long)]
    keep_logs: bool,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the summary is what the command is for")]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let programs = args.programs.folder()?;
    let first = args.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
    let mut violations = 0;
    for seed in first..first + args.runs {
        let options = Options {
            programs: programs.clone(),
            seed,
            length: Duration::from_secs(args.seconds),
            sessions: args.sessions,
            cluster: args.cluster,
            faults: !args.calm,
            only: args.only.clone(),
            verbose: args.verbose,
            keep_logs: args.keep_logs,
            logs: args.logs.as_ref().map(|logs| logs.join(seed.to_string())),
        };
        // Everything that was started ends with this process, or with the future that is dropped here.
        let summary = tokio::select! {
            summary = run(&options) => summary?,
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::FAILURE),
        };
        println!("{summary}");
        violations += summary.violations.len();
    }
    Ok(if violations == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
