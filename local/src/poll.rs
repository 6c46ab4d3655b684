//! Waiting for what happens in other processes: ask again and again, with a deadline.

use std::time::{Duration, Instant};

/// Between two looks.
pub(crate) const EVERY: Duration = Duration::from_millis(20);

/// How long a server may take to stop before it is killed: PostgreSQL writes a checkpoint first.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// How long a server may take until it answers: after a crash PostgreSQL recovers first.
pub(crate) const START_DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `done` holds; `false` if that did not happen in time.
pub(crate) async fn until(deadline: Duration, mut done: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > deadline {
            return false;
        }
        tokio::time::sleep(EVERY).await;
    }
    true
}
