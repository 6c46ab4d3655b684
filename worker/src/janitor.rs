//! Clearing sessions that have expired.

use std::time::Duration;

use shared::db;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Clears every `interval` until `cancel`.
pub async fn run(db: PgPool, interval: Duration, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        match db::session::clean_up(&db).await {
            Ok(0) => {}
            Ok(count) => info!("Cleaned up {count} expired sessions"),
            Err(error) => warn!(code = db::code(&error), "expired sessions could not be cleared"),
        }
    }
}
