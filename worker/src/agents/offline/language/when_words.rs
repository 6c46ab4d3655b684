//! How days and times of day are named in one language.

use std::collections::HashSet;

use serde::Deserialize;

use super::pattern::Patterns;

/// The words of the parser for preferred times.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhenWords {
    pub(crate) weekdays: Vec<HashSet<String>>,
    pub(crate) months: Vec<HashSet<String>>,
    pub(crate) today: HashSet<String>,
    pub(crate) tomorrow: HashSet<String>,
    pub(crate) day_after_tomorrow: Patterns,
    pub(crate) past: Patterns,
    pub(crate) next: HashSet<String>,
    pub(crate) this: HashSet<String>,
    pub(crate) last: HashSet<String>,
    pub(crate) inside: HashSet<String>,
    pub(crate) days: HashSet<String>,
    pub(crate) weeks: HashSet<String>,
    pub(crate) months_of: HashSet<String>,
    pub(crate) weekend: HashSet<String>,
    pub(crate) parts: HashSet<String>,
    pub(crate) flexible: Patterns,
    pub(crate) numbers: Vec<String>,
    pub(crate) one: HashSet<String>,
    pub(crate) some: HashSet<String>,
    pub(crate) am: HashSet<String>,
    pub(crate) pm: HashSet<String>,
    pub(crate) clock: HashSet<String>,
    pub(crate) half_past: Patterns,
    pub(crate) quarter_past: Patterns,
    pub(crate) quarter_to: Patterns,
    pub(crate) at: HashSet<String>,
    pub(crate) opens: HashSet<String>,
    pub(crate) links: HashSet<String>,
    pub(crate) refused_before: HashSet<String>,
    pub(crate) refused_after: HashSet<String>,
    pub(crate) greets: HashSet<String>,
}

impl WhenWords {
    /// The weekday that `word` names, counted from Monday.
    pub(crate) fn weekday(&self, word: &str) -> Option<u8> {
        position(&self.weekdays, word)
    }

    /// The month that `word` names, from 1.
    pub(crate) fn month(&self, word: &str) -> Option<u8> {
        position(&self.months, word).map(|index| index + 1)
    }

    /// The number that `word` is, in digits or as a word.
    pub(crate) fn number(&self, word: &str) -> Option<u32> {
        if word.len() <= 4 && word.bytes().all(|byte| byte.is_ascii_digit()) {
            return word.parse().ok();
        }
        self.numbers
            .iter()
            .position(|number| number == word)
            .and_then(|index| u32::try_from(index).ok())
    }
}

fn position(names: &[HashSet<String>], word: &str) -> Option<u8> {
    names
        .iter()
        .position(|names| names.contains(word))
        .and_then(|index| u8::try_from(index).ok())
}
