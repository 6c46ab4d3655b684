//! The agent that answers questions from `clinic.toml`.

use shared::clinic::{DayHours, Treatment};
use time::OffsetDateTime;

use super::conversation::Consent;
use super::desk::{Desk, clock};
use super::language::{Lexicon, fill};
use super::understanding::question::Question;
use super::understanding::when::{Clock, When};

/// How many questions of one message are answered.
const MAX_ANSWERS: usize = 4;

/// Answers the questions of a message.
pub(crate) fn answer(desk: &mut Desk<'_>, questions: &[Question]) {
    for question in questions.iter().take(MAX_ANSWERS) {
        answer_one(desk, question);
    }
}

fn answer_one(desk: &mut Desk<'_>, question: &Question) {
    let (messages, clinic) = (desk.messages(), desk.clinic());
    let contact = &clinic.contact;
    let names = [
        ("assistant", clinic.assistant.as_str()),
        ("clinic", clinic.name.as_str()),
    ];
    let text = match question {
        Question::Price(about) => price(desk, about),
        Question::Duration(about) => facts(desk, about, |desk, treatment| {
            let values = [
                ("treatment", capital(&treatment.name, &desk.language.lexicon)),
                ("duration", treatment.duration.clone()),
            ];
            fill(&desk.messages().duration, &borrowed(&values))
        }),
        Question::Recovery(about) => facts(desk, about, |desk, treatment| {
            let values = [
                ("treatment", treatment.name.clone()),
                ("recovery", treatment.recovery.clone()),
            ];
            fill(&desk.messages().recovery, &borrowed(&values))
        }),
        Question::About(about) => facts(desk, about, |desk, treatment| {
            let values = [
                (
                    "treatment",
                    capital(&treatment.full_name(), &desk.language.lexicon),
                ),
                ("description", treatment.description.clone()),
                ("duration", treatment.duration.clone()),
                ("recovery", treatment.recovery.clone()),
                ("price", treatment.price_from.clone()),
            ];
            fill(&desk.messages().about, &borrowed(&values))
        }),
        Question::Treatments => fill(&messages.treatments, &[("treatments", &desk.treatments())]),
        Question::Hours(when) => hours(desk, when.as_ref()),
        Question::Address => configured(desk, &messages.address, "address", contact.address.as_deref()),
        Question::Phone => configured(desk, &messages.phone, "phone", contact.phone.as_deref()),
        Question::Email => configured(desk, &messages.email, "email", contact.email.as_deref()),
        Question::Website => configured(desk, &messages.website, "website", contact.website.as_deref()),
        Question::Languages => fill(
            &messages.languages,
            &[("languages", &messages.languages(&clinic.languages))],
        ),
        Question::Identity => messages.identity.clone(),
        Question::Who => fill(&messages.who, &names),
        Question::Privacy => messages.privacy.clone(),
        Question::Medical => messages.medical.clone(),
        Question::MedicalNote => messages.medical_note.clone(),
        Question::Status => status(desk),
        Question::Capabilities => messages.capabilities.clone(),
        Question::Smalltalk => messages.smalltalk.clone(),
        Question::OffTopic => fill(&messages.off_topic, &names[1..]),
        Question::Faq(index) => clinic
            .faqs
            .get(*index)
            .map(|faq| {
                let translated = faq.translations.get(desk.language.tag);
                translated.map_or(&faq.answer, |text| &text.answer).clone()
            })
            .unwrap_or_default(),
        Question::Unknown => fill(
            &messages.unknown,
            &[("reach", &desk.reach(&messages.unknown_reach))],
        ),
    };
    desk.say(text);
}

/// The treatments a question is about: those it names, else the one that was talked about, else all.
fn subjects(desk: &mut Desk<'_>, about: &[usize]) -> Vec<Treatment> {
    let treatments = &desk.clinic().treatments;
    let named: Vec<Treatment> = about
        .iter()
        .filter_map(|index| treatments.get(*index).cloned())
        .collect();
    if let Some(last) = named.last() {
        desk.conversation.topic = Some(last.name.clone());
        return translated(&named, desk);
    }
    let topic = desk
        .conversation
        .topic
        .iter()
        .chain(&desk.conversation.details.treatments);
    let known = topic
        .filter_map(|name| {
            treatments
                .iter()
                .find(|treatment| treatment.name == *name)
                .cloned()
        })
        .next();
    let known = known.map_or_else(|| treatments.clone(), |treatment| vec![treatment]);
    translated(&known, desk)
}

fn translated(treatments: &[Treatment], desk: &Desk<'_>) -> Vec<Treatment> {
    let language = desk.language.tag;
    treatments
        .iter()
        .map(|treatment| treatment.in_language(language))
        .collect()
}

