//! How long a reply pauses when its worker is killed: median and 99th percentile of many times.

use anyhow::Result;
use clap::Parser;
use e2e::Programs;
use e2e::chaos::takeover::{Options, measure, percentile};

/// Kills the worker that runs a reply, in the middle of it, and measures until the client has the next event.
#[derive(Parser)]
struct Args {
    /// How often.
    #[arg(long, default_value_t = 50)]
    kills: usize,
    /// `LEASE_LENGTH` of the workers; without it, their default.
    #[arg(long)]
    lease_length: Option<String>,
    #[command(flatten)]
    programs: Programs,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the times are what the command is for")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let options = Options {
        programs: args.programs.folder()?,
        kills: args.kills,
        lease_length: args.lease_length,
    };
    let times = measure(&options).await?;
    println!(
        "{} kills: median {:?}, 99th percentile {:?}, longest {:?}",
        times.len(),
        percentile(&times, 50),
        percentile(&times, 99),
        percentile(&times, 100)
    );
    Ok(())
}
