//! Meta's Cloud API.
//!
//! - [`account`] is what a clinic has there; [`message`] what customers send; [`notice`] how it is sent to the clinic
//! - [`api`] takes messages, after [`validate`] has looked at them, at the [`pace`] that is allowed; [`error`] refuses; [`server`] listens

pub mod account;
pub mod api;
pub mod error;
pub mod message;
pub mod notice;
pub mod pace;
pub mod server;
pub mod validate;

pub use account::MetaAccount;
pub use message::Message;
pub use notice::Item;
pub use pace::PairRate;
pub use server::{FakeMeta, Meta};
