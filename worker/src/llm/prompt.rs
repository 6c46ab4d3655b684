//! The words that the model is given: files, filled from `clinic.toml` and the session.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::json;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use super::attachments::Attachments;
use super::wire::{Content, Image, Part};
use super::work::Work;
use crate::agents::Turn;
use crate::agents::offline::joint::{Ask, Consent, HUMAN, INFORMATION};

/// Times that lie no further apart than this, on one day, are one to the model.
const AT_ONCE: Duration = Duration::minutes(5);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    persona: String,
    no_instructions: String,
    none: String,
    no_language: String,
    attachments: String,
    no_text: String,
    written: String,
    written_each: String,
    written_before: String,
    late: String,
    consent: HashMap<String, String>,
    request: HashMap<String, String>,
    step: HashMap<String, String>,
}

static PHRASES: LazyLock<Phrases> =
    LazyLock::new(|| toml::from_str(include_str!("prompts/phrases.toml")).expect("a test reads the phrases"));

/// What asks a model to go on with a reply that was cut off.
pub(crate) const CONTINUE: &str = include_str!("prompts/continue.md");

/// The first message: who the model is, what it is to do, and how things stand. The messages `heard` follow it.
pub(crate) fn system(work: &Work<'_>, heard: &[&str], attachments: &Attachments) -> String {
    let (desk, phrases) = (work.desk(), &*PHRASES);
    let clinic = desk.clinic();
    let (task, instructions) = match work.agent() {
        INFORMATION => (
            include_str!("prompts/information.md"),
            &clinic.instructions.information,
        ),
        HUMAN => (include_str!("prompts/human.md"), &clinic.instructions.human),
        _ => (
            include_str!("prompts/scheduling.md"),
            &clinic.instructions.scheduling,
        ),
    };
    let contact = json!({"address": clinic.contact.address, "phone": clinic.contact.phone,
        "email": clinic.contact.email, "website": clinic.contact.website});
    let treatments: Vec<String> = clinic
        .treatments
        .iter()
        .map(|treatment| treatment.full_name())
        .collect();
    let persona = fill(
        include_str!("prompts/persona.md"),
        &[
            ("assistant", &clinic.assistant),
            ("clinic", &clinic.name),
            ("persona", clinic.persona.as_deref().unwrap_or(&phrases.persona)),
            ("languages", &clinic.languages.join(", ")),
            ("emergency_number", &clinic.emergency_number),
            ("contact", &contact.to_string()),
            ("offset", &desk.offset()),
            ("hours", &desk.week()),
            ("treatments", &treatments.join(", ")),
        ],
    );
    let instructions = instructions.as_deref().unwrap_or(&phrases.no_instructions);
    let task = fill(task, &[("instructions", instructions)]);
    format!(
        "{persona}\n{}\n\n{}",
        task.trim_end(),
        situation(work, heard, attachments)
    )
}

fn situation(work: &Work<'_>, heard: &[&str], attachments: &Attachments) -> String {
    let (desk, phrases) = (work.desk(), &*PHRASES);
    let conversation = &desk.conversation;
    let details = &conversation.details;
    let sent = conversation.submitted.is_some();
    let consent = match conversation.consent {
        Consent::Unasked => "unasked",
        Consent::Asked => "asked",
        Consent::Given => "given",
        Consent::Refused => "refused",
    };
    let step = match conversation.next_ask() {
        _ if conversation.consent == Consent::Refused || conversation.submitted.as_ref() == Some(details) => {
            "done"
        }
        Ask::Consent => "consent",
        Ask::Name => "name",
        Ask::Treatment => "treatment",
        Ask::Contact => "contact",
        Ask::Time => "time",
        _ => "confirm",
    };
    let known = json!({"name": details.name, "treatment": details.treatments, "phone": details.phone,
        "email": details.email, "preferred_time": details.time.as_ref().map(|_| desk.time(details)), "attachments": conversation.media.len()});
    let stored = desk.turn.user.language.as_deref();
    let language = conversation.language.as_deref().or(stored);
    let earlier = work.memory().besides(heard).map_or_else(String::new, |earlier| {
        fill(
            include_str!("prompts/summary.md"),
            &[("earlier", &earlier.to_string())],
        )
    });
    let mut now = clock(desk.now());
    if wrote_apart(desk.turn) {
        now.push_str(&phrases.written_each);
    } else if are_apart(desk.began(), desk.now()) {
        now.push_str(&fill(&phrases.written, &[("written", &clock(desk.began()))]));
    }
    if desk.turn.is_late {
        now.push_str(&phrases.late);
    }
    fill(
        include_str!("prompts/situation.md"),
        &[
            ("now", &now),
            ("language", language.unwrap_or(&phrases.no_language)),
            ("consent", &phrases.consent[consent]),
            ("details", &known.to_string()),
            ("request", &phrases.request[if sent { "sent" } else { "none" }]),
            ("attachments", &listed(attachments)),
            ("step", &phrases.step[step]),
            ("summary", &earlier),
        ],
    )
}

/// A time as the model reads it.
fn clock(time: OffsetDateTime) -> String {
    let form = format_description!("[weekday] [day padding:none] [month repr:long] [year], [hour]:[minute]");
    time.format(form).unwrap_or_default()
}

