//! Twilio's API for WhatsApp.
//!
//! - [`account`] is what a clinic has there; [`message`] what customers send
//! - [`api`] takes messages; [`error`] refuses; [`server`] listens

pub mod account;
pub mod api;
pub mod error;
pub mod message;
pub mod server;

pub use account::TwilioAccount;
pub use message::Message;
pub use server::{FakeTwilio, Twilio};
