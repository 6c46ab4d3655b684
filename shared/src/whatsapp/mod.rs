//! WhatsApp, through Meta's Cloud API or through Twilio.
//!
//! - [`config`]: our numbers, and how an operator sets them
//! - [`address`]: who writes to which of them
//! - [`message`]: what a message has besides one of the website
//! - [`status`]: what a provider says about a message of ours
//! - [`signature`]: whether a webhook is the provider's

pub mod address;
pub mod config;
pub mod message;
pub mod signature;
pub mod status;

pub use address::{Address, Provider, Recipient, SenderKey};
pub use config::{ConfigError, MetaSender, Sender, Senders, Template, TwilioSender, WhatsAppArgs};
pub use message::{Change, WhatsApp};
pub use status::{DeliveryState, Status};
