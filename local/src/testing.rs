//! Servers for tests: one throw-away pair for each test process, a database and a subject prefix for each test.

use anyhow::Result;
use tokio::sync::OnceCell;

use crate::{Options, Services};

static SHARED: OnceCell<Services> = OnceCell::const_new();

/// The pair that all tests of this process share, started by the first call. It ends with the process, and
/// its folder is removed then, also after a `kill -9`. Whoever stops a server takes a pair of their own:
/// `Services::start(Options::throwaway())`.
///
/// # Errors
/// As [`Services::start`].
pub async fn services() -> Result<&'static Services> {
    SHARED
        .get_or_try_init(|| Services::start(Options::throwaway()))
        .await
}

/// A new, empty database on the shared server: its URL.
///
/// # Errors
/// As [`services`].
pub async fn database() -> Result<String> {
    services()
        .await?
        .create_database(&format!("test_{:016x}", rand::random::<u64>()))
        .await
}

/// A new subject prefix (`SUBJECT_PREFIX`), so that tests share a NATS server and no stream.
pub fn prefix() -> String {
    format!("test{:016x}", rand::random::<u64>())
}
