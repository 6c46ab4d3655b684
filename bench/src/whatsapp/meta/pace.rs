//! How many messages a number may send to one customer: Meta's pair rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The limit.
#[derive(Clone, Copy, Debug)]
pub struct PairRate {
    /// One message in so long, on the average,
    pub every: Duration,
    /// and so many at once.
    pub burst: u32,
}

impl Default for PairRate {
    /// As in Meta's documents: one in six seconds, 45 at once.
    fn default() -> Self {
        Self {
            every: Duration::from_secs(6),
            burst: 45,
        }
    }
}

/// When each customer's limit will be whole again.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<(Option<PairRate>, HashMap<String, Instant>)>);

impl Pace {
    pub fn set(&self, rate: Option<PairRate>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (rate, HashMap::new());
    }

    /// Whether a message may be sent now; one that may not does not count.
    pub fn allows(&self, to: &str, now: Instant) -> bool {
        let mut pace = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(rate), whole) = &mut *pace else {
            return true;
        };
        // Who is not there has a whole limit.
        whole.retain(|_, at| *at > now);
        let at = whole.get(to).copied().unwrap_or(now);
        let next = at + rate.every;
        if next > now + rate.every * rate.burst.max(1) {
            return false;
        }
        whole.insert(to.to_owned(), next);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_one_message_in_six_seconds() {
        let pace = Pace::default();
        let start = Instant::now();
        assert!((0..100).all(|_| pace.allows("1", start)));
        pace.set(Some(PairRate {
            burst: 3,
            ..PairRate::default()
        }));
        let allowed = |to: &str, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            (0..10).filter(|_| pace.allows(to, now)).count()
        };
        assert_eq!([allowed("1", 0), allowed("2", 0), allowed("1", 5)], [3, 3, 0]);
        assert_eq!([allowed("1", 6), allowed("1", 18), allowed("1", 600)], [1, 2, 3]);
    }
}
