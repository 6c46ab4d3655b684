//! How a reply gets to its readers: live from the journal's republished events, refilled from the journal itself, and from
//! PostgreSQL what the journal no longer has.
//!
//! - [`reader`]: what is shown, as values in and values out
//! - [`follow`]: where its input comes from
//! - [`counted`]: what goes on when the client has left
//! - [`stored`], [`find`]: lookups
//! - [`waiting`]: what is said when nobody answers yet
//! - [`sse`]: the wire format

pub mod counted;
pub mod find;
pub mod follow;
pub mod reader;
pub mod sse;
pub mod stored;
pub mod waiting;

pub use counted::Counted;
pub use follow::{End, Evidence, Output, Relay};
pub use stored::Stored;
