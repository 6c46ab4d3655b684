//! Messages that come late, and with others.

use std::sync::Arc;

use serde_json::{Value, json};
use shared::clinic::Clinic;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::answer;
use crate::agents::{IncomingMessage, Turn};

/// Wednesday, five past nine in Istanbul.
const NOW: OffsetDateTime = datetime!(2026-11-25 06:05 UTC);

/// What is said to messages that are read at once, and the dates that were understood.
fn said(messages: &[(OffsetDateTime, &str)]) -> (String, Value) {
    let request = |&(written, content): &(OffsetDateTime, &str)| IncomingMessage {
        request_id: Uuid::nil(),
        content: content.to_owned(),
        media: Vec::new(),
        written,
    };
    let requests: Vec<_> = messages.iter().map(request).collect();
    let turn = Turn {
        is_late: true,
        requests: requests.clone(),
        ..Turn::bare(Arc::new(Clinic::shipped()), requests[0].clone(), NOW)
    };
    let (text, outcome) = answer(&turn);
    (text, outcome.state["details"]["dates"].clone())
}

#[test]
fn a_day_counts_from_the_message_that_names_it_and_one_that_has_passed_is_not_taken() {
    let (yesterday, days_ago) = (datetime!(2026-11-24 19:00 UTC), datetime!(2026-11-22 06:00 UTC));
    let wish = "I'd like a consultation\ntomorrow at 10 please";
    let (text, dates) = said(&[(yesterday, wish), (NOW, "hello?")]);
    assert!(text.starts_with("You wrote to us yesterday"), "{text}");
    assert_eq!(dates, json!(["2026-11-25"]), "{text}");

    let (text, dates) = said(&[(days_ago, wish), (NOW, "hello?")]);
    assert!(
        text.starts_with("You wrote to us on Sunday 22 November"),
        "{text}"
    );
    assert!(
        text.contains("23 November 2026"),
        "what has passed is named: {text}"
    );
    assert_eq!(dates, json!([]), "{text}");

    let (text, dates) = said(&[(yesterday, "Hi"), (NOW, wish)]);
    assert_eq!(dates, json!(["2026-11-26"]), "{text}");
}

#[test]
fn opening_hours_are_told_of_the_day_that_was_meant() {
    let yesterday = datetime!(2026-11-24 19:00 UTC);
    let (text, _) = said(&[(yesterday, "Are you open tomorrow?"), (NOW, "hello?")]);
    assert!(text.contains("Wednesday 25 November"), "{text}");
    let (text, _) = said(&[(yesterday, "Are you open today?"), (NOW, "hello?")]);
    assert!(!text.contains("24 November"), "{text}");
}
