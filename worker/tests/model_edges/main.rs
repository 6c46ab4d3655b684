//! The edges of the engine with a language model, against the fake server: what servers, models and visitors do that nobody expects.

mod deviations;
mod harness;
mod limits;
mod past;
mod questions;
mod takeover;
mod tools;
mod unheard;
