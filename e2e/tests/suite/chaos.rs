//! Every guarantee under every fault that we can make, for a minute; `make chaos` does it for as long as asked.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use e2e::chaos::run::{Options, run};
use e2e::process::programs;

/// The schedule that `make test` repeats, so that a failure is the code's and not the dice's.
const SEED: u64 = 1;

/// Enough for each kind of fault to come once.
const LENGTH: Duration = Duration::from_secs(25);

/// What can be chosen without a new build.
#[derive(Parser)]
struct Settings {
    /// Another schedule.
    #[arg(long, env = "CHAOS_SEED", default_value_t = SEED)]
    seed: u64,
}

async fn holds(cluster: bool, sessions: u64) -> Result<()> {
    let options = Options {
        programs: programs().await?.to_owned(),
        seed: Settings::parse_from(["suite"]).seed,
        length: LENGTH,
        sessions,
        cluster,
        faults: true,
        verbose: true,
        logs: Some(std::env::temp_dir().join(format!("frontdesk-chaos-failed-{}", uuid::Uuid::now_v7()))),
    };
    let summary = run(&options).await?;
    eprintln!("{summary}");
    ensure!(
        summary.violations.is_empty(),
        "the logs are in {:?}",
        options.logs
    );
    ensure!(
        summary.accepted > 0 && summary.takeovers > 0,
        "nothing was tried:\n{summary}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_guarantee_holds_while_everything_fails_that_can() -> Result<()> {
    holds(false, 12).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_three_loses_a_node_and_nothing_else() -> Result<()> {
    holds(true, 6).await
}
