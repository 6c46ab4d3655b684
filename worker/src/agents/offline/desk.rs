//! Where the offline agents do their work in a turn: what they know, what they say, what they want to be stored.

use shared::clinic::{Clinic, DayHours};
use time::OffsetDateTime;

use super::conversation::{Ask, Conversation, Details};
use super::language::{Language, Messages, Said, by_tag, detect, english, fill, languages};
use crate::agents::{Effect, Outcome, Turn};

/// The names under which a session is pinned to an agent.
pub(crate) const MANAGER: &str = "manager";
pub(crate) const SCHEDULING: &str = "scheduling";
pub(crate) const INFORMATION: &str = "information";
pub(crate) const HUMAN: &str = "human";

/// A turn at work.
pub(crate) struct Desk<'a> {
    pub(crate) turn: &'a Turn,
    pub(crate) language: &'static Language,
    pub(crate) conversation: Conversation,
    /// The agent that the session is pinned to after the turn.
    pub(crate) agent: &'static str,
    pub(crate) effects: Vec<Effect>,
    pub(crate) quick_replies: Vec<String>,
    paragraphs: Vec<String>,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(turn: &'a Turn) -> Self {
        let agent = match turn.active_agent.as_deref() {
            Some(SCHEDULING) => SCHEDULING,
            Some(INFORMATION) => INFORMATION,
            Some(HUMAN) => HUMAN,
            _ => MANAGER,
        };
        let conversation = Conversation::read(&turn.state);
        let known = spoken(&conversation, turn);
        Self {
            turn,
            language: known.unwrap_or_else(english),
            conversation,
            agent,
            effects: Vec::new(),
            quick_replies: Vec::new(),
            paragraphs: Vec::new(),
        }
    }

    pub(crate) fn clinic(&self) -> &'a Clinic {
        &self.turn.clinic
    }

    pub(crate) fn messages(&self) -> &'static Messages {
        &self.language.messages
    }

    /// Goes over to the language that `said` is clearly written in. Returns whether any language is known by now.
    pub(crate) fn listen(&mut self, said: &Said) -> bool {
        let known = spoken(&self.conversation, self.turn);
        let written = detect(said, known, &self.conversation);
        if let Some(language) = written {
            self.speak(language);
        }
        written.or(known).is_some()
    }

    /// From now on in `language`.
    pub(crate) fn speak(&mut self, language: &'static Language) {
        self.language = language;
        self.conversation.language = Some(language.tag.to_owned());
    }

    /// The present by the clinic's clock.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.turn.now.to_offset(self.clinic().utc_offset)
    }

    /// When each line of what the visitor says was written, by the clinic's clock.
    pub(crate) fn written(&self) -> Vec<OffsetDateTime> {
        let written = self.turn.written().into_iter();
        written.map(|at| at.to_offset(self.clinic().utc_offset)).collect()
    }

    /// When the first of the visitor's messages was written, by the clinic's clock.
    pub(crate) fn began(&self) -> OffsetDateTime {
        self.turn.began().to_offset(self.clinic().utc_offset)
    }

    /// A word about a reply that comes late; `None` where it does not.
    pub(crate) fn late(&self) -> Option<String> {
        if !self.turn.is_late {
            return None;
        }
        let messages = self.messages();
        let (written, today) = (self.began().date(), self.now().date());
        Some(match (today - written).whole_days() {
            0 => messages.late_today.clone(),
            1 => messages.late_yesterday.clone(),
            _ => fill(&messages.late_on, &[("date", &messages.date(written))]),
        })
    }

    /// Says a paragraph.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        let text = text.into();
        // Two questions of a visitor may have one answer, which is said once.
        if !text.is_empty() && !self.paragraphs.contains(&text) {
            self.paragraphs.push(text);
        }
    }

    /// Says something in the paragraph that was begun.
    pub(crate) fn add(&mut self, text: &str) {
        match self.paragraphs.last_mut() {
            Some(last) => {
                last.push(' ');
                last.push_str(text);
            }
            None => self.say(text),
        }
    }

    /// Whether nothing has been said yet in this turn.
    pub(crate) fn is_silent(&self) -> bool {
        self.paragraphs.is_empty()
    }

    /// What is said, and what is to be stored.
    pub(crate) fn finish(self) -> (String, Outcome) {
        let outcome = Outcome {
            state: self.conversation.write(),
            active_agent: self.agent.to_owned(),
            language: self.conversation.language,
            effects: self.effects,
            quick_replies: self.quick_replies,
        };
        (self.paragraphs.join("\n\n"), outcome)
    }

    /// Asks a question; in its shorter form where it was asked before or `again` is set.
    pub(crate) fn ask(&mut self, ask: Ask, again: bool) {
        let conversation = &mut self.conversation;
        let repeated = conversation.asked == Some(ask);
        conversation.times = if repeated {
            conversation.times.saturating_add(1)
        } else {
            0
        };
        conversation.asked = Some(ask);
        let again = again || repeated;
        let messages = self.messages();
        let text = match (ask, again) {
            (Ask::Consent, false) => messages.ask_consent.clone(),
            (Ask::Consent, true) => messages.ask_consent_again.clone(),
            (Ask::Name, false) => messages.ask_name.clone(),
            (Ask::Name, true) => messages.ask_name_again.clone(),
            (Ask::Treatment, false) => fill(&messages.ask_treatment, &[("treatments", &self.treatments())]),
            (Ask::Treatment, true) => {
                let names = self.names().join(&messages.comma);
                fill(&messages.ask_treatment_again, &[("treatments", &names)])
            }
            (Ask::Contact, false) => messages.ask_contact.clone(),
            (Ask::Contact, true) => messages.ask_contact_again.clone(),
            (Ask::Time, false) => messages.ask_time.clone(),
            (Ask::Time, true) => messages.ask_time_again.clone(),
            (Ask::Change, false) => messages.ask_change.clone(),
            (Ask::Change, true) => messages.ask_change_again.clone(),
            (Ask::Offer, false) => messages.ask_offer.clone(),
            (Ask::Offer, true) => messages.ask_offer_again.clone(),
            (Ask::Confirm, _) => self.summary(),
            (Ask::Another, _) => self.another(),
        };
        self.quick_replies = match ask {
            Ask::Consent | Ask::Confirm | Ask::Offer | Ask::Another => {
                vec![messages.yes.clone(), messages.no.clone()]
            }
            Ask::Treatment => self.names(),
            _ => Vec::new(),
        };
        self.say(text);
    }

    fn summary(&self) -> String {
        let messages = self.messages();
        let details = &self.conversation.details;
        let template = match self.conversation.submitted {
            Some(_) => &messages.ask_confirm_update,
            None => &messages.ask_confirm,
        };
        let attachments = match self.conversation.media.as_slice() {
            [] => String::new(),
            media => {
                let list = super::media::listed(media, messages);
                fill(&messages.confirm_attachments, &[("attachments", &list)])
            }
        };
        let treatment = self.treatment();
        let time = self.time(details);
        let values = [
            ("name", details.name.as_deref().unwrap_or_default()),
            ("treatment", &treatment),
            ("contact", &details.contact().unwrap_or_default()),
            ("time", &time),
            ("attachments", &attachments),
        ];
        fill(template, &values)
    }

    fn another(&self) -> String {
        let sent = self.conversation.submitted.clone().unwrap_or_default();
        let treatment = self.named(&sent.treatments);
        let time = self.time(&sent);
        fill(
            &self.messages().ask_another,
            &[("treatment", &treatment), ("time", &time)],
        )
    }

    /// The treatment or treatments of the request, as one text.
    pub(crate) fn treatment(&self) -> String {
        self.named(&self.conversation.details.treatments)
    }

    fn named(&self, treatments: &[String]) -> String {
        let names: Vec<String> = treatments.iter().map(|name| self.in_language(name)).collect();
        self.messages().all(&names)
    }

    /// What a request has as treatment, by the name that the visitor's language has for it.
    fn in_language(&self, name: &str) -> String {
        let known = self
            .clinic()
            .treatments
            .iter()
            .find(|treatment| treatment.name == name);
        match known {
            Some(treatment) => treatment.in_language(self.language.tag).name,
            None if is_undecided(name) => self.messages().undecided.clone(),
            None => name.to_owned(),
        }
    }

    /// The preferred time in the visitor's words, with the dates in the visitor's language.
    pub(crate) fn time(&self, details: &Details) -> String {
        self.messages().time(details)
    }

    /// What the staff's language says.
    pub(crate) fn staff(&self) -> &'static Messages {
        &by_tag(&self.clinic().staff_language)
            .unwrap_or_else(english)
            .messages
    }

    /// The names of the clinic's treatments.
    fn names(&self) -> Vec<String> {
        let treatments = self.clinic().treatments.iter();
        treatments
            .map(|treatment| treatment.in_language(self.language.tag).name)
            .collect()
    }

    /// The clinic's treatments as a sentence lists them.
    pub(crate) fn treatments(&self) -> String {
        let names: Vec<String> = self
            .clinic()
            .treatments
            .iter()
            .map(|treatment| treatment.in_language(self.language.tag).full_name())
            .collect();
        self.messages().all(&names)
    }

    /// How the clinic can be reached: "phone … or e-mail …"; `None` where nothing is configured.
    pub(crate) fn contacts(&self) -> Option<String> {
        let (messages, contact) = (self.messages(), &self.clinic().contact);
        let phone = contact
            .phone
            .as_deref()
            .map(|phone| fill(&messages.reach_phone, &[("phone", phone)]));
        let email = contact
            .email
            .as_deref()
            .map(|email| fill(&messages.reach_email, &[("email", email)]));
        let ways: Vec<String> = phone.into_iter().chain(email).collect();
        (!ways.is_empty()).then(|| messages.any(&ways))
    }

    /// A sentence with the clinic's contacts, or nothing where there are none.
    pub(crate) fn reach(&self, template: &str) -> String {
        self.contacts()
            .map_or_else(String::new, |contacts| fill(template, &[("contacts", &contacts)]))
    }

    /// The week's opening hours, days with the same hours together.
    pub(crate) fn week(&self) -> String {
        let messages = self.messages();
        let mut groups: Vec<(usize, usize, DayHours)> = Vec::new();
        for (index, (_, hours)) in self.clinic().opening_hours.week().enumerate() {
            match groups.last_mut() {
                Some(group) if group.2 == hours => group.1 = index,
                _ => groups.push((index, index, hours)),
            }
        }
        let spans = groups.into_iter().map(|(first, last, hours)| {
            let hours = match hours {
                DayHours::Closed => messages.hours_closed.clone(),
                DayHours::Open(from, until) => fill(
                    &messages.hours_range,
                    &[("from", &clock(from)), ("until", &clock(until))],
                ),
            };
            let (first, last) = (&messages.weekdays[first], &messages.weekdays[last]);
            if first == last {
                return fill(&messages.hours_day, &[("day", first), ("hours", &hours)]);
            }
            fill(
                &messages.hours_span,
                &[("first", first), ("last", last), ("hours", &hours)],
            )
        });
        spans.collect::<Vec<_>>().join(&messages.comma)
    }

    /// "+03:00"
    pub(crate) fn offset(&self) -> String {
        let (hours, minutes, _) = self.clinic().utc_offset.as_hms();
        let sign = if self.clinic().utc_offset.is_negative() {
            '-'
        } else {
            '+'
        };
        format!("{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs())
    }
}

/// The language that a conversation is in, or that is stored of the visitor.
fn spoken(conversation: &Conversation, turn: &Turn) -> Option<&'static Language> {
    let tag = conversation.language.as_deref().or(turn.user.language.as_deref());
    tag.and_then(by_tag)
}

/// Whether the treatment of a request is what "not decided yet" is in any language.
pub(crate) fn is_undecided(treatment: &str) -> bool {
    languages().any(|language| language.messages.undecided == treatment)
}

/// "09:00"
pub(crate) fn clock(time: time::Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}
