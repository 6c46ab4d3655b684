//! How many messages of a session wait for their reply, as far as this api knows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use shared::ids::SessionKey;

/// Counts by session, up to a limit each.
#[derive(Clone, Debug)]
pub struct InFlight {
    most: usize,
    counts: Arc<Mutex<HashMap<SessionKey, usize>>>,
}

impl InFlight {
    /// Counts up to `most` for each session.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            counts: Arc::default(),
        }
    }

    /// A place for one message; `None` where all are taken.
    pub fn enter(&self, session: SessionKey) -> Option<Permit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(session).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Permit {
            session,
            counts: self.counts.clone(),
        })
    }
}

/// The place of one message, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    session: SessionKey,
    counts: Arc<Mutex<HashMap<SessionKey, usize>>>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::ids::Channel;

    use super::*;

    #[test]
    fn a_session_has_so_many_places_and_gets_them_back() {
        let in_flight = InFlight::new(2);
        let session = |device| SessionKey::derive(Channel::Web, device, None);
        let held = in_flight.enter(session("a"));
        let _also = in_flight.enter(session("a")).unwrap();
        assert!(in_flight.enter(session("a")).is_none());
        assert!(in_flight.enter(session("b")).is_some(), "another's places");
        drop(held);
        assert!(in_flight.enter(session("a")).is_some());
        drop(_also);
        assert!(
            in_flight.counts.lock().unwrap().is_empty(),
            "nothing stays behind"
        );
    }
}
