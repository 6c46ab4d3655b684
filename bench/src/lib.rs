//! What measurements and tests stand on: fake servers that speak real protocols over real HTTP.
//!
//! - [`model`]: a model server, OpenAI-compatible, with all its deviations
//! - [`whatsapp`]: WhatsApp's two providers, Meta's Cloud API and Twilio, and a phone to play with

pub mod model;
pub mod whatsapp;
