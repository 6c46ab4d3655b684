//! Dialogues as data: the conversations in `e2e/dialogues/`, played through the agents themselves, without any server of ours.
//!
//! - [`file`] is what a dialogue says, [`session`] what the worker would keep between two of its turns
//! - [`play`] plays one through any agent; [`check`] and [`alike`] compare what came of each turn with what was to come
//! - [`language`] tells in which language a reply is, [`meter`] what it has cost
//! - [`scripted`] plays those that have a script against the fake model server

pub mod alike;
pub mod check;
pub mod file;
pub mod language;
pub mod meter;
pub mod play;
pub mod scripted;
pub mod session;

pub use file::Dialogue;
pub use play::{Played, play};

/// What thinks behind the agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The offline rules. Their every word is known, and a second run must say the same.
    Rules,
    /// A language model. What counts is what it understands, what it stores, and what it does not say.
    Model,
}
