//! How many connections are served at once, and which of those beyond are still told so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

/// Connections beyond the limit that are answered at the same time. Each has its answer in a moment, or is closed after
/// [`crate::connection::REFUSAL_DEADLINE`].
pub const RESERVE: usize = 64;

/// How often it is logged that connections are refused.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The places of an api.
#[derive(Debug)]
pub struct Capacity {
    usual: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    warned_at: Option<Instant>,
}

/// The place of one connection, given back when it is dropped.
#[derive(Debug)]
pub enum Place {
    /// It is served.
    Usual(OwnedSemaphorePermit),
    /// It is beyond the limit: told so, but for questions after the api's health.
    Reserve(OwnedSemaphorePermit),
}

impl Capacity {
    /// Places for `most` connections, and the reserve.
    pub fn new(most: usize) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            usual: places(most),
            reserve: places(RESERVE),
            warned_at: None,
        }
    }

    /// A place for one connection; `None` where even the reserve is taken.
    pub fn enter(&mut self) -> Option<Place> {
        if let Ok(permit) = self.usual.clone().try_acquire_owned() {
            return Some(Place::Usual(permit));
        }
        if self.warned_at.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            self.warned_at = Some(Instant::now());
            warn!("there are MAX_CONNECTIONS connections: more are refused");
        }
        self.reserve.clone().try_acquire_owned().ok().map(Place::Reserve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_comes_the_reserve_and_places_come_back() {
        let mut capacity = Capacity::new(2);
        let mut usual: Vec<_> = (0..2).map(|_| capacity.enter().unwrap()).collect();
        let mut reserve: Vec<_> = (0..RESERVE).map(|_| capacity.enter().unwrap()).collect();
        assert!(usual.iter().all(|place| matches!(place, Place::Usual(_))));
        assert!(reserve.iter().all(|place| matches!(place, Place::Reserve(_))));
        assert!(capacity.enter().is_none());
        reserve.pop();
        assert!(matches!(capacity.enter(), Some(Place::Reserve(_))));
        usual.pop();
        assert!(matches!(capacity.enter(), Some(Place::Usual(_))));
    }
}
