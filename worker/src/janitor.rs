//! Clearing sessions that have expired.

use std::time::Duration;

use shared::db;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Clears once, and returns how many.
///
/// # Errors
/// As PostgreSQL says.
pub async fn clean_up(db: &PgPool) -> sqlx::Result<u64> {
    let count = db::session::clean_up(db).await?;
    info!("Cleaned up {count} expired sessions");
    Ok(count)
}

/// Clears every `interval` until `cancel`.
pub async fn run(db: PgPool, interval: Duration, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        if let Err(error) = clean_up(&db).await {
            warn!(code = db::code(&error), "expired sessions could not be cleared");
        }
    }
}
