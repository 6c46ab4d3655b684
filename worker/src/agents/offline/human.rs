//! The agent for visitors who want a person: says what happens, and stays out of the way.

use super::desk::{Desk, HUMAN};
use super::language::fill;

/// Pins the session to a person.
pub(crate) fn take_over(desk: &mut Desk<'_>) {
    desk.agent = HUMAN;
    desk.conversation.asked = None;
    let messages = desk.messages();
    let reach = desk.reach(&messages.human_reach);
    desk.say(fill(
        &messages.human,
        &[("hours", &desk.week()), ("reach", &reach)],
    ));
}

/// Takes note of a message that waits for a person.
pub(crate) fn acknowledge(desk: &mut Desk<'_>) {
    desk.agent = HUMAN;
    desk.say(desk.messages().human_again.clone());
}
