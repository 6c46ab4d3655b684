//! The agent that books: consent, name, treatment, contact, preferred time, summary, request.

use super::conversation::{Ask, Consent, Details};
use super::desk::{Desk, INFORMATION, SCHEDULING, is_undecided};
use super::language::fill;
use super::understanding::answer::Answer;
use super::understanding::found::Found;
use crate::agents::{Consultation, Effect};

mod details;
mod request;

pub(crate) use details::store_name;
pub(crate) use request::submit;

/// Knows a visitor again who has consented before.
pub(crate) fn recognise(desk: &mut Desk<'_>) {
    let user = &desk.turn.user;
    let conversation = &mut desk.conversation;
    if conversation.consent == Consent::Unasked && user.consented {
        conversation.consent = Consent::Given;
        conversation.details.name.clone_from(&user.name);
        conversation.stored_name.clone_from(&user.name);
        know_phone(desk);
    }
}

/// Who writes from a number can be reached there, and need not be asked; it stands in the summary, to be corrected.
fn know_phone(desk: &mut Desk<'_>) {
    let details = &mut desk.conversation.details;
    if details.contact().is_none() {
        details.phone.clone_from(&desk.turn.user.phone);
    }
}

/// Takes what a message says, and asks for what is missing.
pub(crate) fn proceed(desk: &mut Desk<'_>, found: &Found) {
    let messages = desk.messages();
    let asked = desk.conversation.asked;
    let opening = asked.is_none() && desk.conversation.details.is_empty();
    if desk.conversation.submitted.is_some() && asks_for_another(desk, found) {
        return;
    }
    if asked == Some(Ask::Offer) && !found.moves_booking() {
        match found.answer {
            Some(Answer::No) => {
                desk.conversation.asked = None;
                desk.agent = INFORMATION;
                return desk.say(messages.offer_no.clone());
            }
            Some(Answer::Yes) => start_with_topic(desk),
            None => {}
        }
    }
    if !found.has_details() && refuses(desk, found) {
        return refuse(desk);
    }
    let granted = grants(desk, found);
    if granted {
        give_consent(desk);
    } else if opening && !desk.is_silent() && desk.conversation.consent != Consent::Given {
        desk.add(&messages.purpose.clone());
    }
    let changes = details::apply(desk, found);
    details::acknowledge(desk, &changes, granted);
    if let Some(problem) = changes.problem {
        // The reason was said; what is asked next is the same thing again.
        return desk.ask(problem, true);
    }
    if !changes.any() && summary_answered(desk, found) {
        return;
    }
    if !changes.any() && !granted && found.questions.is_empty() {
        respond_to_nothing(desk, found, asked);
    }
    let digressed = !found.questions.is_empty() && asked.is_some();
    if found.bye && !changes.any() && !granted {
        return;
    }
    ask_next(desk, digressed);
}

/// Asks for what is missing, or whether the summary is right.
pub(crate) fn ask_next(desk: &mut Desk<'_>, again: bool) {
    desk.agent = SCHEDULING;
    let next = match desk.conversation.asked {
        Some(Ask::Change) if desk.conversation.next_ask() == Ask::Confirm && again => Ask::Change,
        _ => desk.conversation.next_ask(),
    };
    if next == Ask::Consent {
        desk.conversation.consent = Consent::Asked;
    }
    desk.ask(next, again);
}

fn refuses(desk: &Desk<'_>, found: &Found) -> bool {
    desk.conversation.asked == Some(Ask::Consent)
        && found.answer == Some(Answer::No)
        && desk.conversation.consent != Consent::Given
}

fn grants(desk: &Desk<'_>, found: &Found) -> bool {
    let conversation = &desk.conversation;
    match conversation.consent {
        Consent::Given => false,
        Consent::Unasked => false,
        Consent::Asked if conversation.asked == Some(Ask::Consent) => {
            found.answer == Some(Answer::Yes) || found.grant
        }
        Consent::Asked | Consent::Refused => found.grant,
    }
}

pub(crate) fn give_consent(desk: &mut Desk<'_>) {
    desk.conversation.consent = Consent::Given;
    desk.conversation.asked = None;
    let text_version = desk.clinic().consent_version.clone();
    desk.effects.push(Effect::Consent {
        text_version,
        given: true,
    });
    know_phone(desk);
    if let Some(name) = desk.conversation.details.name.clone() {
        details::store_name(desk, name);
    }
}

pub(crate) fn refuse(desk: &mut Desk<'_>) {
    desk.conversation.forget();
    desk.conversation.consent = Consent::Refused;
    desk.agent = INFORMATION;
    let text_version = desk.clinic().consent_version.clone();
    desk.effects.push(Effect::Consent {
        text_version,
        given: false,
    });
    let messages = desk.messages();
    let reach = desk.reach(&messages.refused_reach);
    desk.say(fill(&messages.refused, &[("reach", &reach)]));
}

/// Takes consent back, and forgets.
pub(crate) fn withdraw(desk: &mut Desk<'_>) {
    let had_consent = desk.conversation.consent == Consent::Given;
    let asked = desk.conversation.asked == Some(Ask::Consent);
    desk.conversation.forget();
    desk.conversation.stored_name = None;
    if had_consent || asked {
        let text_version = desk.clinic().consent_version.clone();
        desk.effects.push(Effect::Consent {
            text_version,
            given: false,
        });
    }
    desk.conversation.consent = Consent::Refused;
    desk.conversation.submitted = None;
    desk.agent = INFORMATION;
    let messages = desk.messages();
    let reach = desk.reach(&messages.withdrawn_reach);
    desk.say(fill(&messages.withdrawn, &[("reach", &reach)]));
}

