//! The parts of a preferred time: a day, a time of day, or something vague such as "in the morning".

use time::{Time, Weekday};

use super::Day;
use super::numeric;
use crate::agents::offline::language::WhenWords;
use crate::agents::offline::understanding::text::{Gap, Token};

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A day.
    Day(Day),
    /// A time of day.
    Clock(Time),
    /// Understood as a time, but not which.
    Vague,
    /// A date that does not exist.
    Impossible,
}

type Found = Option<(usize, Item)>;

/// The item that begins at the token `at`, and where it ends.
pub(super) fn at(tokens: &[Token], at: usize, words: &WhenWords) -> Found {
    let cursor = Cursor { tokens, words };
    let greeting = at > 0 && words.greets.contains(&tokens[at - 1].word);
    cursor
        .pattern(at)
        .or_else(|| cursor.relative(at))
        .or_else(|| cursor.calendar(at))
        .or_else(|| cursor.clock(at))
        .or_else(|| cursor.word(at).filter(|_| !greeting))
}

struct Cursor<'a> {
    tokens: &'a [Token],
    words: &'a WhenWords,
}

impl Cursor<'_> {
    /// The word at `at`, where it belongs to the same sentence as the one before it.
    fn next(&self, at: usize) -> Option<&str> {
        let goes_on = at == 0 || !self.tokens.get(at - 1)?.gap.ends_sentence();
        self.tokens
            .get(at)
            .filter(|_| goes_on)
            .map(|token| token.word.as_str())
    }

    fn here(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).map(|token| token.word.as_str())
    }

    fn pattern(&self, at: usize) -> Found {
        let words = self.words;
        if let Some(end) = words.day_after_tomorrow.at(self.tokens, at) {
            return Some((end, Item::Day(Day::From(2))));
        }
        if let Some(end) = words.past.at(self.tokens, at) {
            return Some((end, Item::Day(Day::Past)));
        }
        for (patterns, minutes, back) in [
            (&words.half_past, 30, 0),
            (&words.quarter_past, 15, 0),
            (&words.quarter_to, 45, 1),
        ] {
            if let Some(end) = patterns.at(self.tokens, at) {
                let hour = words.number(self.next(end)?)?;
                return Some((
                    end + 1,
                    clock_item(self.afternoon(hour, end + 1).checked_sub(back)?, minutes),
                ));
            }
        }
        words.flexible.at(self.tokens, at).map(|end| (end, Item::Vague))
    }

    /// "next Tuesday", "this weekend", "last week", "in two weeks".
    fn relative(&self, at: usize) -> Found {
        let (words, here) = (self.words, self.here(at)?);
        if words.inside.contains(here) {
            return self.inside(at);
        }
        let (next, last) = (words.next.contains(here), words.last.contains(here));
        if !next && !last && !words.this.contains(here) {
            return None;
        }
        let mut thing = at + 1;
        if self
            .next(thing)
            .is_some_and(|word| words.next.contains(word) || words.this.contains(word))
        {
            thing += 1;
        }
        let named = self.next(thing)?;
        let weekday = words.weekday(named);
        let unit =
            words.weeks.contains(named) || words.months_of.contains(named) || words.weekend.contains(named);
        let item = match weekday {
            _ if last && (weekday.is_some() || unit || words.month(named).is_some()) => Item::Day(Day::Past),
            Some(day) if next => Item::Day(Day::NextWeek(weekday_of(day))),
            Some(day) => Item::Day(Day::This(weekday_of(day))),
            None if unit || words.parts.contains(named) || words.month(named).is_some() => Item::Vague,
            None => return None,
        };
        Some((thing + 1, item))
    }

    /// "in two weeks", "within a month"; "in the morning" is not meant here.
    fn inside(&self, at: usize) -> Found {
        let words = self.words;
        let word = self.next(at + 1)?;
        let mut unit = at + 2;
        let number = if words.one.contains(word) {
            Some(1)
        } else {
            words.number(word)
        };
        let vague = self
            .next(unit)
            .filter(|next| words.some.contains(*next))
            .is_some()
            || words.some.contains(word);
        while self
            .next(unit)
            .is_some_and(|next| next == "of" || words.some.contains(next))
        {
            unit += 1;
        }
        let named = self.next(unit)?;
        let number = i64::from(number.unwrap_or(1));
        let day = match named {
            named if words.days.contains(named) => Day::From(number),
            named if words.weeks.contains(named) => Day::From(7 * number),
            named if words.months_of.contains(named) => Day::Months(number),
            _ => {
                return words
                    .month(word)
                    .map(|_| (at + 2, Item::Vague))
                    .filter(|(end, _)| *end <= self.tokens.len());
            }
        };
        if number == 1 && !vague && !words.one.contains(word) && words.number(word) != Some(1) {
            return None;
        }
        Some((unit + 1, if vague { Item::Vague } else { Item::Day(day) }))
    }

    /// "12 May 2027", "May 12th", "the 12th", "12/05".
    fn calendar(&self, at: usize) -> Found {
        let here = self.here(at)?;
        let after_at = at > 0 && self.words.at.contains(&self.tokens[at - 1].word);
        let half_day = self
            .next(at + 1)
            .is_some_and(|word| self.half_day(word).is_some());
        // "at 12.05" and "12.05 pm" are times.
        let time = here.contains('.') && (after_at || half_day);
        if let Some(found) = numeric::date(here).filter(|_| !time) {
            return Some((at + 1, found));
        }
        if let Some(month) = self.words.month(here) {
            let day = self.next(at + 1).and_then(day_of_month)?;
            return Some(self.with_year(at + 2, day, month));
        }
        let day = day_of_month(here)?;
        let of = usize::from(self.next(at + 1) == Some("of"));
        if let Some(month) = self.next(at + 1 + of).and_then(|word| self.words.month(word)) {
            return Some(self.with_year(at + 2 + of, day, month));
        }
        here.ends_with(char::is_alphabetic)
            .then_some((at + 1, Item::Day(Day::OfMonth(day))))
    }

    fn with_year(&self, at: usize, day: u8, month: u8) -> (usize, Item) {
        let year = self
            .next(at)
            .filter(|word| word.len() == 4)
            .and_then(|word| word.parse::<i32>().ok());
        match year.filter(|year| (1900..=2999).contains(year)) {
            Some(year) => (at + 1, numeric::on(year, month, day)),
            None => (at, numeric::of_year(day, month)),
        }
    }

    /// "3pm", "3 pm", "14:30", "3 o'clock", "at 3".
    fn clock(&self, at: usize) -> Found {
        let here = self.here(at)?;
        if let Some((hour, minute, half_day)) = numeric::clock(here, self.words) {
            let spoken = self
                .next(at + 1)
                .and_then(|word| self.half_day(word))
                .filter(|_| half_day.is_none());
            let end = at + 1 + usize::from(spoken.is_some());
            return Some((
                end,
                half_day.or(spoken).map_or_else(
                    || clock_item(hour, minute),
                    |pm| clock_item(twelve(hour, pm), minute),
                ),
            ));
        }
        let hour = self.words.number(here).filter(|hour| *hour <= 24)?;
        let next = self.next(at + 1);
        if let Some(pm) = next.and_then(|word| self.half_day(word)) {
            return Some((at + 2, clock_item(twelve(hour, pm), 0)));
        }
        if next.is_some_and(|word| self.words.clock.contains(word)) {
            return Some((at + 2, clock_item(self.afternoon(hour, at + 2), 0)));
        }
        let announced = at > 0
            && self.tokens[at - 1].gap == Gap::Space
            && self.words.at.contains(&self.tokens[at - 1].word);
        // "between 2 and 4": the second number.
        let second = at > 2
            && matches!(self.here(at - 1), Some("and" | "to" | "or"))
            && self.here(at - 3).is_some_and(|word| self.words.at.contains(word));
        (announced || second).then(|| (at + 1, clock_item(self.afternoon(hour, at + 1), 0)))
    }

    /// A word that is a time by itself.
    fn word(&self, at: usize) -> Found {
        let (words, here) = (self.words, self.here(at)?);
        let item = match here {
            here if words.today.contains(here) => Item::Day(Day::From(0)),
            here if words.tomorrow.contains(here) => Item::Day(Day::From(1)),
            here if words.weekend.contains(here) || words.parts.contains(here) => Item::Vague,
            here => {
                let day = words.weekday(here)?;
                // "Tuesdays" is any of them; the next one is what the clinic can start from.
                Item::Day(Day::Coming(weekday_of(day)))
            }
        };
        Some((at + 1, item))
    }

    /// Whether `word` is "pm" (true) or "am" (false).
    fn half_day(&self, word: &str) -> Option<bool> {
        match word {
            word if self.words.pm.contains(word) => Some(true),
            word if self.words.am.contains(word) => Some(false),
            _ => None,
        }
    }

    /// A bare hour as one means it by day: "at 3" is the afternoon.
    fn afternoon(&self, hour: u32, behind: usize) -> u32 {
        let pm = self.next(behind).and_then(|word| self.half_day(word));
        match pm {
            Some(pm) => twelve(hour, pm),
            None if (1..=7).contains(&hour) => hour + 12,
            None => hour,
        }
    }
}

fn twelve(hour: u32, pm: bool) -> u32 {
    match (hour, pm) {
        (12, true) => 12,
        (12, false) => 0,
        (1..=11, true) => hour + 12,
        _ => hour,
    }
}

fn clock_item(hour: u32, minute: u32) -> Item {
    let time = u8::try_from(hour)
        .ok()
        .zip(u8::try_from(minute).ok())
        .and_then(|(hour, minute)| Time::from_hms(hour, minute, 0).ok());
    time.map_or(Item::Impossible, Item::Clock)
}

/// "12", "12th", "1st": a day of a month.
fn day_of_month(word: &str) -> Option<u8> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &word[digits.len()..];
    if digits.is_empty() || digits.len() > 2 || !matches!(suffix, "" | "st" | "nd" | "rd" | "th") {
        return None;
    }
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

/// The weekday `days` after Monday.
fn weekday_of(days: u8) -> Weekday {
    Weekday::Monday.nth_next(days)
}
