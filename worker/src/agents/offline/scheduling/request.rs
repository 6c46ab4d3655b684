//! The request for a consultation, once the visitor has confirmed it.

use super::super::desk::{Desk, SCHEDULING};
use super::super::language::fill;
use super::super::media;
use crate::agents::Effect;

/// Sends the request, and says what happens next.
pub(crate) fn submit(desk: &mut Desk<'_>) {
    desk.agent = SCHEDULING;
    let summary = for_staff(desk);
    let consultation = super::consultation(desk, summary);
    let messages = desk.messages();
    let template = match desk.conversation.submitted {
        Some(_) => &messages.submitted_update,
        None => &messages.submitted,
    };
    let name = desk
        .conversation
        .details
        .first_name()
        .unwrap_or_default()
        .to_owned();
    let time = desk.time(&desk.conversation.details);
    let mut values = vec![
        ("name", name.as_str()),
        ("contact", consultation.contact.as_str()),
        ("time", time.as_str()),
    ];
    let week = desk.week();
    values.push(("hours", &week));
    desk.say(fill(template, &values));
    desk.effects.push(Effect::Consultation(consultation));
    let conversation = &mut desk.conversation;
    conversation.submitted = Some(conversation.details.clone());
    conversation.asked = None;
    conversation.times = 0;
}

/// A few lines for the clinic's staff.
fn for_staff(desk: &Desk<'_>) -> String {
    let (messages, conversation) = (desk.staff(), &desk.conversation);
    let details = &conversation.details;
    let attachments = match conversation.media.as_slice() {
        [] => messages.staff_none.clone(),
        media => media::listed(media, messages),
    };
    let mut summary = fill(
        &messages.staff_summary,
        &[
            ("name", details.name.as_deref().unwrap_or_default()),
            ("treatment", &super::treatment_for_staff(desk)),
            ("contact", &details.contact().unwrap_or_default()),
            ("time", &messages.time(details)),
            ("offset", &desk.offset()),
            ("attachments", &attachments),
        ],
    );
    let english = english_name(desk.language.tag);
    if let Some(language) = english.filter(|_| desk.language.tag != desk.clinic().staff_language) {
        let language = messages.spoken.get(language).map_or(language, String::as_str);
        summary = format!(
            "{summary}\n{}",
            fill(&messages.staff_language, &[("language", language)])
        );
    }
    if conversation.submitted.is_some() {
        summary = format!("{summary}\n{}", messages.staff_update);
    }
    if let Some(at) = &conversation.emergency_at {
        summary = format!("{summary}\n{}", fill(&messages.staff_emergency, &[("at", at)]));
    }
    summary
}

/// The English name of a language that the visitor may write in.
fn english_name(tag: &str) -> Option<&'static str> {
    match tag {
        "en" => Some("English"),
        "tr" => Some("Turkish"),
        "ar" => Some("Arabic"),
        "de" => Some("German"),
        _ => None,
    }
}
