//! A session at work: what the tools change in it. Nothing is written but by the commit of the turn, which takes the outcome.

use serde_json::{Value, json};
use shared::media::Media;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Time};

use super::asked;
use super::memory::Memory;
use super::note::{self, Made};
use super::tools::{self, Given, Tool, Topic};
use crate::agents::offline::joint::{
    self, Ask, Consent, Conversation, Desk, HUMAN, INFORMATION, MANAGER, MAX_MEDIA, SCHEDULING, clean,
    digits, tidy,
};
use crate::agents::{Outcome, Turn};

/// The longest name, treatment and time that are kept, in characters.
const MAX_NAME: usize = 80;
const MAX_TREATMENT: usize = 80;
const MAX_TIME: usize = 80;

/// As many treatments as the rules take.
const MAX_TREATMENTS: usize = 4;

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const CLOCK: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]");

/// A turn at work.
pub(crate) struct Work<'a> {
    desk: Desk<'a>,
    memory: Memory,
    /// The session as the turn found it.
    before: Conversation,
    /// What the visitor wrote, as far as it is known: what is saved has to stand there.
    written: String,
    /// The calls so far, to be made again by whoever goes on.
    made: Vec<Made>,
    /// A visitor who has refused is to be asked once more.
    asks_again: bool,
    /// The visitor has refused or taken consent back: this turn's messages are not remembered either.
    forgets: bool,
}

impl<'a> Work<'a> {
    /// Takes up a session.
    pub(crate) fn begin(turn: &'a Turn) -> Self {
        let mut desk = Desk::new(turn);
        let memory = Memory::read(&turn.state);
        joint::listen(&mut desk);
        joint::recognise(&mut desk);
        let conversation = &mut desk.conversation;
        let room = MAX_MEDIA.saturating_sub(conversation.media.len());
        conversation.media.extend(attached(turn).take(room).cloned());
        let before = desk.conversation.clone();
        if desk.agent == MANAGER {
            // The rules know what a first message is about, well enough to begin with.
            match joint::answer(turn).1.active_agent.as_str() {
                HUMAN => joint::call_a_person(&mut desk),
                INFORMATION => desk.agent = INFORMATION,
                _ => desk.agent = SCHEDULING,
            }
        }
        let heard = turn.history.iter().filter(|message| message.incoming);
        let mut written: Vec<&str> = heard.map(|message| message.body.as_str()).collect();
        written.extend(turn.requests.iter().map(|request| request.content.as_str()));
        Self {
            desk,
            memory,
            before,
            written: clean(&written.join("\n")),
            made: Vec::new(),
            asks_again: false,
            forgets: false,
        }
    }

