//! Faults against a whole deployment, and the proof that its guarantees held (docs/ARCHITECTURE.md says which).
//!
//! - [`run`]: one run; [`summary`]: what came of it; [`takeover`]: how long a reply pauses when its worker dies
//! - [`stage`]: servers, processes in their [`seat`]s, a [`proxy`] between any two
//! - [`faults`]: what is done and when, repeated by a seed; [`strike`]: doing it
//! - [`ghosts`]: events that the journal refuses
//! - [`visitors`]: who talks, by a [`script`], with the reference client [`reader`]; [`heard`]: what a client saw
//! - [`evidence`]: what was stored, journalled and shown; [`witness`]: triggers that note who did it
//! - [`checker`]: the guarantees, one by one; [`rest`]: what holds once all is quiet

pub mod checker;
pub mod evidence;
pub mod faults;
pub mod ghosts;
pub mod heard;
pub mod proxy;
pub mod reader;
pub mod rest;
pub mod run;
pub mod script;
pub mod seat;
pub mod stage;
pub mod strike;
pub mod summary;
pub mod takeover;
pub mod visitors;
pub mod witness;
