//! The words that the model is given: files, filled from `clinic.toml` and the session.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::attachments::Attachments;
use super::wire::{Content, Image, Part};
use super::work::Work;
use crate::agents::Turn;
use crate::agents::offline::joint::{Ask, Consent, HUMAN, INFORMATION};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Phrases {
    persona: String,
    no_instructions: String,
    none: String,
    no_language: String,
    attachments: String,
    no_text: String,
    late: String,
    consent: HashMap<String, String>,
    request: HashMap<String, String>,
    step: HashMap<String, String>,
}

static PHRASES: LazyLock<Phrases> =
    LazyLock::new(|| toml::from_str(include_str!("prompts/phrases.toml")).expect("a test reads the phrases"));

/// What asks a model to go on with a reply that was cut off.
pub(crate) const CONTINUE: &str = include_str!("prompts/continue.md");

/// The first message: who the model is, what it is to do, and how things stand. `heard` messages of the visitor follow it.
pub(crate) fn system(work: &Work<'_>, heard: usize, attachments: &Attachments) -> String {
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

fn situation(work: &Work<'_>, heard: usize, attachments: &Attachments) -> String {
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
    let earlier = work.memory().before(heard).map_or_else(String::new, |earlier| {
        fill(
            include_str!("prompts/summary.md"),
            &[("earlier", &earlier.to_string())],
        )
    });
    let clock = |time: OffsetDateTime| {
        let form =
            format_description!("[weekday] [day padding:none] [month repr:long] [year], [hour]:[minute]");
        time.format(form).unwrap_or_default()
    };
    let mut now = clock(desk.now());
    if desk.turn.is_late {
        now.push_str(&fill(&phrases.late, &[("written", &clock(desk.written()))]));
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

fn listed(attachments: &Attachments) -> String {
    let Attachments {
        pictures,
        heard,
        unseen,
        unheard,
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

/// The visitor's message of this turn, with its pictures.
pub(crate) fn question(turn: &Turn, attachments: &Attachments) -> Content {
    let said: Vec<&str> = turn
        .requests
        .iter()
        .map(|request| request.content.trim())
        .filter(|text| !text.is_empty())
        .collect();
    let text = match said.as_slice() {
        [] => no_text().to_owned(),
        said => said.join("\n"),
    };
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