    /// The agent that has the session now.
    pub(crate) fn agent(&self) -> &'static str {
        self.desk.agent
    }

    /// The session.
    pub(crate) fn desk(&self) -> &Desk<'a> {
        &self.desk
    }

    /// What is remembered of older messages.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// All calls so far.
    pub(crate) fn made(&self) -> &[Made] {
        &self.made
    }

    /// Makes a call, and returns what the model is told. The same calls in the same order on the same turn come to the same.
    pub(crate) fn call(&mut self, name: &str, arguments: &str) -> String {
        self.made.push((name.to_owned(), arguments.to_owned()));
        // What is not noted would be lost with this worker, whatever was said of it.
        if note::write(&self.made).is_none() {
            self.made.pop();
            return json!({"error": "too much for one turn: say something first"}).to_string();
        }
        let result = tools::read(self.desk.agent, name, arguments).and_then(|tool| match tool {
            Tool::SaveDetails(given) => Ok(self.save(&given)),
            Tool::SubmitConsultation => self.submit(),
            Tool::Lookup(topic) => Ok(self.look_up(topic)),
            Tool::SwitchAgent(agent) => {
                self.desk.agent = agent;
                Ok(json!({"ok": true, "agent": agent}))
            }
            Tool::RequestHuman => {
                joint::call_a_person(&mut self.desk);
                Ok(json!({"ok": true, "next": "someone of the team takes over here"}))
            }
        });
        result
            .unwrap_or_else(|reason| json!({ "error": reason }))
            .to_string()
    }

    /// The outcome of the turn; `reply` is what was said in it.
    pub(crate) fn finish(mut self, reply: &str) -> Outcome {
        let turn = self.desk.turn;
        if !self.forgets {
            for request in &turn.requests {
                self.memory.hear(&request.content, &turn.clinic);
            }
        }
        self.desk.conversation.greeted = true;
        if self.asks_again && asked::for_consent(reply) {
            self.desk.conversation.consent = Consent::Unasked;
        }
        let details = &self.desk.conversation;
        let sent = details.submitted.as_ref() == Some(&details.details);
        let refused = details.consent == Consent::Refused;
        // The question that the model was told to ask: the rules, or the next turn, take it up from here. A yes to consent or to
        // the details counts only for what was asked in as many words.
        let next = details.next_ask();
        let asks = match next {
            Ask::Consent => asked::for_consent(reply),
            Ask::Confirm => asked::whether_right(reply, &details.details),
            _ => asked::anything(reply),
        };
        self.desk.quick_replies.clear();
        if self.desk.agent == SCHEDULING && asks && !sent && !refused {
            if next == Ask::Consent {
                self.desk.conversation.consent = Consent::Asked;
            }
            self.desk.ask(next, true);
            if !matches!(next, Ask::Consent | Ask::Confirm) {
                self.desk.quick_replies.clear();
            }
        } else {
            self.desk.conversation.asked = None;
        }
        let (_, mut outcome) = self.desk.finish();
        self.memory.write(&mut outcome.state);
        outcome
    }

    fn save(&mut self, given: &Given) -> Value {
        let mut saved = Vec::new();
        let mut problems = serde_json::Map::new();
        let mut note = |field: &'static str, result: Result<(), String>| match result {
            Ok(()) => saved.push(field),
            Err(reason) => {
                problems.insert(field.into(), reason.into());
            }
        };
        // First, since a no makes the rest void.
        if let Some(given) = given.consent {
            note("consent", self.consent(given));
        }
        if self.desk.conversation.consent == Consent::Refused {
            note("details", Err("the visitor has refused: nothing is kept".into()));
        } else {
            if let Some(name) = &given.name {
                note("name", self.name(name));
            }
            if let Some(treatment) = &given.treatment {
                note("treatment", self.treatment(treatment));
            }
            if let Some(phone) = &given.phone {
                note("phone", self.phone(phone));
            }
            if let Some(email) = &given.email {
                note("email", self.email(email));
            }
            let (date, clock) = (given.preferred_date.as_deref(), given.preferred_clock.as_deref());
            if let Some(words) = &given.preferred_time {
                note("preferred_time", self.time(words, date, clock));
            } else if date.is_some() || clock.is_some() {
                note(
                    "preferred_time",
                    Err("the visitor's own words are missing".into()),
                );
            }
        }
        json!({"saved": saved, "problems": problems, "still_missing": self.missing()})
    }

    /// What a request still lacks.
    fn missing(&self) -> &'static str {
        match self.desk.conversation.next_ask() {
            Ask::Consent => "consent",
            Ask::Name => "name",
            Ask::Treatment => "treatment",
            Ask::Contact => "phone or email",
            Ask::Time => "preferred_time",
            _ => "nothing: read the details back and ask for a yes",
        }
    }

    fn consent(&mut self, given: bool) -> Result<(), String> {
        let consent = self.before.consent;
        match (given, self.desk.conversation.consent) {
            (true, Consent::Given) => Ok(()),
            (true, _) if consent == Consent::Unasked => {
                Err("the visitor has not been asked yet: ask first".into())
            }
            (true, _) if consent == Consent::Refused && !joint::grants(&self.desk) => {
                self.asks_again = true;
                Err("the visitor has refused: ask once more, and save their answer to that".into())
            }
            (true, _) if joint::says_no(&self.desk) => Err("the visitor's message is a no".into()),
            (true, _) => {
                joint::give_consent(&mut self.desk);
                Ok(())
            }
            (false, consent) => {
                self.forgets = true;
                match consent {
                    Consent::Refused => return Ok(()),
                    Consent::Given => joint::withdraw(&mut self.desk),
                    Consent::Unasked | Consent::Asked => joint::refuse(&mut self.desk),
                }
                self.memory.forget();
                Ok(())
            }
        }
    }

    fn name(&mut self, name: &str) -> Result<(), String> {
        let name = tidy(&clean(name), MAX_NAME + 1);
        let fine = |character: char| {
            character.is_alphabetic() || character.is_whitespace() || "'-.,\u{0301}".contains(character)
        };
        if name.chars().count() > MAX_NAME || !name.chars().any(char::is_alphabetic) {
            return Err("a name has letters, and 80 characters at most".into());
        }
        if !name.chars().all(fine) {
            return Err("a name has no digits and no special characters".into());
        }
        self.desk.conversation.details.name = Some(name.clone());
        if self.desk.conversation.consent == Consent::Given {
            joint::store_name(&mut self.desk, name);
        }
        Ok(())
    }

    fn treatment(&mut self, treatment: &str) -> Result<(), String> {
        let words = tidy(&clean(treatment), MAX_TREATMENT);
        if !words.chars().any(char::is_alphabetic) {
            return Err("the treatment is named in words".into());
        }
        let mut treatments = joint::treatments(&self.desk, &words);
        if treatments.is_empty() {
            treatments.push(words);
        }
        treatments.truncate(MAX_TREATMENTS);
        let conversation = &mut self.desk.conversation;
        conversation.topic = treatments.first().cloned();
        conversation.details.treatments = treatments;
        Ok(())
    }

    fn phone(&mut self, phone: &str) -> Result<(), String> {
        let phone = joint::phone(phone)?;
        if digits(&phone) == 0 || !asked::digits(&self.written).contains(&asked::digits(&phone)) {
            return Err(
                "this number does not stand in the visitor's messages: take it exactly as it was written"
                    .into(),
            );
        }
        self.desk.conversation.details.phone = Some(phone);
        Ok(())
    }

    fn email(&mut self, email: &str) -> Result<(), String> {
        let email = joint::email(email)?;
        if !self.written.to_lowercase().contains(&email.to_lowercase()) {
            return Err(
                "this address does not stand in the visitor's messages: take it exactly as it was written"
                    .into(),
            );
        }
        self.desk.conversation.details.email = Some(email);
        Ok(())
    }

    fn time(&mut self, words: &str, date: Option<&str>, clock: Option<&str>) -> Result<(), String> {
        let words = tidy(&clean(words), MAX_TIME);
        if words.is_empty() {
            return Err("the visitor's own words are missing".into());
        }
        let date = date
            .map(|date| Date::parse(date, DATE).map_err(|_| "a date is written YYYY-MM-DD"))
            .transpose()?;
        let clock = clock
            .map(|clock| Time::parse(clock, CLOCK).map_err(|_| "a time of day is written HH:MM"))
            .transpose()?;
        if let Some(date) = date {
            joint::can_meet(&self.desk, self.desk.now(), date, clock)?;
        }
        let details = &mut self.desk.conversation.details;
        details.time = Some(words);
        details.dates = date.and_then(|date| date.format(DATE).ok()).into_iter().collect();
        Ok(())
    }

    fn submit(&mut self) -> Result<Value, String> {
        let conversation = &self.desk.conversation;
        if conversation.submitted.as_ref() == Some(&conversation.details) {
            return Ok(json!({"ok": true, "already_sent": true}));
        }
        if conversation.next_ask() != Ask::Confirm {
            return Err(format!("still missing: {}", self.missing()));
        }
        let confirmed =
            self.before.asked == Some(Ask::Confirm) && self.before.details == conversation.details;
        if !confirmed || joint::says_no(&self.desk) {
            return Err(
                "not confirmed: read all details back with the full name and the contact, ask whether they may be sent, and wait for a yes"
                    .into(),
            );
        }
        joint::submit(&mut self.desk);
        Ok(json!({"ok": true, "next": "the team contacts the visitor to confirm the time"}))
    }

    fn look_up(&self, topic: Topic) -> Value {
        let clinic = self.desk.clinic();
        match topic {
            Topic::Treatments => clinic
                .treatments
                .iter()
                .map(|treatment| {
                    json!({"name": treatment.full_name(), "description": treatment.description,
                        "price_from": treatment.price_from, "duration": treatment.duration, "recovery": treatment.recovery})
                })
                .collect(),
            Topic::Hours => json!({"week": self.desk.week(), "offset": self.desk.offset(),
                "open_now": clinic.opening_hours.is_open(self.desk.now())}),
            Topic::Answers => clinic
                .faqs
                .iter()
                .map(|faq| json!({"about": faq.keywords, "answer": faq.answer}))
                .collect(),
        }
    }
}

/// What came with this turn's messages.
pub(crate) fn attached(turn: &Turn) -> impl Iterator<Item = &Media> {
    turn.requests.iter().flat_map(|request| request.media.iter())
}
