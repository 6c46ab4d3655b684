//! What the agents with a language model share with the rules: the state of a session, and the steps of a booking. With it, each
//! engine can go on where the other one stopped.

use time::{Date, OffsetDateTime, Time};

use crate::agents::Turn;

pub(crate) use super::conversation::{Ask, Consent, Conversation, Details, MAX_MEDIA};
pub(crate) use super::desk::{Desk, HUMAN, INFORMATION, MANAGER, SCHEDULING};
#[cfg(test)]
pub(crate) use super::language::languages;
pub(crate) use super::language::{Messages, fold};
pub(crate) use super::manager::{answer, answer_emergency};
pub(crate) use super::scheduling::{give_consent, recognise, refuse, store_name, submit, withdraw};
pub(crate) use super::understanding::contact::digits;
pub(crate) use super::understanding::text::{Gap, Text, Token, clean, is_invisible, tidy};

use super::language::Said;
use super::understanding::answer::{self as yes_or_no, Answer};
use super::understanding::contact::{self, Invalid};
use super::understanding::found;
use super::understanding::treatment::mentions;
use super::understanding::vocabulary::Vocabulary;
use super::understanding::when::{Clock, Day, Named, Problem, When, resolve};

/// Whether `said` tells of an emergency.
pub(crate) fn is_emergency(said: &str) -> bool {
    super::emergency::find(&Said::new(said)).is_some()
}

/// What is said where a message could not be answered.
pub(crate) fn apology(turn: &Turn) -> String {
    let mut desk = Desk::new(turn);
    listen(&mut desk);
    let messages = desk.messages();
    messages.failed.clone() + &desk.reach(&messages.failed_reach)
}

/// Pins the session to a person.
pub(crate) fn call_a_person(desk: &mut Desk<'_>) {
    super::human::take_over(desk);
}

/// Goes over to the language of this turn's message, where that is clear.
pub(crate) fn listen(desk: &mut Desk<'_>) {
    desk.listen(&Said::new(&desk.turn.said()));
}

/// Whether the message of this turn is a plain no.
pub(crate) fn says_no(desk: &Desk<'_>) -> bool {
    yes_or_no::find(&heard(desk), &desk.language.lexicon) == Some(Answer::No)
}

/// Whether the message of this turn allows in so many words to collect personal information.
pub(crate) fn grants(desk: &Desk<'_>) -> bool {
    let lexicon = &desk.language.lexicon;
    found::read(&heard(desk), &desk.conversation, desk.clinic(), lexicon).grant
}

/// The messages of this turn as the language of the conversation reads them.
fn heard(desk: &Desk<'_>) -> Text {
    desk.language.lexicon.read(&desk.turn.said())
}

/// The telephone number in `text`, as it is written there.
///
/// # Errors
/// Why it is none.
pub(crate) fn phone(text: &str) -> Result<String, &'static str> {
    let found = contact::find(&clean(text));
    match (found.phone, found.invalid) {
        (Some(phone), _) => Ok(phone),
        (None, Some(Invalid::Long)) => Err("a telephone number has 15 digits at most"),
        (None, _) => Err("a telephone number has 7 digits at least"),
    }
}

/// The e-mail address in `text`.
///
/// # Errors
/// Why it is none.
pub(crate) fn email(text: &str) -> Result<String, &'static str> {
    contact::find(&clean(text))
        .email
        .ok_or("this is no complete e-mail address")
}

/// The treatments of the clinic that `text` names in any of its words for them, by their own names.
pub(crate) fn treatments(desk: &Desk<'_>, text: &str) -> Vec<String> {
    let (clinic, lexicon) = (desk.clinic(), &desk.language.lexicon);
    let said = Said::new(text);
    let text = said.read_by(lexicon);
    let mut names: Vec<String> = Vec::new();
    for mention in mentions(&text.tokens, &Vocabulary::new(clinic, lexicon), lexicon) {
        let name = &clinic.treatments[mention.index].name;
        if !mention.refused && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Checks that the clinic can be met on a date.
///
/// # Errors
/// Why it cannot.
pub(crate) fn can_meet(
    desk: &Desk<'_>,
    now: OffsetDateTime,
    date: Date,
    time: Option<Time>,
) -> Result<(), String> {
    let clock = Clock {
        now,
        // A date counts from nothing.
        written: &[],
        hours: &desk.clinic().opening_hours,
    };
    let when = When {
        days: vec![Named {
            day: Day::On(date),
            line: 0,
        }],
        clock: time,
        ..When::default()
    };
    match resolve(&when, clock) {
        Ok(_) => Ok(()),
        Err(Problem::Past(_)) => Err("this time has passed, or the clinic has closed for that day".into()),
        Err(Problem::Closed(_)) => Err("the clinic is closed on that day".into()),
        Err(Problem::Outside(_, from, until)) => Err(format!(
            "on that day the clinic is open from {} to {}",
            super::desk::clock(from),
            super::desk::clock(until)
        )),
        Err(Problem::Impossible) => Err("there is no such date".into()),
    }
}
