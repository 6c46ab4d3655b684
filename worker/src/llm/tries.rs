//! When a reply that has begun and failed is asked for again, and of whom.

use std::time::{Duration, Instant};

use super::failure::Failure;

/// How often a reply that broke is asked for again in one turn, of each model.
const MAX_BREAKS: usize = 2;
/// Before it is.
pub(crate) const AFTER_A_BREAK: Duration = Duration::from_millis(250);

/// A reply that began and failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken {
    pub(crate) failure: Failure,
    /// The model's place.
    pub(crate) place: usize,
    /// The visitor has some of it, and no other model can take it back.
    pub(crate) spoke: bool,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The same model is asked to go on, or again.
    Again,
    /// This model has failed: the next one is asked, if there is one.
    Another,
    /// Nothing: what was said is all that can be had.
    Nothing,
}

/// The tries of one turn.
#[derive(Debug)]
pub(crate) struct Tries {
    /// How long a model that says nothing is asked again.
    patience: Duration,
    /// Since when the present model has said nothing.
    since: Instant,
    breaks: usize,
    /// The place of the first model that is asked.
    pub(crate) place: usize,
}

impl Tries {
    /// The tries of a turn that begins at `now`.
    pub(crate) fn new(patience: Duration, now: Instant) -> Self {
        Self {
            patience,
            since: now,
            breaks: 0,
            place: 0,
        }
    }

    /// Something else is asked.
    pub(crate) fn next_round(&mut self, now: Instant) {
        self.since = now;
    }

    /// What is done about a reply that broke at `now`.
    pub(crate) fn after(&mut self, broken: Broken, now: Instant) -> Next {
        let Broken { failure, spoke, .. } = broken;
        if spoke {
            self.since = now;
        }
        let passes = matches!(failure, Failure::Broken | Failure::Silent | Failure::Unreadable)
            || (failure == Failure::Empty && !spoke);
        // As before a first word: the visitor cannot tell a model that thinks from one that does not answer.
        let patient = now.duration_since(self.since) + AFTER_A_BREAK <= self.patience;
        if passes && self.breaks < MAX_BREAKS && (spoke || patient) {
            self.breaks += 1;
            return Next::Again;
        }
        if spoke {
            return Next::Nothing;
        }
        self.place = broken.place + 1;
        self.breaks = 0;
        self.since = now;
        Next::Another
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_gone_on_with_or_asked_for_again_and_then_another_model_is() {
        let (now, patience) = (Instant::now(), Duration::from_secs(8));
        let after = |tries: &mut Tries, failure, spoke, seconds| {
            let broken = Broken {
                failure,
                place: tries.place,
                spoke,
            };
            tries.after(broken, now + Duration::from_secs(seconds))
        };
        for (spoke, last) in [(true, Next::Nothing), (false, Next::Another)] {
            let mut tries = Tries::new(patience, now);
            for expected in [Next::Again, Next::Again, last] {
                assert_eq!(after(&mut tries, Failure::Broken, spoke, 1), expected, "{spoke}");
            }
            assert_eq!(tries.place, usize::from(!spoke));
        }
        let mut tries = Tries::new(patience, now);
        assert_eq!(
            after(&mut tries, Failure::Silent, false, 30),
            Next::Another,
            "patience is over"
        );
        assert_eq!(
            after(&mut tries, Failure::Silent, false, 37),
            Next::Again,
            "and begins anew"
        );
        assert_eq!(after(&mut tries, Failure::Silent, true, 99), Next::Again);
        assert_eq!(after(&mut tries, Failure::TooLong, true, 99), Next::Nothing);
        assert_eq!(after(&mut tries, Failure::TooLong, false, 99), Next::Another);
    }
}
