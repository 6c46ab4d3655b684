//! The manager: emergencies first, then what a message is about, and which agent the session is pinned to.

use time::format_description::well_known::Rfc3339;

use super::conversation::{Ask, Consent};
use super::desk::{Desk, HUMAN, INFORMATION, MANAGER, SCHEDULING};
use super::emergency::{self, Emergency};
use super::language::{Said, fill};
use super::understanding::answer::Answer;
use super::understanding::found::{self, Found};
use super::understanding::question::Question;
use super::{human, information, media, scheduling};
use crate::agents::{Agent, AgentError, Outcome, Reply, Turn};

/// The entry point of the offline engine: everything a visitor says goes through it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manager;

impl Manager {
    /// A manager; it holds nothing, so one serves all sessions.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Agent for Manager {
    fn name(&self) -> &'static str {
        MANAGER
    }

    async fn run(&self, turn: &Turn, reply: &mut Reply) -> Result<Outcome, AgentError> {
        let (text, outcome) = answer(turn);
        reply.say(&text).await?;
        Ok(outcome)
    }
}

/// The reply to a turn, and what has to be stored.
pub(crate) fn answer(turn: &Turn) -> (String, Outcome) {
    let mut desk = Desk::new(turn);
    let said = Said::new(&turn.said());
    let emergency = emergency::find(&said);
    let known = desk.listen(&said);
    if let (false, Some((_, language))) = (known, emergency) {
        desk.speak(language);
    }
    let text = said.read_by(&desk.language.lexicon);
    let first = !desk.conversation.greeted;
    desk.conversation.greeted = true;

    if let Some((emergency, _)) = emergency {
        alarm(&mut desk, emergency, first);
        return desk.finish();
    }
    scheduling::recognise(&mut desk);
    let found = found::read(&text, &desk.conversation, desk.clinic(), &desk.language.lexicon);
    if let Some(late) = desk.late() {
        desk.say(late);
    }
    if first {
        introduce(&mut desk);
    }
    let spoken = found.questions.len();
    media::acknowledge(&mut desk);
    tracing::debug!(
        questions = spoken,
        details = found.has_details(),
        "message understood"
    );
    route(&mut desk, &found, first);
    desk.finish()
}

/// The reply to an emergency, which no other engine answers; `None` where the turn tells of none.
pub(crate) fn answer_emergency(turn: &Turn) -> Option<(String, Outcome)> {
    emergency::find(&Said::new(&turn.said())).map(|_| answer(turn))
}

/// Says whom to call, and marks the session. Nothing else matters now, and no question of ours is left open.
fn alarm(desk: &mut Desk<'_>, emergency: Emergency, first: bool) {
    let (messages, clinic) = (desk.messages(), desk.clinic());
    let template = match emergency {
        Emergency::Danger => &messages.emergency,
        Emergency::Despair => &messages.despair,
    };
    desk.say(fill(template, &[("number", &clinic.emergency_number)]));
    if first {
        desk.say(fill(
            &messages.intro_emergency,
            &[("assistant", &clinic.assistant)],
        ));
    }
    desk.say(messages.emergency_after.clone());
    let at = desk.turn.now.format(&Rfc3339).ok();
    let conversation = &mut desk.conversation;
    conversation.emergency = true;
    conversation.emergency_at = at;
    conversation.asked = None;
    let new = desk
        .turn
        .requests
        .iter()
        .flat_map(|request| request.media.iter().cloned());
    conversation.media.extend(new);
    conversation.media.truncate(super::conversation::MAX_MEDIA);
}

fn introduce(desk: &mut Desk<'_>) {
    let (messages, clinic) = (desk.messages(), desk.clinic());
    let known = desk
        .conversation
        .details
        .first_name()
        .filter(|_| desk.conversation.consent == Consent::Given);
    let names = [
        ("assistant", clinic.assistant.as_str()),
        ("clinic", clinic.name.as_str()),
        ("name", known.unwrap_or_default()),
    ];
    let template = if known.is_some() {
        &messages.intro_named
    } else {
        &messages.intro
    };
    desk.say(fill(template, &names));
}

