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
    /// From zero, each with its forms.
    pub(crate) numbers: Vec<HashSet<String>>,
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
    pub(crate) refused_after: Patterns,
    pub(crate) greets: HashSet<String>,
    /// Parts of a day in several words: "öğleden sonra".
    pub(crate) part_phrases: Patterns,
    /// Before a word that may be "tomorrow" or "morning" they make it the latter, as a weekday does.
    pub(crate) part_before: HashSet<String>,
    /// "Next week", before or behind a weekday.
    pub(crate) next_week: Patterns,
    /// Distances in words of their own: "أسبوعين" is two weeks.
    pub(crate) spans: Vec<Span>,
    /// Behind a number of days they make it a distance: "iki gün sonra".
    pub(crate) later: HashSet<String>,
    /// "Half to": "halb vier" is half past three.
    pub(crate) half_to: Patterns,
    /// Minutes that are said behind the hour: "3 buçuk".
    pub(crate) minutes_behind: Vec<Minutes>,
    /// Between two hours: "2 and 4".
    pub(crate) between: HashSet<String>,
    /// "The 12th of May", "a couple of days".
    pub(crate) of: HashSet<String>,
    /// These belong to the time that they follow: "saat 5'ten sonra".
    pub(crate) closes: HashSet<String>,
    /// This moment.
    pub(crate) now: HashSet<String>,
    /// Manners of speaking, unless a time was asked for; one that ends in a space is the beginning of such.
    pub(crate) casual: Vec<String>,
    /// What a number has behind it as a day of a month: "12th".
    pub(crate) ordinals: HashSet<String>,
    /// Whether a dot behind a number makes it a day of a month.
    pub(crate) ordinal_dot: bool,
    /// Before a number they announce a day of a month.
    pub(crate) day_before: HashSet<String>,
}

/// A distance from today.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Span {
    pub(crate) words: Patterns,
    /// In days.
    pub(crate) days: i64,
}

/// What is added to an hour.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Minutes {
    pub(crate) words: Patterns,
    /// In minutes; below zero before the hour.
    pub(crate) add: i32,
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
        position(&self.numbers, word).map(u32::from)
    }
}

fn position(names: &[HashSet<String>], word: &str) -> Option<u8> {
    names
        .iter()
        .position(|names| names.contains(word))
        .and_then(|index| u8::try_from(index).ok())
}
