//! What a session remembers of messages that are too old to be given to the model: a line each, under `model` in its state.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::clinic::Clinic;

use crate::agents::offline::joint::{clean, tidy};

/// The field of the state.
const FIELD: &str = "model";
/// How many messages are remembered, and how many characters of each.
const LINES: usize = 40;
const LINE: usize = 100;

/// The running summary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    /// The beginning of each message of the visitor, oldest first.
    lines: Vec<String>,
    /// The treatments that came up.
    topics: Vec<String>,
}

impl Memory {
    /// Reads it from a session's state.
    pub(crate) fn read(state: &Value) -> Self {
        serde_json::from_value(state[FIELD].clone()).unwrap_or_default()
    }

    /// Puts it into a session's state.
    pub(crate) fn write(&self, state: &mut Value) {
        if let (Some(state), Ok(memory)) = (state.as_object_mut(), serde_json::to_value(self)) {
            state.insert(FIELD.to_owned(), memory);
        }
    }

    /// Takes a message in.
    pub(crate) fn hear(&mut self, text: &str, clinic: &Clinic) {
        let text = clean(text);
        let lower = text.to_lowercase();
        for treatment in &clinic.treatments {
            let named = lower.contains(&treatment.name.to_lowercase());
            if named && !self.topics.contains(&treatment.name) {
                self.topics.push(treatment.name.clone());
            }
        }
        self.lines.push(tidy(&text, LINE));
        let old = self.lines.len().saturating_sub(LINES);
        self.lines.drain(..old);
    }

    /// What came before the last `recent` messages, this turn's not counted; nothing where there is none.
    pub(crate) fn before(&self, recent: usize) -> Option<Value> {
        let end = self.lines.len().saturating_sub(recent);
        (end > 0).then(|| serde_json::json!({"messages": self.lines[..end], "topics": self.topics}))
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}
