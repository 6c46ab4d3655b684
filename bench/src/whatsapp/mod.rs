//! Both providers of WhatsApp as real HTTP servers: they send signed webhooks as the real ones do, and take messages with
//! the same strictness, the same errors and, where they are told to, the same failures.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use bench::whatsapp::meta::Message;
//! use bench::whatsapp::{Customer, FakeMeta, Fault, MetaAccount, Statuses};
//!
//! let meta = FakeMeta::start(MetaAccount::sample()).await?; // META_BASE_URL is meta.base_url()
//! meta.line().webhook_to("http://127.0.0.1:8000/webhooks/whatsapp");
//! meta.line().faults.next(Fault::AcceptAndDrop); // the first reply arrives, and nobody is told
//! meta.line().set_statuses(Statuses::delivered());
//! let anna = Customer::with_phone("16505551234");
//! meta.send(Message::text(&anna, "Do you have a date in May?")); // repeated until it is answered with 200
//! meta.line().courier.idle().await;
//! let replies = meta.line().records.accepted_by("16505551234");
//! # Ok(()) }
//! ```
//!
//! - [`meta`], [`twilio`]: one provider each: account, messages from customers, validation, statuses
//! - [`line`]: what both share: [`fault`] (what goes wrong), [`record`] (what was received), [`statuses`] (what is told of
//!   it), [`media`], [`courier`] (webhooks, repeated as each provider repeats them)
//! - [`disorder`] batches, repeats and shuffles; [`signature`] signs; [`serve`] listens
//! - [`phone`] is the page that plays a phone, [`simulator`] everything on one port, [`control`] its settings over HTTP
//! - [`load`] measures how fast webhooks are answered

pub mod control;
pub mod courier;
pub mod customer;
pub mod disorder;
pub mod fault;
pub mod line;
pub mod load;
pub mod media;
pub mod meta;
pub mod phone;
pub mod record;
pub mod serve;
pub mod signature;
pub mod simulator;
pub mod statuses;
pub mod twilio;

pub use courier::{Courier, Webhook};
pub use customer::Customer;
pub use disorder::Disorder;
pub use fault::{Fault, Rule};
pub use line::Line;
pub use meta::{FakeMeta, MetaAccount};
pub use record::{Accepted, Records, Refused};
pub use simulator::Simulator;
pub use statuses::{State, Statuses};
pub use twilio::{FakeTwilio, TwilioAccount};
