//! From a named time to dates: by the clinic's clock, in the future, on days when the clinic is open.

use shared::clinic::{DayHours, OpeningHours};
use time::{Date, Duration, Month, OffsetDateTime, Time, Weekday};

use super::{Day, Named, When};

/// What a time is read with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock<'a> {
    /// The present, in the clinic's offset.
    pub(crate) now: OffsetDateTime,
    /// When each line was written, in the clinic's offset: what "tomorrow" is the day after of.
    pub(crate) written: &'a [OffsetDateTime],
    /// When the clinic is open.
    pub(crate) hours: &'a OpeningHours,
}

impl Clock<'_> {
    /// The date that was named, if it is a certain one.
    pub(crate) fn date_of(&self, named: Named) -> Option<Date> {
        let written = self.written.get(named.line).or(self.written.last());
        date_of(named.day, written.unwrap_or(&self.now).date())
    }
}

/// Why a time cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It has passed; the date, where one was named.
    Past(Option<Date>),
    /// The clinic is closed on that day.
    Closed(Date),
    /// The clinic is closed at that hour of that day; its hours there.
    Outside(Date, Time, Time),
    /// There is no such date or time.
    Impossible,
}

/// The dates that `when` may mean, in the visitor's order; empty where it names none, such as "any time".
///
/// # Errors
/// Why none of them can be taken.
pub(crate) fn resolve(when: &When, clock: Clock<'_>) -> Result<Vec<Date>, Problem> {
    if when.impossible {
        return Err(Problem::Impossible);
    }
    let mut problem = None;
    let mut dates = Vec::new();
    for named in &when.days {
        match check(*named, when.clock, clock) {
            Ok(date) if !dates.contains(&date) => dates.push(date),
            Ok(_) => {}
            Err(reason) => problem = problem.or(Some(reason)),
        }
    }
    match problem {
        Some(problem) if dates.is_empty() => Err(problem),
        _ => Ok(dates),
    }
}

fn check(named: Named, time: Option<Time>, clock: Clock<'_>) -> Result<Date, Problem> {
    let today = clock.now.date();
    let date = clock.date_of(named).ok_or(Problem::Past(None))?;
    if date < today {
        return Err(Problem::Past(Some(date)));
    }
    match clock.hours.on(date.weekday()) {
        DayHours::Closed => Err(Problem::Closed(date)),
        DayHours::Open(_, until) if date == today && clock.now.time() >= until => {
            Err(Problem::Past(Some(date)))
        }
        DayHours::Open(from, until) => match time {
            Some(time) if time < from || time >= until => Err(Problem::Outside(date, from, until)),
            Some(time) if date == today && time < clock.now.time() => Err(Problem::Past(Some(date))),
            _ => Ok(date),
        },
    }
}

/// The date that a day is, seen from today; `None` for "some time ago".
fn date_of(day: Day, today: Date) -> Option<Date> {
    match day {
        Day::From(days) => today.checked_add(Duration::days(days)),
        Day::Months(months) => (0..months).try_fold(today, |date, _| month_later(date, today.day())),
        Day::Coming(weekday) => Some(next_weekday(today + Duration::DAY, weekday)),
        Day::This(weekday) => Some(next_weekday(today, weekday)),
        Day::NextWeek(weekday) => {
            let monday = next_weekday(today + Duration::DAY, Weekday::Monday);
            Some(next_weekday(monday, weekday))
        }
        Day::OfMonth(day) => {
            let first = today.replace_day(1).ok()?;
            (0..12)
                .scan(first, |date, _| {
                    let this = *date;
                    *date = month_later(this, 1)?;
                    Some(this)
                })
                .filter_map(|month| month.replace_day(day).ok())
                .find(|date| *date >= today)
        }
        Day::OfYear(day, month) => {
            let month = Month::try_from(month).ok()?;
            // Eight years hold a 29 February for sure.
            (0..=8)
                .filter_map(|years| Date::from_calendar_date(today.year() + years, month, day).ok())
                .find(|date| *date >= today)
        }
        Day::On(date) => Some(date),
        Day::Past => None,
    }
}

fn next_weekday(from: Date, weekday: Weekday) -> Date {
    let ahead = (7 + weekday.number_days_from_monday() - from.weekday().number_days_from_monday()) % 7;
    from + Duration::days(i64::from(ahead))
}

/// The same day of the next month, or its last one.
fn month_later(date: Date, day: u8) -> Option<Date> {
    let month = date.month().next();
    let year = date.year() + i32::from(month == Month::January);
    Date::from_calendar_date(year, month, day.min(month.length(year))).ok()
}
