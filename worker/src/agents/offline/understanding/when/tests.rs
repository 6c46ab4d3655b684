//! Dates in many forms, read on Wednesday 25 November 2026 at noon in Istanbul.

use shared::clinic::Clinic;
use time::macros::datetime;

use super::{Clock, Problem, find, resolve};
use crate::agents::offline::language::english;
use crate::agents::offline::understanding::text::Text;

/// The visitor's words, and the dates or the problem.
fn read(text: &str) -> Option<(String, String)> {
    let clinic = Clinic::shipped();
    let clock = Clock {
        now: datetime!(2026-11-25 12:00 +3),
        hours: &clinic.opening_hours,
    };
    let text = Text::new(text);
    let when = find(&text, &text.tokens, &english().lexicon.when)?;
    let dates = match resolve(&when, clock) {
        Ok(dates) => dates
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        Err(Problem::Past(_)) => "past".to_owned(),
        Err(Problem::Closed(date)) => format!("closed {date}"),
        Err(Problem::Outside(date, ..)) => format!("outside {date}"),
        Err(Problem::Impossible) => "impossible".to_owned(),
    };
    Some((when.words, dates))
}

#[test]
fn times_are_understood_and_keep_the_visitors_words() {
    let cases = [
        ("next Tuesday afternoon", "next Tuesday afternoon", "2026-12-01"),
        (
            "call me next Tuesday afternoon please",
            "next Tuesday afternoon",
            "2026-12-01",
        ),
        ("Tuesday", "Tuesday", "2026-12-01"),
        ("on Friday", "Friday", "2026-11-27"),
        ("next Friday", "next Friday", "2026-12-04"),
        ("this Friday at 3", "this Friday at 3", "2026-11-27"),
        ("Wednesday", "Wednesday", "2026-12-02"),
        ("today at 3pm", "today at 3pm", "2026-11-25"),
        ("today at 9am", "today at 9am", "past"),
        ("tomorrow at 3pm", "tomorrow at 3pm", "2026-11-26"),
        ("tomorrow at 3 pm", "tomorrow at 3 pm", "2026-11-26"),
        ("the day after tomorrow", "the day after tomorrow", "2026-11-27"),
        ("tomorrow at 11pm", "tomorrow at 11pm", "outside 2026-11-26"),
        ("12/05", "12/05", "2027-05-12"),
        ("12.05.2027", "12.05.2027", "2027-05-12"),
        ("12-05-2027", "12-05-2027", "2027-05-12"),
        ("12/05/27", "12/05/27", "2027-05-12"),
        ("12/25", "12/25", "2026-12-25"),
        ("12 May 2027", "12 May 2027", "2027-05-12"),
        ("May 12th, 2027", "May 12th, 2027", "2027-05-12"),
        ("the 12th of May", "12th of May", "2027-05-12"),
        ("May 12 at 10", "May 12 at 10", "2027-05-12"),
        ("2027-05-12 14:30", "2027-05-12 14:30", "2027-05-12"),
        ("2027-05-12T14:30", "2027-05-12T14:30", "2027-05-12"),
        ("on the 3rd", "3rd", "2026-12-03"),
        ("in two weeks", "in two weeks", "2026-12-09"),
        ("in 10 days", "in 10 days", "2026-12-05"),
        ("in a month", "in a month", "2026-12-25"),
        ("next week", "next week", ""),
        ("any time", "any time", ""),
        ("anytime works for me", "anytime", ""),
        ("weekends", "weekends", ""),
        ("after 5pm", "after 5pm", ""),
        ("after 5", "after 5", ""),
        (
            "between 2 and 4 pm on Friday",
            "between 2 and 4 pm on Friday",
            "2026-11-27",
        ),
        (
            "half past three tomorrow",
            "half past three tomorrow",
            "2026-11-26",
        ),
        ("in the morning", "morning", ""),
        ("mornings", "mornings", ""),
        (
            "Tuesday or Thursday",
            "Tuesday or Thursday",
            "2026-12-01 2026-11-26",
        ),
        ("Sunday or Monday", "Sunday or Monday", "2026-11-30"),
        (
            "Tuesday works, in the afternoon",
            "Tuesday, afternoon",
            "2026-12-01",
        ),
        ("as soon as possible", "as soon as possible", ""),
        ("not Tuesday, Friday please", "Friday", "2026-11-27"),
        ("Tuesday doesn't work, but Friday", "Friday", "2026-11-27"),
        ("Sunday", "Sunday", "closed 2026-11-29"),
        ("next sunday at 11", "next sunday at 11", "closed 2026-12-06"),
        ("yesterday", "yesterday", "past"),
        ("last Tuesday", "last Tuesday", "past"),
        ("12 May 2020", "12 May 2020", "past"),
        ("25.11.2025", "25.11.2025", "past"),
        ("31/02", "31/02", "impossible"),
        ("30 February", "30 February", "impossible"),
        ("2027-13-12", "2027-13-12", "impossible"),
        ("tomorrow at 25:00", "tomorrow at 25:00", "impossible"),
        ("Saturday at 17:00", "Saturday at 17:00", "outside 2026-11-28"),
    ];
    for (text, words, dates) in cases {
        assert_eq!(read(text), Some((words.to_owned(), dates.to_owned())), "{text}");
    }
}

#[test]
fn what_is_no_time_is_not_taken_for_one() {
    for text in [
        "",
        "Good morning",
        "my name is May Smith",
        "I may come",
        "I have 2 children",
        "12",
        "I am 35 years old",
        "for two years",
        "in the end",
        "ok",
        "3 implants",
        "and the nose",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}
