//! Many who write on WhatsApp at once, webhooks that come twice and in any order, and workers that are killed every two seconds.

use anyhow::{Result, ensure};
use e2e::storm::{Options, run};

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_answered_once_and_nothing_is_sent_twice_while_workers_are_killed() -> Result<()> {
    let summary = run(&Options {
        messages: 1_400,
        customers: 140,
        workers: 3,
        seed: 11,
    })
    .await?;
    eprintln!("{summary}");
    ensure!(summary.violations.is_empty(), "{:#?}", summary.violations);
    ensure!(
        summary.kills > 3 && summary.webhooks > 1_000 && summary.replies > 100,
        "nothing was tried: {summary}"
    );
    Ok(())
}
