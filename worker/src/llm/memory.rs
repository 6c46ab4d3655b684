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

/// What is remembered of a message.
fn line(text: &str) -> String {
    tidy(text, LINE)
}

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
        if !text.trim().is_empty() {
            self.lines.push(line(&text));
        }
        let old = self.lines.len().saturating_sub(LINES);
        self.lines.drain(..old);
    }

    /// What the model is not given as `heard`; nothing where it is given all. By the words and not by number: a voice message
    /// has none in the history, and a message whose reply was stopped has none here.
    pub(crate) fn besides(&self, heard: &[&str]) -> Option<Value> {
        let heard: Vec<String> = heard.iter().map(|text| line(&clean(text))).collect();
        let lines: Vec<&String> = self.lines.iter().filter(|line| !heard.contains(line)).collect();
        (!lines.is_empty()).then(|| serde_json::json!({"messages": lines, "topics": self.topics}))
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}
