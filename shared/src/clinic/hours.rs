//! Opening hours and the clinic's clock.

use std::collections::BTreeMap;

use time::{OffsetDateTime, Time, UtcOffset, Weekday};

use super::error::{ClinicError, field};

/// The table as it is written: day to "09:00-19:00" or "closed".
pub(super) type Table = BTreeMap<String, String>;

/// The week, from Monday, with the names of the days in `clinic.toml`.
const WEEK: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// When a clinic is open on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayHours {
    /// All day.
    Closed,
    /// From the first time until the second, which is later.
    Open(Time, Time),
}

/// When a clinic is open, for every day of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningHours([DayHours; 7]);

impl OpeningHours {
    /// The hours of a day.
    #[must_use]
    pub fn on(&self, day: Weekday) -> DayHours {
        self.0[usize::from(day.number_days_from_monday())]
    }

    /// Whether the clinic is open at `moment`, which must be in the clinic's offset.
    #[must_use]
    pub fn is_open(&self, moment: OffsetDateTime) -> bool {
        match self.on(moment.weekday()) {
            DayHours::Closed => false,
            DayHours::Open(from, until) => (from..until).contains(&moment.time()),
        }
    }

    /// The week from Monday.
    pub fn week(&self) -> impl Iterator<Item = (Weekday, DayHours)> {
        WEEK.iter().map(|(_, day)| (*day, self.on(*day)))
    }

    pub(super) fn read(path: &str, table: &Table) -> Result<Self, ClinicError> {
        if let Some(unknown) = table.keys().find(|key| WEEK.iter().all(|(name, _)| name != key)) {
            return field(
                &format!("{path}.{unknown}"),
                "no such day; the days are monday to sunday",
            );
        }
        let mut days = [DayHours::Closed; 7];
        for (slot, (name, _)) in days.iter_mut().zip(WEEK) {
            let path = format!("{path}.{name}");
            let Some(text) = table.get(name) else {
                return field(
                    &path,
                    "missing; hours such as \"09:00-19:00\" or \"closed\" are expected",
                );
            };
            *slot = day_hours(&path, text)?;
        }
        Ok(Self(days))
    }
}

/// Reads "09:00-19:00" or "closed".
fn day_hours(path: &str, text: &str) -> Result<DayHours, ClinicError> {
    if text.trim() == "closed" {
        return Ok(DayHours::Closed);
    }
    let times = text
        .split_once('-')
        .and_then(|(from, until)| Some((clock(from)?, clock(until)?)));
    match times {
        Some((from, until)) if from < until => Ok(DayHours::Open(from, until)),
        Some(_) => field(path, "the clinic closes before it opens"),
        None => field(path, "hours such as \"09:00-19:00\" or \"closed\" are expected"),
    }
}

/// Reads "09:00".
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    Time::from_hms(hour.parse().ok()?, minute.parse().ok()?, 0).ok()
}

/// Reads "+03:00".
pub(super) fn utc_offset(path: &str, text: &str) -> Result<UtcOffset, ClinicError> {
    let sign = match text.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return field(path, "an offset such as \"+03:00\" is expected"),
    };
    let parts = text[1..].split_once(':').and_then(|(hours, minutes)| {
        let two = |part: &str| {
            if part.len() == 2 {
                part.parse::<i8>().ok()
            } else {
                None
            }
        };
        Some((two(hours)?, two(minutes)?))
    });
    match parts {
        Some((hours @ 0..=14, minutes @ 0..=59)) => {
            Ok(UtcOffset::from_hms(sign * hours, sign * minutes, 0)
                .expect("both are within an offset's range"))
        }
        _ => field(path, "an offset such as \"+03:00\" is expected"),
    }
}
