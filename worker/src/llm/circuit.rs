//! Leaving a model alone that is down, so that not every visitor waits for it in vain.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many turns in a row have to find it down: one may have been at fault itself.
const FAILURES: u32 = 3;

/// What all turns of this process know of one model.
#[derive(Debug)]
pub(crate) struct Circuit {
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// It is down, and nobody asks before this.
    until: Option<Instant>,
}

impl Circuit {
    /// For a model that rests for so long; zero: it never does.
    pub(crate) fn new(rest: Duration) -> Self {
        Self {
            rest,
            state: Mutex::default(),
        }
    }

    /// Whether a turn may ask at `now`. Of a model that is down this is true once in each rest: for the one that finds out whether
    /// it is back. Who is dropped meanwhile leaves nothing behind.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.until {
            Some(until) if now < until => false,
            Some(_) => {
                state.until = Some(now + self.rest);
                true
            }
            None => true,
        }
    }

    /// Whether the model is taken to be down.
    pub(crate) fn is_open(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.until.is_some()
    }

    /// Notes what came of a turn's asking, at `now`.
    pub(crate) fn note(&self, down: bool, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !down {
            *state = State::default();
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES && !self.rest.is_zero() {
            state.until = Some(now + self.rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(15);

    #[test]
    fn a_model_that_is_down_is_tried_once_in_each_rest_until_it_is_back() {
        let (circuit, start) = (Circuit::new(REST), Instant::now());
        for _ in 0..FAILURES {
            assert!(circuit.admits(start));
            circuit.note(true, start);
        }
        assert!(!circuit.admits(start) && circuit.is_open());
        let later = start + REST;
        assert!(circuit.admits(later), "one finds out");
        assert!(!circuit.admits(later), "and the others do not wait for it");
        assert!(circuit.admits(later + REST), "whatever became of that one");
        circuit.note(true, later + REST);
        assert!(!circuit.admits(later + REST));
        circuit.note(false, later + REST);
        assert!(circuit.admits(later + REST) && !circuit.is_open());
    }

    #[test]
    fn failures_with_a_success_between_them_say_nothing() {
        let (circuit, now) = (Circuit::new(REST), Instant::now());
        for down in [true, true, false, true, true] {
            circuit.note(down, now);
        }
        assert!(circuit.admits(now));
        let never = Circuit::new(Duration::ZERO);
        (0..9).for_each(|_| never.note(true, now));
        assert!(never.admits(now));
    }
}
