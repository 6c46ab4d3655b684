//! What the fake server was asked.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

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
pub struct Records(Arc<watch::Sender<Vec<Recorded>>>);

impl Records {
    /// Adds one and returns its number.
    pub(super) fn add(&self, recorded: Recorded) -> usize {
        let mut number = 0;
        self.0.send_modify(|all| {
            number = all.len();
            all.push(recorded);
        });
        number
    }

    /// Changes one.
    pub(super) fn change(&self, number: usize, change: impl FnOnce(&mut Recorded)) {
        self.0.send_modify(|all| {
            if let Some(recorded) = all.get_mut(number) {
                change(recorded);
            }
        });
    }

    /// What has come so far.
    pub fn all(&self) -> Vec<Recorded> {
        self.0.borrow().clone()
    }

    /// Waits until it is as `wanted`.
    pub async fn until(&self, wanted: impl FnMut(&Vec<Recorded>) -> bool) {
        // The sender lives as long as this value: there is no error.
        let _ = self.0.subscribe().wait_for(wanted).await;
    }
}
