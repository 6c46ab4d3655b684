//! What the black-box tests stand on: real processes, real servers, and a client that behaves like a browser.
//!
//! - [`deployment`]: a database and a prefix of its own, with as many api and worker processes as a test wants
//! - [`process`]: one of those, to be stopped, killed and read; [`programs`]: where commands find them
//! - [`client`] and [`sse`]: a visitor; [`raw`]: one that behaves badly
//! - [`phone`]: a deployment that is on WhatsApp; [`storm`]: many who write there while workers die
//! - [`chaos`]: faults against a whole deployment, and the checker of what must hold all the same
//! - [`dialogues`]: conversations as data, played through the agents without any of that
//! - [`store`]: what was stored and journalled, to be checked against what visitors saw

pub mod chaos;
pub mod client;
pub mod deployment;
pub mod dialogues;
pub mod phone;
pub mod process;
pub mod programs;
pub mod raw;
pub mod sse;
pub mod store;
pub mod storm;

pub use client::Visitor;
pub use deployment::Deployment;
pub use process::Process;
pub use programs::Programs;

use std::time::Duration;

/// After this a test that waits has failed. Generous: machines are slow and shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives a value, looking again every few milliseconds.
///
/// # Panics
/// It did not within [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
