//! The offline engine: agents that follow rules and need no key and no network.
//!
//! [`Manager`] is the entry point. It looks for emergencies, finds out what a message says (`understanding`), and hands
//! it to `scheduling`, `information` or `human`, which speak through a `desk`. What is understood and what is said lies
//! in files, one set a language (`language`). Everything is a pure function of the turn: run again, it says the same.

mod conversation;
mod desk;
mod emergency;
mod human;
mod information;
pub(crate) mod joint;
mod language;
mod manager;
mod media;
mod scheduling;
mod understanding;

pub use manager::Manager;
