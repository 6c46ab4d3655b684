//! A fake model server: scripted replies over real HTTP, with every deviation and fault that real servers have.
//!
//! - [`script`] says what is answered to what, [`fault`] what goes wrong
//! - [`files`] is what visitors may link to
//! - [`server`] listens, [`reply`] writes one answer, [`record`] keeps what was asked

pub mod fault;
pub mod files;
pub mod record;
pub mod reply;
pub mod script;
pub mod server;

pub use fault::Fault;
pub use record::Recorded;
pub use script::{Call, NOTHING_FITS, Rule, Script};
pub use server::FakeModel;
