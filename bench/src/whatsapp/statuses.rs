//! What a provider tells of a message that it has accepted.

use std::time::Duration;

use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It left the provider.
    Sent,
    /// It is on the phone.
    Delivered,
    /// It was read.
    Read,
    /// It will not arrive.
    Failed,
}

impl State {
    /// As both providers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }
}

/// Which statuses are sent, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Statuses {
    /// Which, in this order. A message that fails later gets `failed` instead.
    pub states: Vec<State>,
    /// Before the first one, in milliseconds.
    pub after_ms: u64,
    /// Between two, in milliseconds.
    pub every_ms: u64,
    /// In any order.
    pub shuffled: bool,
    /// How often each is sent.
    pub copies: usize,
    /// The first one is sent, and taken, before the message is answered, as it happens with the real ones. It waits for
    /// a second at most.
    pub before_the_answer: bool,
}

impl Default for Statuses {
    /// None.
    fn default() -> Self {
        Self {
            states: Vec::new(),
            after_ms: 0,
            every_ms: 0,
            shuffled: false,
            copies: 1,
            before_the_answer: false,
        }
    }
}

impl Statuses {
    /// None at all, not even of a failure.
    pub fn none() -> Self {
        Self {
            copies: 0,
            ..Self::default()
        }
    }

    /// `sent` and `delivered`, at once.
    pub fn delivered() -> Self {
        Self {
            states: vec![State::Sent, State::Delivered],
            ..Self::default()
        }
    }

    /// All three, at once.
    pub fn read() -> Self {
        Self {
            states: vec![State::Sent, State::Delivered, State::Read],
            ..Self::default()
        }
    }

    /// The same, three times each, in any order.
    pub fn disordered() -> Self {
        Self {
            shuffled: true,
            copies: 3,
            ..Self::read()
        }
    }

    /// Those of one message, each with the time to wait before it.
    pub(super) fn sequence(&self, fails: bool) -> Vec<(Duration, State)> {
        let states = if fails {
            vec![State::Sent, State::Failed]
        } else {
            self.states.clone()
        };
        let mut all: Vec<_> = states
            .into_iter()
            .flat_map(|state| std::iter::repeat_n(state, self.copies))
            .collect();
        let mut random = rand::rng();
        if self.shuffled {
            all.shuffle(&mut random);
        }
        let first = Duration::from_millis(self.after_ms);
        let step = Duration::from_millis(self.every_ms);
        let mut waits = Vec::with_capacity(all.len());
        for (index, state) in all.into_iter().enumerate() {
            let wait = if index == 0 { first } else { step };
            // Statuses of different messages do not come in step.
            let jitter = wait.mul_f64(random.random_range(0.0..0.2));
            waits.push((wait + jitter, state));
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(statuses: &Statuses, fails: bool) -> Vec<State> {
        let sequence = statuses.sequence(fails);
        sequence.into_iter().map(|(_, state)| state).collect()
    }

    #[test]
    fn statuses_come_as_they_are_ordered() {
        let all = [State::Sent, State::Delivered, State::Read];
        assert_eq!(states(&Statuses::read(), false), all);
        assert_eq!(states(&Statuses::read(), true), [State::Sent, State::Failed]);
        assert_eq!(states(&Statuses::none(), true), []);
        let disordered = states(&Statuses::disordered(), false);
        for state in all {
            assert_eq!(disordered.iter().filter(|other| **other == state).count(), 3);
        }
    }
}
