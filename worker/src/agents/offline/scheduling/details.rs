//! Taking details from a message, and saying what was taken.

use super::super::conversation::{Ask, Consent};
use super::super::desk::{Desk, clock, is_undecided};
use super::super::language::fill;
use super::super::understanding::contact::Invalid;
use super::super::understanding::found::Found;
use super::super::understanding::name;
use super::super::understanding::when::{Clock, Problem, When, resolve};
use crate::agents::Effect;
use time::macros::format_description;

/// What a message changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// New details.
    added: Vec<Ask>,
    /// Details that were known and are different now.
    corrected: Vec<Ask>,
    /// Sentences that say why something could not be taken.
    reasons: Vec<String>,
    /// What is to be asked again for such a reason.
    pub(super) problem: Option<Ask>,
}

impl Changes {
    /// Whether anything is different now.
    pub(super) fn any(&self) -> bool {
        !self.added.is_empty() || !self.corrected.is_empty()
    }

    fn note(&mut self, ask: Ask, known: bool) {
        if known {
            self.corrected.push(ask)
        } else {
            self.added.push(ask)
        }
    }

    fn fail(&mut self, ask: Ask, reason: String) {
        self.reasons.push(reason);
        self.problem = self.problem.or(Some(ask));
    }
}

/// Takes the details of a message.
pub(super) fn apply(desk: &mut Desk<'_>, found: &Found) -> Changes {
    let mut changes = Changes::default();
    take_name(desk, found, &mut changes);
    take_treatments(desk, found, &mut changes);
    take_contact(desk, found, &mut changes);
    let undecided = found.dont_know && found.when.is_none() && desk.conversation.asked == Some(Ask::Time);
    if let Some(when) = &found.when {
        take_time(desk, when, &mut changes);
    } else if undecided {
        changes.note(Ask::Time, false);
        desk.conversation.details.time = Some(desk.messages().any_time.clone());
        desk.conversation.details.dates.clear();
    }
    // Before consent, nothing is asked for but consent.
    if desk.conversation.consent != Consent::Given {
        changes.problem = None;
    }
    changes
}

fn take_name(desk: &mut Desk<'_>, found: &Found, changes: &mut Changes) {
    let Some(given) = &found.name else { return };
    let known = desk.conversation.details.name.clone();
    let name = name::merge(known.as_deref(), given, found.correcting);
    if known.as_deref() == Some(name.as_str()) {
        return;
    }
    changes.note(Ask::Name, known.is_some());
    desk.conversation.details.name = Some(name.clone());
    if desk.conversation.consent == Consent::Given {
        store_name(desk, name);
    }
}

/// Has the name stored, where it is not yet.
pub(crate) fn store_name(desk: &mut Desk<'_>, name: String) {
    if desk.conversation.stored_name.as_deref() != Some(name.as_str()) {
        // A correction in the turn that also gave consent leaves one effect, the last one.
        desk.effects
            .retain(|effect| !matches!(effect, Effect::Name { .. }));
        desk.conversation.stored_name = Some(name.clone());
        desk.effects.push(Effect::Name { name });
    }
}

fn take_treatments(desk: &mut Desk<'_>, found: &Found, changes: &mut Changes) {
    let undecided =
        found.treatments.is_empty() && found.dont_know && desk.conversation.asked == Some(Ask::Treatment);
    let unknown = desk.messages().undecided.clone();
    let details = &mut desk.conversation.details;
    if undecided {
        details.treatments = vec![unknown];
        return changes.note(Ask::Treatment, false);
    }
    if found.treatments.is_empty() {
        return;
    }
    let mut treatments = found.treatments.clone();
    if found.in_addition && !found.correcting {
        let mut all: Vec<String> = details
            .treatments
            .iter()
            .filter(|known| !is_undecided(known))
            .cloned()
            .collect();
        all.extend(
            treatments
                .into_iter()
                .filter(|treatment| !details.treatments.contains(treatment)),
        );
        treatments = all;
    }
    treatments.truncate(4);
    if details.treatments == treatments {
        return;
    }
    changes.note(Ask::Treatment, !details.treatments.is_empty());
    desk.conversation.topic = treatments.last().cloned();
    details.treatments = treatments;
}

