//! What a turn has cost, and where its model has failed: read from what the worker logs of it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The cost of some turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Questions to the model.
    pub requests: u64,
    /// Tokens that it read, as far as its server counts.
    pub prompt_tokens: u64,
    /// Tokens that it wrote, as far as its server counts.
    pub completion_tokens: u64,
    /// The codes of its failures.
    pub failures: Vec<String>,
}

impl Cost {
    /// Adds another one to it.
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.failures.extend(other.failures);
    }
}

/// Listens to the logs of a turn that is run under it.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Cost>>);

impl Meter {
    /// What it has heard.
    #[must_use]
    pub fn read(&self) -> Cost {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Subscriber for Meter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= Level::INFO
            && metadata.target().starts_with("worker::llm")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut cost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        event.record(&mut Fields(&mut cost));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields<'c>(&'c mut Cost);

impl Visit for Fields<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "requests" => self.0.requests += value,
            "prompt_tokens" => self.0.prompt_tokens += value,
            "completion_tokens" => self.0.completion_tokens += value,
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "code" {
            self.0.failures.push(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