/// Whether it makes a difference which of two times by the clinic's clock a "today" or a "now" counts from.
fn are_apart(one: OffsetDateTime, other: OffsetDateTime) -> bool {
    one.date() != other.date() || (one - other).abs() > AT_ONCE
}

/// Whether the messages of a turn cannot be told one time at which they were written.
fn wrote_apart(turn: &Turn) -> bool {
    let here = |at: OffsetDateTime| at.to_offset(turn.clinic.utc_offset);
    let mut written = turn.requests.iter().map(|request| here(request.written));
    written.any(|at| are_apart(at, here(turn.began())))
}

fn listed(attachments: &Attachments) -> String {
    let Attachments {
        pictures,
        heard,
        unseen,
        unheard,
        ..
    } = attachments;
    if pictures.len() + heard + unseen + unheard == 0 {
        return PHRASES.none.clone();
    }
    let count = json!({"pictures_shown_to_you": pictures.len(), "voice_messages_written_out_in_the_message": heard,
        "pictures_or_documents_that_you_cannot_open": unseen, "voice_messages_that_you_cannot_open": unheard});
    fill(&PHRASES.attachments, &[("count", &count.to_string())])
}

/// What stands for a message without text.
pub(crate) fn no_text() -> &'static str {
    &PHRASES.no_text
}

/// The visitor's message of this turn behind those that nobody has answered, with its pictures.
pub(crate) fn question(turn: &Turn, unanswered: Option<String>, attachments: &Attachments) -> Content {
    let apart = wrote_apart(turn);
    let said: Vec<String> = turn
        .requests
        .iter()
        .map(|request| (request.content.trim(), request.written))
        .filter(|(text, _)| !text.is_empty())
        .map(|(text, written)| {
            if !apart {
                return text.to_owned();
            }
            let written = clock(written.to_offset(turn.clinic.utc_offset));
            let before = fill(&PHRASES.written_before, &[("written", &written)]);
            format!("{before}\n{text}")
        })
        .collect();
    let now = match said.as_slice() {
        [] => no_text().to_owned(),
        said => said.join("\n"),
    };
    let text = unanswered.map_or_else(|| now.clone(), |before| format!("{before}\n\n{now}"));
    if attachments.pictures.is_empty() {
        return Content::Text(text);
    }
    let pictures = attachments.pictures.iter().map(|url| Part::ImageUrl {
        image_url: Image { url: url.clone() },
    });
    Content::Parts([Part::Text { text }].into_iter().chain(pictures).collect())
}

/// Puts values into `{{…}}`. Braces within a value are text: what a visitor wrote is never a template.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (key, behind) = after.split_once("}}").unwrap_or((after, ""));
        let value = values.iter().find(|(name, _)| *name == key);
        debug_assert!(value.is_some(), "no value for {key}");
        out.push_str(value.map_or("", |(_, value)| value));
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shared::clinic::Clinic;
    use time::macros::datetime;

    use super::*;
    use crate::agents::IncomingMessage;

    /// Five past nine in Istanbul.
    const NOW: OffsetDateTime = datetime!(2026-11-25 06:05 UTC);

    fn turn(messages: &[(OffsetDateTime, &str)]) -> Turn {
        let request = |&(written, content): &(OffsetDateTime, &str)| IncomingMessage {
            request_id: uuid::Uuid::nil(),
            content: content.to_owned(),
            media: Vec::new(),
            written,
        };
        let requests: Vec<_> = messages.iter().map(request).collect();
        Turn {
            requests: requests.clone(),
            ..Turn::bare(Arc::new(Clinic::shipped()), requests[0].clone(), NOW)
        }
    }

    #[test]
    fn a_model_is_told_when_messages_were_written_where_that_makes_a_difference() {
        let asked = |turn: &Turn| {
            let attachments = Attachments::default();
            let Content::Text(text) = question(turn, None, &attachments) else {
                panic!("there are no pictures")
            };
            (system(&Work::begin(turn), &[], &attachments), text)
        };
        let (system, text) = asked(&turn(&[(NOW - Duration::MINUTE, "Hi"), (NOW, "tomorrow")]));
        assert_eq!(text, "Hi\ntomorrow");
        assert!(
            system.contains("Now: Wednesday 25 November 2026, 09:05 (clinic time)"),
            "{system}"
        );

        let yesterday = datetime!(2026-11-24 19:00 UTC);
        let both = [(yesterday, "tomorrow at 10 please"), (NOW, "hello?")];
        let (system, text) = asked(&turn(&both));
        assert_eq!(
            text,
            "(written on Tuesday 24 November 2026, 22:00)\ntomorrow at 10 please\n\
            (written on Wednesday 25 November 2026, 09:05)\nhello?"
        );
        assert!(system.contains("has before it when it was written"), "{system}");
        assert!(!system.contains("the visitor wrote on"), "{system}");

        let (system, text) = asked(&turn(&both[..1]));
        assert_eq!(text, "tomorrow at 10 please");
        assert!(
            system.contains("the visitor wrote on Tuesday 24 November 2026, 22:00"),
            "{system}"
        );
    }
}
