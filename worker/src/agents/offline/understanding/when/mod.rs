//! When a visitor wants to talk: the words for it, and the date where it can be understood.

mod items;
mod numeric;
mod resolve;
#[cfg(test)]
mod tests;

use time::{Date, Time, Weekday};

use super::text::{Gap, Text, Token, tidy};
use crate::agents::offline::language::{Lexicon, WhenWords};
use items::Item;
pub(crate) use resolve::{Clock, Problem, resolve};

/// How much of a visitor's words is kept, in characters.
const MAX_WORDS: usize = 60;

/// A time as the visitor named it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct When {
    /// The visitor's words for it.
    pub(crate) words: String,
    /// The days it may be.
    pub(crate) days: Vec<Named>,
    /// The time of day, where one was named.
    pub(crate) clock: Option<Time>,
    /// A part of a day was named: "in the afternoon".
    pub(crate) part: bool,
    /// A day or a time that does not exist, e.g. 31 February.
    pub(crate) impossible: bool,
}

/// A day, and which line of the text names it: several messages are read as one text, and each counts from its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) day: Day,
    pub(crate) line: usize,
}

/// A day as it was named, before it is known which date it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Day {
    /// Days from today.
    From(i64),
    /// Months from today.
    Months(i64),
    /// The next such day after today.
    Coming(Weekday),
    /// The next such day, which may be today.
    This(Weekday),
    /// Such a day in the week after this one.
    NextWeek(Weekday),
    /// A day of the month, in this or the next one.
    OfMonth(u8),
    /// A day without a year: the next one.
    OfYear(u8, u8),
    /// A date.
    On(Date),
    /// Some time ago.
    Past,
}

/// The time that `tokens`, words of `text`, name.
pub(crate) fn find(text: &Text, tokens: &[Token], words: &WhenWords) -> Option<When> {
    let mut when = When::default();
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some((end, item)) = items::at(tokens, at, words) else {
            at += 1;
            continue;
        };
        if refused(tokens, at, end, words) {
            at = end;
            continue;
        }
        let from = opening(tokens, at, words);
        match runs.last_mut() {
            Some(run) if linked(&tokens[run.1 - 1..at], words) => run.1 = end,
            _ => runs.push((from, end)),
        }
        let part = words.parts.contains(&tokens[end - 1].word) || words.part_phrases.at(tokens, at).is_some();
        when.part |= item == Item::Vague && part;
        when.take(item, || text.line(&tokens[at]));
        at = end;
    }
    if runs.is_empty() {
        return None;
    }
    let slices: Vec<&str> = runs
        .iter()
        .map(|&(from, to)| text.slice(&tokens[from..to]))
        .collect();
    when.words = tidy(&slices.join(", "), MAX_WORDS);
    Some(when)
}

impl When {
    /// Whether it may be a manner of speaking, unless a time was asked for: "now", "in May 2020".
    pub(crate) fn is_casual(&self, lexicon: &Lexicon) -> bool {
        let manners = &lexicon.when.casual;
        let casual = |words: &str| {
            manners
                .iter()
                .any(|manner| words == manner || manner.ends_with(' ') && words.starts_with(manner))
        };
        let words = lexicon.form(&self.words.to_lowercase());
        self.days.is_empty() && self.clock.is_none() && words.split(", ").all(casual)
    }

    /// Whether nothing but the past was named.
    pub(crate) fn is_past(&self) -> bool {
        !self.days.is_empty() && self.days.iter().all(|named| named.day == Day::Past)
    }

    /// Whether this moment was named.
    pub(crate) fn is_now(&self, lexicon: &Lexicon) -> bool {
        let words = lexicon.form(&self.words.to_lowercase());
        words.split(' ').any(|word| lexicon.when.now.contains(word))
    }

    fn take(&mut self, item: Item, line: impl FnOnce() -> usize) {
        match item {
            Item::Day(day) => {
                let named = Named { day, line: line() };
                if !self.days.contains(&named) {
                    self.days.push(named);
                }
            }
            Item::Clock(clock) => self.clock = self.clock.or(Some(clock)),
            Item::Impossible => self.impossible = true,
            Item::Vague => {}
        }
    }
}

/// Where the words for the item at `at` begin: with the "after" of "after 5pm".
fn opening(tokens: &[Token], at: usize, words: &WhenWords) -> usize {
    match at.checked_sub(1) {
        Some(before) if tokens[before].gap == Gap::Space && words.opens.contains(&tokens[before].word) => {
            before
        }
        _ => at,
    }
}

/// Whether only linking words stand between two items; `tokens` begins with the last word of the first one.
fn linked(tokens: &[Token], words: &WhenWords) -> bool {
    let sentence_goes_on = tokens.iter().all(|token| !token.gap.ends_sentence());
    sentence_goes_on && tokens[1..].iter().all(|token| words.links.contains(&token.word))
}

/// Whether the visitor says that this time is not wanted.
fn refused(tokens: &[Token], at: usize, end: usize, words: &WhenWords) -> bool {
    let before = tokens[..at]
        .iter()
        .rev()
        .take(3)
        .take_while(|token| token.gap == Gap::Space)
        .any(|token| words.refused_before.contains(&token.word));
    let goes_on = tokens[end - 1].gap == Gap::Space;
    let after = goes_on && words.refused_after.at(tokens, end).is_some();
    before || after
}