fn take_contact(desk: &mut Desk<'_>, found: &Found, changes: &mut Changes) {
    let messages = desk.messages();
    let details = &mut desk.conversation.details;
    let known = details.contact();
    for (new, old) in [
        (&found.phone, &mut details.phone),
        (&found.email, &mut details.email),
    ] {
        if new.is_some() {
            old.clone_from(new);
        }
    }
    if details.contact() != known {
        changes.note(Ask::Contact, known.is_some());
    }
    if let Some(invalid) = found.invalid_contact {
        let reason = match invalid {
            Invalid::Short => &messages.phone_short,
            Invalid::Long => &messages.phone_long,
            Invalid::Email => &messages.email_broken,
        };
        changes.fail(Ask::Contact, reason.clone());
    }
}

fn take_time(desk: &mut Desk<'_>, when: &When, changes: &mut Changes) {
    let clock = Clock {
        now: desk.now(),
        written: &desk.written(),
        hours: &desk.clinic().opening_hours,
    };
    let iso = format_description!("[year]-[month]-[day]");
    let dates = match resolve(when, clock) {
        Ok(dates) => dates,
        Err(problem) => return changes.fail(Ask::Time, reason(desk, problem)),
    };
    let details = &mut desk.conversation.details;
    // "At four, then": the day stays.
    let new: Vec<String> = dates.iter().filter_map(|date| date.format(iso).ok()).collect();
    let dates = if new.is_empty() && (when.clock.is_some() || when.part) {
        details.dates.clone()
    } else {
        new
    };
    let time = Some(when.words.clone());
    if details.time == time && details.dates == dates {
        return;
    }
    changes.note(Ask::Time, details.time.is_some());
    details.time = time;
    details.dates = dates;
}

fn reason(desk: &Desk<'_>, problem: Problem) -> String {
    let messages = desk.messages();
    match problem {
        Problem::Past(None) => messages.time_past.clone(),
        Problem::Past(Some(date)) => fill(&messages.time_past_date, &[("date", &messages.date(date))]),
        Problem::Closed(date) => fill(&messages.time_closed, &[("date", &messages.date(date))]),
        Problem::Outside(date, from, until) => fill(
            &messages.time_outside,
            &[
                ("date", &messages.date(date)),
                ("from", &clock(from)),
                ("until", &clock(until)),
            ],
        ),
        Problem::Impossible => messages.time_impossible.clone(),
    }
}

/// Says what was taken: corrections in full, new details shortly, and why something was not taken.
pub(super) fn acknowledge(desk: &mut Desk<'_>, changes: &Changes, granted: bool) {
    let messages = desk.messages();
    let details = desk.conversation.details.clone();
    let treatment = desk.treatment();
    let time = desk.time(&details);
    let contact = details.contact().unwrap_or_default();
    let values = [
        ("name", details.name.as_deref().unwrap_or_default()),
        ("treatment", treatment.as_str()),
        ("contact", contact.as_str()),
        ("time", time.as_str()),
    ];
    let mut said: Vec<String> = Vec::new();
    if changes.added.contains(&Ask::Name) {
        let first = details.first_name().unwrap_or_default();
        said.push(fill(&messages.thanks_name, &[("name", first)]));
    } else if granted {
        said.push(messages.consent_thanks.clone());
    } else if !changes.added.is_empty() {
        said.push(messages.thanks_plain.clone());
    }
    // What the summary says in the same reply is not said twice.
    let summary = desk.conversation.next_ask() == Ask::Confirm && changes.problem.is_none();
    for ask in changes.added.iter().filter(|_| !summary) {
        let template = match ask {
            Ask::Treatment if treatment == messages.undecided => &messages.noted_undecided,
            Ask::Treatment => &messages.noted_treatment,
            Ask::Contact => &messages.noted_contact,
            Ask::Time => &messages.noted_time,
            _ => continue,
        };
        said.push(fill(template, &values));
    }
    for ask in &changes.corrected {
        let template = match ask {
            Ask::Name => &messages.corrected_name,
            Ask::Treatment => &messages.corrected_treatment,
            Ask::Contact => &messages.corrected_contact,
            _ => &messages.corrected_time,
        };
        said.push(fill(template, &values));
    }
    said.extend(changes.reasons.iter().cloned());
    if !said.is_empty() {
        desk.say(said.join(" "));
    }
}