/// Decides who answers.
fn route(desk: &mut Desk<'_>, found: &Found, first: bool) {
    let messages = desk.messages();
    if found.withdraw && !found.questions.contains(&Question::Privacy) {
        return scheduling::withdraw(desk);
    }
    if found.human && !found.resume_booking() {
        information::answer(desk, &found.questions);
        return human::take_over(desk);
    }
    if desk.agent == HUMAN {
        if !found.resume && !found.booking {
            information::answer(desk, &known(&found.questions));
            if found.questions.is_empty() || desk.is_silent() {
                human::acknowledge(desk);
            }
            return;
        }
        desk.agent = SCHEDULING;
        desk.say(messages.human_back.clone());
        return scheduling::proceed(desk, found);
    }
    if found.abuse {
        desk.say(messages.calm.clone());
        return go_on(desk);
    }
    if found.restart {
        return scheduling::restart(desk);
    }
    if found.cancel
        && !found.has_details()
        && !found.resume
        && (desk.conversation.consent != Consent::Refused || !found.grant)
    {
        return scheduling::cancel(desk);
    }
    information::answer(desk, &found.questions);
    let conversation = &desk.conversation;
    let answers_offer =
        matches!(conversation.asked, Some(Ask::Offer | Ask::Another)) && found.answer.is_some();
    let changes_mind = conversation.consent == Consent::Refused && found.grant;
    if conversation.is_booking() || found.moves_booking() || answers_offer || changes_mind || found.resume {
        desk.agent = SCHEDULING;
        return scheduling::proceed(desk, found);
    }
    if first
        && found
            .questions
            .iter()
            .all(|question| matches!(question, Question::Smalltalk | Question::Who))
    {
        desk.agent = SCHEDULING;
        desk.add(&messages.purpose.clone());
        return scheduling::ask_next(desk, false);
    }
    converse(desk, found);
}

/// A message outside of a booking.
fn converse(desk: &mut Desk<'_>, found: &Found) {
    let messages = desk.messages();
    let asked = desk.conversation.asked;
    let consent = desk.conversation.consent;
    if !found.questions.is_empty() {
        desk.agent = INFORMATION;
        if consent != Consent::Refused && desk.conversation.submitted.is_none() {
            desk.ask(Ask::Offer, asked.is_some());
        }
        return;
    }
    if found.bye {
        return desk.say(messages.goodbye.clone());
    }
    if found.thanks {
        desk.say(messages.welcome.clone());
    }
    let contact = desk
        .conversation
        .submitted
        .as_ref()
        .and_then(super::conversation::Details::contact);
    match (contact, consent) {
        (Some(contact), _) => desk.say(fill(&messages.already_submitted, &[("contact", &contact)])),
        (None, Consent::Refused) if found.answer == Some(Answer::Yes) && !found.thanks && !found.weak_yes => {
            desk.agent = SCHEDULING;
            desk.ask(Ask::Consent, true);
        }
        (None, Consent::Refused) => desk.say(messages.refused_still.clone()),
        (None, _) if found.thanks => {}
        (None, _) => {
            if found.greeting {
                desk.say(messages.hello_again.clone());
            } else if desk.is_silent() && found.answer.is_none() {
                desk.say(messages.not_understood.clone());
            }
            go_on(desk);
        }
    }
}

/// Returns to where the conversation was.
fn go_on(desk: &mut Desk<'_>) {
    let conversation = &desk.conversation;
    match conversation.asked {
        Some(ask) => desk.ask(ask, true),
        None if conversation.consent == Consent::Refused => {}
        None if conversation.submitted.is_some() => {}
        None => {
            desk.agent = SCHEDULING;
            scheduling::ask_next(desk, false);
        }
    }
}

/// The questions that can be answered.
fn known(questions: &[Question]) -> Vec<Question> {
    questions
        .iter()
        .filter(|question| **question != Question::Unknown)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