fn facts(desk: &mut Desk<'_>, about: &[usize], line: impl Fn(&Desk<'_>, &Treatment) -> String) -> String {
    let subjects = subjects(desk, about);
    subjects
        .iter()
        .map(|treatment| line(desk, treatment))
        .collect::<Vec<_>>()
        .join("\n")
}

fn price(desk: &mut Desk<'_>, about: &[usize]) -> String {
    let messages = desk.messages();
    let subjects = subjects(desk, about);
    let first = if subjects.len() == desk.clinic().treatments.len() {
        let list: Vec<String> = subjects
            .iter()
            .map(|treatment| format!("{} {}", treatment.name, treatment.price_from))
            .collect();
        fill(&messages.price_all, &[("list", &list.join(&messages.comma))])
    } else {
        let lines = subjects.iter().map(|treatment| {
            fill(
                &messages.price,
                &[
                    ("treatment", &capital(&treatment.name, &desk.language.lexicon)),
                    ("price", &treatment.price_from),
                ],
            )
        });
        lines.collect::<Vec<_>>().join(" ")
    };
    format!("{first} {}", messages.price_note)
}

fn configured(desk: &Desk<'_>, template: &str, key: &str, value: Option<&str>) -> String {
    value.map_or_else(
        || desk.messages().not_configured.clone(),
        |value| fill(template, &[(key, value)]),
    )
}

/// Opening hours: of the days that were named, of this moment, or of the week.
fn hours(desk: &Desk<'_>, when: Option<&When>) -> String {
    let (messages, now) = (desk.messages(), desk.now());
    let week = || {
        fill(
            &messages.hours_week,
            &[("offset", &desk.offset()), ("week", &desk.week())],
        )
    };
    let Some(when) = when else { return week() };
    if when.days.is_empty() {
        return if when.is_now(&desk.language.lexicon) {
            format!("{} {}", open_now(desk, now), week())
        } else {
            week()
        };
    }
    let written = desk.written();
    let named = Clock {
        now,
        written: &written,
        hours: &desk.clinic().opening_hours,
    };
    let days = when
        .days
        .iter()
        .filter_map(|day| named.date_of(*day))
        // Of a day that is over by now nobody wants to know when it was open.
        .filter(|date| *date >= now.date())
        .map(|date| {
            let named = messages.date(date);
            match desk.clinic().opening_hours.on(date.weekday()) {
                DayHours::Closed => fill(&messages.hours_closed_day, &[("date", &named)]),
                DayHours::Open(from, until) => fill(
                    &messages.hours_open_day,
                    &[("date", &named), ("from", &clock(from)), ("until", &clock(until))],
                ),
            }
        });
    let days: Vec<String> = days.collect();
    if days.is_empty() { week() } else { days.join(" ") }
}

fn open_now(desk: &Desk<'_>, now: OffsetDateTime) -> String {
    let messages = desk.messages();
    match desk.clinic().opening_hours.on(now.weekday()) {
        DayHours::Open(_, until) if desk.clinic().opening_hours.is_open(now) => {
            fill(&messages.hours_open_now, &[("until", &clock(until))])
        }
        _ => messages.hours_closed_now.clone(),
    }
}

/// What is known of the visitor, read back.
fn status(desk: &Desk<'_>) -> String {
    let (messages, conversation) = (desk.messages(), &desk.conversation);
    let details = &conversation.details;
    let known: Vec<String> = [
        details.name.clone(),
        (!details.treatments.is_empty()).then(|| desk.treatment()),
        details
            .contact()
            .map(|contact| fill(&messages.contact, &[("contact", &contact)])),
        details.time.as_ref().map(|_| desk.time(details)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if known.is_empty() {
        let emptied = conversation.consent == Consent::Refused;
        return if emptied {
            messages.status_emptied.clone()
        } else {
            messages.status_none.clone()
        };
    }
    let sent = conversation.submitted.as_ref() == Some(details);
    let template = if sent {
        &messages.status_sent
    } else {
        &messages.status_open
    };
    fill(template, &[("details", &known.join(&messages.semicolon))])
}

fn borrowed<'v>(values: &'v [(&'v str, String)]) -> Vec<(&'v str, &'v str)> {
    values.iter().map(|(key, value)| (*key, value.as_str())).collect()
}

/// With a capital letter at the front, for the start of a sentence.
fn capital(text: &str, lexicon: &Lexicon) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some('i') if lexicon.names.dotted_i => format!("İ{}", chars.as_str()),
        first => first
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(chars)
            .collect(),
    }
}
