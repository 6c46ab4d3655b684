//! Dates and times in digits: "12/05", "12.05.2027", "2027-05-12", "14:30", "3pm".

use time::{Date, Month};

use super::Day;
use super::items::Item;
use crate::agents::offline::language::WhenWords;

/// The date that a word is. Day first; the month comes first only where there is no such month otherwise.
pub(super) fn date(word: &str) -> Option<Item> {
    // "2027-05-12T14:30"
    let word = word.split_once('t').map_or(word, |(date, _)| date);
    let separator = word.chars().find(|c| "/.-".contains(*c))?;
    let parts: Vec<u32> = word
        .split(separator)
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let lengths: Vec<usize> = word.split(separator).map(str::len).collect();
    match (parts.as_slice(), lengths.as_slice()) {
        ([year, month, day], [4, 1..=2, 1..=2]) => {
            Some(on(i32::try_from(*year).ok()?, small(*month), small(*day)))
        }
        ([day, month, year], [1..=2, 1..=2, 2 | 4]) => {
            let year = if *year < 100 { 2000 + *year } else { *year };
            let (day, month) = day_first(*day, *month);
            Some(on(i32::try_from(year).ok()?, month, day))
        }
        ([day, month], [1..=2, 1..=2]) if separator != '-' => {
            let (day, month) = day_first(*day, *month);
            Some(of_year(day, month))
        }
        _ => None,
    }
}

/// Hour, minute, and whether "pm" or "am" is part of the word.
pub(super) fn clock(word: &str, words: &WhenWords) -> Option<(u32, u32, Option<bool>)> {
    let digits = word.trim_end_matches(|c: char| c.is_alphabetic() || c == '\'');
    let suffix = &word[digits.len()..];
    let pm = match suffix {
        suffix if words.pm.contains(suffix) => Some(true),
        suffix if words.am.contains(suffix) => Some(false),
        "" => None,
        suffix if words.clock.contains(suffix) => None,
        _ => return None,
    };
    match digits.split_once([':', '.']) {
        Some((hour, minute)) if minute.len() == 2 && hour.len() <= 2 => {
            Some((hour.parse().ok()?, minute.parse().ok()?, pm))
        }
        None if !suffix.is_empty() && digits.len() <= 2 => Some((digits.parse().ok()?, 0, pm)),
        _ => None,
    }
}

/// A date, if there is one.
pub(super) fn on(year: i32, month: u8, day: u8) -> Item {
    Month::try_from(month)
        .and_then(|month| Date::from_calendar_date(year, month, day))
        .map_or(Item::Impossible, |date| Item::Day(Day::On(date)))
}

/// A day without a year, if any year has it.
pub(super) fn of_year(day: u8, month: u8) -> Item {
    match on(2028, month, day) {
        Item::Impossible => Item::Impossible,
        _ => Item::Day(Day::OfYear(day, month)),
    }
}

fn day_first(first: u32, second: u32) -> (u8, u8) {
    if second > 12 && first <= 12 {
        (small(second), small(first))
    } else {
        (small(first), small(second))
    }
}

fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
