//! Whether PostgreSQL answers, as far as this worker's calls tell.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Since when calls have failed, if they do.
#[derive(Debug, Default)]
pub struct Database {
    away_since: Mutex<Option<Instant>>,
}

impl Database {
    /// A call went well; true where that is news.
    pub fn answered(&self) -> bool {
        self.lock().take().is_some()
    }

    /// A call failed for want of a database; true where that is news.
    pub fn is_away(&self) -> bool {
        let mut since = self.lock();
        let news = since.is_none();
        since.get_or_insert_with(Instant::now);
        news
    }

    /// How long no call has gone well; zero while they do.
    pub fn away_for(&self) -> Duration {
        self.lock().map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
