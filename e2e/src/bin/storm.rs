//! Many who write on WhatsApp while workers are killed, for as many messages as wanted.

use anyhow::{Result, ensure};
use clap::Parser;
use e2e::storm::{Options, run};

/// Sends webhooks in batches, twice and in any order, kills a worker every two seconds, and checks that each message was
/// answered once, in order, and each reply sent once.
#[derive(Parser)]
struct Args {
    /// Messages in all.
    #[arg(long, default_value_t = 1_400)]
    messages: usize,
    /// People who write them.
    #[arg(long, default_value_t = 140)]
    customers: usize,
    /// Workers at once.
    #[arg(long, default_value_t = 3)]
    workers: usize,
    /// The same seed makes the same disorder.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the summary is what the command is for")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let summary = run(&Options {
        messages: args.messages,
        customers: args.customers,
        workers: args.workers,
        seed: args.seed,
    })
    .await?;
    println!("{summary}");
    for violation in &summary.violations {
        println!("- {violation}");
    }
    ensure!(summary.violations.is_empty(), "not everything held");
    Ok(())
}
