//! The fake providers over real HTTP: faults, statuses, media, webhooks, and the phone.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod clinic;
mod meta;
mod phone;
mod twilio;
