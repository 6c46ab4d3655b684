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
    let (end, item) = cursor
        .pattern(at)
        .or_else(|| cursor.relative(at))
        .or_else(|| cursor.calendar(at))
        .or_else(|| cursor.clock(at))
        .or_else(|| cursor.word(at).filter(|_| !greeting))?;
    let closing = tokens[end - 1..]
        .windows(2)
        .take_while(|pair| pair[0].gap == Gap::Space && words.closes.contains(&pair[1].word))
        .count();
    Some((end + closing, item))
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
        for span in &words.spans {
            if let Some(end) = span.words.at(self.tokens, at) {
                return Some((end, Item::Day(Day::From(span.days))));
            }
        }
        if let Some(end) = words.next_week.at(self.tokens, at)
            && let Some(day) = self.next(end).and_then(|word| words.weekday(word))
        {
            return Some((end + 1, Item::Day(Day::NextWeek(weekday_of(day)))));
        }
        if let Some(end) = words.past.at(self.tokens, at) {
            return Some((end, Item::Day(Day::Past)));
        }
        for (patterns, minutes, back) in [
            (&words.half_past, 30, 0),
            (&words.half_to, 30, 1),
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
        let vague = words.part_phrases.at(self.tokens, at);
        vague
            .or_else(|| words.flexible.at(self.tokens, at))
            .map(|end| (end, Item::Vague))
    }

    /// "next Tuesday", "this weekend", "last week", "in two weeks".
    fn relative(&self, at: usize) -> Found {
        let (words, here) = (self.words, self.here(at)?);
        if words.inside.contains(here) {
            return self.inside(at);
        }
        if let Some(found) = self.later(at) {
            return Some(found);
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

    /// "iki gün sonra": a number of days, and a word behind them.
    fn later(&self, at: usize) -> Found {
        let words = self.words;
        let here = self.here(at)?;
        let one = words.one.contains(here).then_some(1);
        let number = i64::from(one.or_else(|| words.number(here))?);
        let day = match self.next(at + 1)? {
            unit if words.days.contains(unit) => Day::From(number),
            unit if words.weeks.contains(unit) => Day::From(7 * number),
            unit if words.months_of.contains(unit) => Day::Months(number),
            _ => return None,
        };
        words
            .later
            .contains(self.next(at + 2)?)
            .then_some((at + 3, Item::Day(day)))
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
            .is_some_and(|next| words.of.contains(next) || words.some.contains(next))
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
        let clock = self
            .next(at + 1)
            .is_some_and(|word| self.words.clock.contains(word));
        let time = here.contains('.') && (after_at || half_day || clock);
        if let Some(found) = numeric::date(here).filter(|_| !time) {
            return Some((at + 1, found));
        }
        if let Some(month) = self.words.month(here) {
            let day = self.next(at + 1).and_then(|word| self.day_of_month(word))?;
            return Some(self.with_year(at + 2, day, month));
        }
        let day = self.day_of_month(here)?;
        let of = usize::from(self.next(at + 1).is_some_and(|word| self.words.of.contains(word)));
        if let Some(month) = self.next(at + 1 + of).and_then(|word| self.words.month(word)) {
            return Some(self.with_year(at + 2 + of, day, month));
        }
        (!here.ends_with(|c: char| c.is_ascii_digit())).then_some((at + 1, Item::Day(Day::OfMonth(day))))
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
            let bare = !here.contains([':', '.']);
            let hour = match half_day.or(spoken) {
                Some(pm) => twelve(hour, pm),
                None if bare => self.afternoon(hour, end),
                None => hour,
            };
            let named =
                spoken.is_none() && self.next(end).is_some_and(|word| self.words.clock.contains(word));
            return Some((end + usize::from(named), clock_item(hour, minute)));
        }
        let hour = self.words.number(here).filter(|hour| *hour <= 24)?;
        let (behind, minutes) = self.minutes(at + 1);
        let next = self.next(behind);
        if let Some(pm) = next.and_then(|word| self.half_day(word)) {
            return Some((behind + 1, moved(twelve(hour, pm), minutes)));
        }
        if next.is_some_and(|word| self.words.clock.contains(word)) {
            let hour = self.afternoon(hour, behind + 1);
            let minute = self.next(behind + 1).filter(|word| word.len() == 2);
            let minute = minute.and_then(|word| word.parse().ok());
            let end = behind + 1 + usize::from(minute.is_some());
            return Some((
                end,
                minute.map_or_else(|| moved(hour, minutes), |minute| clock_item(hour, minute)),
            ));
        }
        let announced = at > 0
            && self.tokens[at - 1].gap == Gap::Space
            && self.words.at.contains(&self.tokens[at - 1].word);
        // "between 2 and 4": the second number.
        let second = at > 2
            && self
                .here(at - 1)
                .is_some_and(|word| self.words.between.contains(word))
            && self.here(at - 3).is_some_and(|word| self.words.at.contains(word));
        let said = announced || second || behind > at + 1;
        said.then(|| (behind, moved(self.afternoon(hour, behind), minutes)))
    }

    /// The minutes that are said behind an hour, and where they end.
    fn minutes(&self, at: usize) -> (usize, i32) {
        let joined = self.next(at).is_some();
        let said = self.words.minutes_behind.iter().filter(|_| joined);
        said.filter_map(|minutes| Some((minutes.words.at(self.tokens, at)?, minutes.add)))
            .max_by_key(|(end, _)| *end)
            .unwrap_or((at, 0))
    }

    /// A word that is a time by itself.
    fn word(&self, at: usize) -> Found {
        let (words, here) = (self.words, self.here(at)?);
        let item = match here {
            here if words.tomorrow.contains(here) && words.parts.contains(here) && self.behind_day(at) => {
                Item::Vague
            }
            here if words.today.contains(here) => Item::Day(Day::From(0)),
            here if words.tomorrow.contains(here) => Item::Day(Day::From(1)),
            here if words.weekend.contains(here) || words.parts.contains(here) => Item::Vague,
            here => {
                let day = words.weekday(here)?;
                let joined = self.next(at + 1).is_some();
                if let Some(end) = words.next_week.at(self.tokens, at + 1).filter(|_| joined) {
                    return Some((end, Item::Day(Day::NextWeek(weekday_of(day)))));
                }
                // "Tuesdays" is any of them; the next one is what the clinic can start from.
                Item::Day(Day::Coming(weekday_of(day)))
            }
        };
        Some((at + 1, item))
    }

    /// Whether a day stands before the word at `at`: "Dienstag morgen" is a morning.
    fn behind_day(&self, at: usize) -> bool {
        let words = self.words;
        let before = at
            .checked_sub(1)
            .map(|at| &self.tokens[at])
            .filter(|token| token.gap == Gap::Space);
        before.is_some_and(|token| {
            words.weekday(&token.word).is_some()
                || words.today.contains(&token.word)
                || words.part_before.contains(&token.word)
        })
    }

    /// "12", "12th", "1st": a day of a month.
    fn day_of_month(&self, word: &str) -> Option<u8> {
        let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let (digits, suffix) = word.split_at(end);
        if digits.is_empty()
            || digits.len() > 2
            || !(suffix.is_empty() || self.words.ordinals.contains(suffix))
        {
            return None;
        }
        digits.parse().ok().filter(|day| (1..=31).contains(day))
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

/// An hour and what is added to it.
fn moved(hour: u32, minutes: i32) -> Item {
    let total = i32::try_from(hour * 60).unwrap_or_default() + minutes;
    match u32::try_from(total) {
        Ok(total) => clock_item(total / 60, total % 60),
        Err(_) => Item::Impossible,
    }
}

/// The weekday `days` after Monday.
fn weekday_of(days: u8) -> Weekday {
    Weekday::Monday.nth_next(days)
}