/// Gives the booking up.
pub(crate) fn cancel(desk: &mut Desk<'_>) {
    let sent = desk.conversation.submitted.is_some();
    desk.conversation.forget();
    desk.agent = INFORMATION;
    let messages = desk.messages();
    match desk.contacts() {
        Some(contacts) if sent => desk.say(fill(&messages.cancelled_submitted, &[("contacts", &contacts)])),
        _ => desk.say(messages.cancelled.clone()),
    }
}

/// Begins the booking anew; an answer to the consent question stays.
pub(crate) fn restart(desk: &mut Desk<'_>) {
    desk.conversation.forget();
    desk.conversation.submitted = None;
    let messages = desk.messages();
    desk.say(messages.restarted.clone());
    ask_next(desk, false);
}

fn start_with_topic(desk: &mut Desk<'_>) {
    let conversation = &mut desk.conversation;
    conversation.asked = None;
    if conversation.details.treatments.is_empty() {
        conversation.details.treatments.extend(conversation.topic.clone());
    }
}

/// After a request was sent: another one is started only on a plain word. Whether that was answered here.
fn asks_for_another(desk: &mut Desk<'_>, found: &Found) -> bool {
    let messages = desk.messages();
    if desk.conversation.asked == Some(Ask::Another) {
        match found.answer {
            Some(Answer::No) if !found.has_details() => {
                desk.conversation.asked = None;
                desk.say(messages.another_no.clone());
                return true;
            }
            Some(Answer::Yes) => {
                let conversation = &mut desk.conversation;
                conversation.submitted = None;
                conversation.asked = None;
                conversation.media.clear();
                let Details {
                    name, phone, email, ..
                } = std::mem::take(&mut conversation.details);
                conversation.details = Details {
                    name,
                    phone,
                    email,
                    ..Details::default()
                };
                return false;
            }
            _ => {}
        }
    }
    if !found.has_details() && (found.booking || found.another) && !desk.conversation.is_booking() {
        desk.ask(Ask::Another, false);
        return true;
    }
    false
}

/// An answer to the summary, or to what is wrong with it. Whether it was one.
fn summary_answered(desk: &mut Desk<'_>, found: &Found) -> bool {
    let asked = desk.conversation.asked;
    if !matches!(asked, Some(Ask::Confirm | Ask::Change)) || desk.conversation.next_ask() != Ask::Confirm {
        return false;
    }
    match (asked, found.answer) {
        (Some(Ask::Confirm), Some(Answer::Yes)) => request::submit(desk),
        _ if found.fields.len() == 1 && found.questions.is_empty() => desk.ask(found.fields[0], true),
        (Some(Ask::Confirm), Some(Answer::No)) => desk.ask(Ask::Change, false),
        (Some(Ask::Change), _) if found.nothing || found.answer.is_some() => desk.ask(Ask::Confirm, false),
        (Some(Ask::Change), _) if found.questions.is_empty() => desk.ask(Ask::Change, true),
        _ => return false,
    }
    true
}

/// Something that gives nothing new: thanks, a greeting, or what was not understood.
fn respond_to_nothing(desk: &mut Desk<'_>, found: &Found, asked: Option<Ask>) {
    let messages = desk.messages();
    let has_media = desk.turn.requests.iter().any(|request| !request.media.is_empty());
    if found.bye {
        desk.say(messages.goodbye.clone());
    } else if found.thanks {
        desk.say(messages.welcome.clone());
    } else if found.greeting && asked.is_some() && found.answer.is_none() {
        desk.say(messages.hello_again.clone());
    } else if asked.is_some() && !found.booking && !found.resume && (!has_media || !found.wordless) {
        let text = match asked {
            Some(Ask::Name) => &messages.not_a_name,
            Some(Ask::Treatment) => &messages.not_a_treatment,
            Some(Ask::Contact) if found.answer == Some(Answer::No) => &messages.contact_needed,
            Some(Ask::Contact) => &messages.not_a_contact,
            Some(Ask::Time) => &messages.not_a_time,
            _ if found.long => &messages.too_long,
            _ => &messages.not_understood,
        };
        if found.answer.is_none() || asked == Some(Ask::Contact) {
            desk.say(text.clone());
        }
    }
}

impl Found {
    /// Whether the visitor wants to go on with the booking rather than talk to someone.
    pub(crate) fn resume_booking(&self) -> bool {
        self.resume && self.booking
    }
}

/// The treatments by the clinic's own names for them.
fn treatment_for_staff(desk: &Desk<'_>) -> String {
    let staff = desk.staff();
    let treatments = desk.conversation.details.treatments.iter();
    let names: Vec<String> = treatments
        .map(|name| {
            if is_undecided(name) {
                staff.undecided.clone()
            } else {
                name.clone()
            }
        })
        .collect();
    staff.all(&names)
}

/// The request as it is stored.
fn consultation(desk: &Desk<'_>, summary: String) -> Consultation {
    let details = desk.conversation.details.clone();
    Consultation {
        contact: details.contact().unwrap_or_default(),
        preferred_time: desk.staff().time(&details),
        name: details.name.unwrap_or_default(),
        treatment: treatment_for_staff(desk),
        media: desk.conversation.media.clone(),
        summary,
    }
}
