//! The engine that thinks with a language model: the same agents, the same state, another way to find words.
//!
//! - [`config`]: the settings; [`client`], [`utf8`], [`assembly`], [`wire`] and [`failure`]: one server; [`models`], [`tries`] and
//!   [`circuit`]: several tries and models, and when not to try
//! - [`manager`] runs a turn, [`cost`] is what it comes to; [`work`] is the session that its [`tools`] change; [`memory`] and
//!   [`history`] are what the model is told of the past, [`prompt`] everything else
//! - [`asked`] is what a reply has asked, so that a yes counts for nothing else
//! - [`attachments`] opens what a visitor attached, [`fetch`] gets it from where a stranger says that it is, and
//!   [`transcription`] has written down what is said in it
//! - [`voice`] says what the model says, through [`thoughts`], [`clean`], [`seam`] and [`guard`]

mod asked;
mod assembly;
mod attachments;
mod circuit;
mod clean;
mod client;
pub mod config;
mod cost;
mod failure;
mod fetch;
mod guard;
mod history;
mod manager;
mod memory;
mod models;
mod note;
mod prompt;
mod seam;
mod spelling;
mod thoughts;
mod tools;
mod transcription;
mod tries;
mod utf8;
mod voice;
mod wire;
mod work;

pub use manager::ModelManager;
