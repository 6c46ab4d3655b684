//! What a turn has cost, for the log.

use std::time::{Duration, Instant};

use tracing::info;

use super::assembly::Usage;

/// What a turn has cost so far.
#[derive(Debug)]
pub(crate) struct Cost {
    began: Instant,
    usage: Usage,
    /// Questions to models, without those that were repeated before a first word.
    pub(crate) requests: u32,
    /// Some server did not count.
    uncounted: bool,
    /// The model that was heard last.
    pub(crate) model: String,
    first_token: Option<Duration>,
}

impl Cost {
    /// Nothing yet.
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            usage: Usage::default(),
            requests: 0,
            uncounted: false,
            model: String::new(),
            first_token: None,
        }
    }

    /// A model begins to speak.
    pub(crate) fn speaks(&mut self) {
        self.first_token.get_or_insert(self.began.elapsed());
    }

    /// A reply is whole.
    pub(crate) fn add(&mut self, usage: Option<Usage>) {
        match usage {
            Some(usage) => {
                self.usage.prompt += usage.prompt;
                self.usage.completion += usage.completion;
            }
            None => self.uncounted = true,
        }
    }

    /// Writes it down.
    pub(crate) fn log(&self) {
        info!(
            model = self.model,
            prompt_tokens = self.usage.prompt,
            completion_tokens = self.usage.completion,
            all_counted = !self.uncounted,
            requests = self.requests,
            first_token_ms = self.first_token.map(|first| first.as_millis()),
            total_ms = self.began.elapsed().as_millis(),
            "model used"
        );
    }
}
