//! Dates in many forms, read on Wednesday 25 November 2026 at noon in Istanbul.

use shared::clinic::Clinic;
use time::OffsetDateTime;
use time::macros::datetime;

use super::{Clock, Problem, find, resolve};
use crate::agents::offline::language::by_tag;

/// The visitor's words, and the dates or the problem.
fn read(text: &str) -> Option<(String, String)> {
    read_in("en", text)
}

fn read_in(tag: &str, text: &str) -> Option<(String, String)> {
    read_late(tag, text, &[])
}

/// The same of lines that were written at other times.
fn read_late(tag: &str, text: &str, written: &[OffsetDateTime]) -> Option<(String, String)> {
    let language = by_tag(tag).expect("a language");
    let clinic = Clinic::shipped();
    let clock = Clock {
        now: datetime!(2026-11-25 12:00 +3),
        written,
        hours: &clinic.opening_hours,
    };
    let text = language.lexicon.read(text);
    let when = find(&text, &text.tokens, &language.lexicon.when)?;
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

#[test]
fn times_are_understood_in_every_language() {
    let cases = [
        ("tr", "yarın öğleden sonra", "yarın öğleden sonra", "2026-11-26"),
        ("tr", "beni salı günü arayın", "salı günü", "2026-12-01"),
        ("tr", "haftaya cuma", "haftaya cuma", "2026-12-04"),
        ("tr", "bu cuma saat 3'te", "bu cuma saat 3'te", "2026-11-27"),
        ("tr", "öbür gün sabah 10'da", "öbür gün sabah 10'da", "2026-11-27"),
        ("tr", "iki hafta sonra", "iki hafta sonra", "2026-12-09"),
        ("tr", "12 Mayıs", "12 Mayıs", "2027-05-12"),
        (
            "tr",
            "12 mayısta saat 14:30'da",
            "12 mayısta saat 14:30'da",
            "2027-05-12",
        ),
        ("tr", "12.05.2027", "12.05.2027", "2027-05-12"),
        ("tr", "saat 3 buçukta", "saat 3 buçukta", ""),
        (
            "tr",
            "yarın saat 23:00'te",
            "yarın saat 23:00'te",
            "outside 2026-11-26",
        ),
        ("tr", "fark etmez", "fark etmez", ""),
        ("tr", "hafta sonu", "hafta sonu", ""),
        ("tr", "pazar günü", "pazar günü", "closed 2026-11-29"),
        ("tr", "geçen salı", "geçen salı", "past"),
        ("tr", "salı olmaz, perşembe olur", "perşembe", "2026-11-26"),
        ("de", "morgen um 15 Uhr", "morgen um 15 Uhr", "2026-11-26"),
        ("de", "nächsten Dienstag", "nächsten Dienstag", "2026-12-01"),
        (
            "de",
            "am Dienstagnachmittag",
            "am Dienstagnachmittag",
            "2026-12-01",
        ),
        ("de", "Freitag Morgen", "Freitag Morgen", "2026-11-27"),
        ("de", "morgen früh", "morgen früh", "2026-11-26"),
        (
            "de",
            "heute Nachmittag um 16.30 Uhr",
            "heute Nachmittag um 16.30 Uhr",
            "2026-11-25",
        ),
        (
            "de",
            "am 12. Mai 2027 um 10 Uhr",
            "am 12. Mai 2027 um 10 Uhr",
            "2027-05-12",
        ),
        ("de", "am 12.5. um 10 Uhr", "am 12.5. um 10 Uhr", "2027-05-12"),
        ("de", "am 3. um halb vier", "am 3. um halb vier", "2026-12-03"),
        (
            "de",
            "übermorgen, Viertel nach drei",
            "übermorgen, Viertel nach drei",
            "2026-11-27",
        ),
        (
            "de",
            "nächste Woche Freitag",
            "nächste Woche Freitag",
            "2026-12-04",
        ),
        (
            "de",
            "Freitag nächster Woche",
            "Freitag nächster Woche",
            "2026-12-04",
        ),
        ("de", "in zwei Wochen", "in zwei Wochen", "2026-12-09"),
        (
            "de",
            "zwischen 14 und 16 Uhr am Freitag",
            "zwischen 14 und 16 Uhr am Freitag",
            "2026-11-27",
        ),
        ("de", "Dienstag geht nicht, aber Freitag", "Freitag", "2026-11-27"),
        ("de", "so bald wie möglich", "so bald wie möglich", ""),
        ("de", "morgen um 25:00 Uhr", "morgen um 25:00 Uhr", "impossible"),
        ("de", "letzten Dienstag", "letzten Dienstag", "past"),
        ("de", "sonntags", "sonntags", "closed 2026-11-29"),
        ("ar", "غداً الساعة ٣", "غداً الساعة 3", "2026-11-26"),
        ("ar", "بعد غد", "بعد غد", "2026-11-27"),
        (
            "ar",
            "الثلاثاء القادم بعد الظهر",
            "الثلاثاء القادم بعد الظهر",
            "2026-12-01",
        ),
        (
            "ar",
            "يوم الخميس الساعة ١١ صباحاً",
            "يوم الخميس الساعة 11 صباحاً",
            "2026-11-26",
        ),
        (
            "ar",
            "الجمعة الساعة الثالثة والنصف",
            "الجمعة الساعة الثالثة والنصف",
            "2026-11-27",
        ),
        ("ar", "غدا الساعة ٤ إلا ربع", "غدا الساعة 4 إلا ربع", "2026-11-26"),
        ("ar", "بعد أسبوعين", "بعد أسبوعين", "2026-12-09"),
        ("ar", "بعد 3 أيام", "بعد 3 أيام", "2026-11-28"),
        ("ar", "١٢ مايو ٢٠٢٧", "12 مايو 2027", "2027-05-12"),
        ("ar", "١٢/٥", "12/5", "2027-05-12"),
        ("ar", "اليوم الساعة ٥ مساء", "اليوم الساعة 5 مساء", "2026-11-25"),
        ("ar", "أي وقت", "أي وقت", ""),
        ("ar", "في أقرب وقت", "في أقرب وقت", ""),
        ("ar", "الأحد", "الأحد", "closed 2026-11-29"),
        ("ar", "أمس", "أمس", "past"),
    ];
    let wrong: Vec<_> = cases
        .into_iter()
        .map(|(tag, text, words, dates)| (text, read_in(tag, text), (words.to_owned(), dates.to_owned())))
        .filter(|(_, read, expected)| read.as_ref() != Some(expected))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (tag, text) in [
        ("tr", "iyi akşamlar"),
        ("tr", "saçlarım dökülüyor"),
        ("tr", "2 implant istiyorum"),
        ("de", "Guten Morgen"),
        ("de", "ich habe zwei Kinder"),
        ("de", "3 Implantate"),
        ("ar", "أريد ثلاث غرسات"),
        ("ar", "مرحبا"),
    ] {
        assert_eq!(read_in(tag, text), None, "{text}");
    }
}

#[test]
fn each_line_counts_from_when_it_was_written_and_what_is_over_is_not_to_come() {
    let (today, yesterday, monday, sunday) = (
        datetime!(2026-11-25 11:59 +3),
        datetime!(2026-11-24 22:00 +3),
        datetime!(2026-11-23 09:00 +3),
        datetime!(2026-11-22 09:00 +3),
    );
    let cases: [(&str, &[OffsetDateTime], &str); 8] = [
        ("tomorrow at 3pm\nhello?", &[yesterday, today], "2026-11-25"),
        ("tomorrow at 10\nhello?", &[yesterday, today], "past"),
        ("hello\ntomorrow at 10", &[yesterday, today], "2026-11-26"),
        (
            "tomorrow\nor tomorrow?",
            &[yesterday, today],
            "2026-11-25 2026-11-26",
        ),
        ("Tuesday\nhello?", &[sunday, today], "past"),
        ("Tuesday\nI mean Thursday", &[sunday, today], "2026-11-26"),
        ("the 24th\nhello?", &[monday, today], "past"),
        (
            "in two days\nin two days",
            &[monday, today],
            "2026-11-25 2026-11-27",
        ),
    ];
    for (text, written, dates) in cases {
        let read = read_late("en", text, written).map(|(_, dates)| dates);
        assert_eq!(read.as_deref(), Some(dates), "{text}");
    }
}
