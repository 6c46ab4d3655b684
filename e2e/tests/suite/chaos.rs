//! Every guarantee under every fault that we can make, for a minute; `make chaos` does it for as long as asked.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::chaos::run::{Options, run};
use e2e::process::programs;

/// The schedule, always the same, so that a failure is the code's and not the dice's.
const SEED: u64 = 51;

/// Enough for each kind of fault to come twice.
const LENGTH: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn every_guarantee_holds_while_everything_fails_that_can() -> Result<()> {
    let options = Options {
        programs: programs().await?.to_owned(),
        seed: SEED,
        length: LENGTH,
        sessions: 12,
        cluster: false,
        faults: true,
        only: Vec::new(),
        verbose: true,
        logs: Some(std::env::temp_dir().join(format!("frontdesk-chaos-failed-{}", uuid::Uuid::now_v7()))),
        keep_logs: false,
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
