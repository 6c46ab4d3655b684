//! What the fake server was asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

/// One request.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// Its path.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// Its JSON, or what is known of another body.
    pub body: Value,
    /// When the first piece of text was written.
    #[serde(skip)]
    pub first_token: Option<Instant>,
    /// Whether the client left before the end.
    pub abandoned: bool,
}

/// All requests, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Records(Arc<Mutex<Vec<Recorded>>>);

impl Records {
    /// Adds one and returns its number.
    pub(super) fn add(&self, recorded: Recorded) -> usize {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(recorded);
        all.len() - 1
    }

    /// Changes one.
    pub(super) fn change(&self, number: usize, change: impl FnOnce(&mut Recorded)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recorded) = all.get_mut(number) {
            change(recorded);
        }
    }

    /// What has come so far.
    pub fn all(&self) -> Vec<Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
