//! A fake model server: scripted replies over real HTTP, with every deviation and fault that real servers have.
//!
//! - [`script`] says what is answered to what, [`fault`] what goes wrong
//! - [`files`] is what visitors may link to
//! - [`server`] listens, [`reply`] writes one answer, [`record`] keeps what was asked, [`gate`] holds tokens back

pub mod fault;
pub mod files;
pub mod gate;
pub mod record;
pub mod reply;
pub mod script;
pub mod server;

pub use fault::Fault;
pub use gate::Gate;
pub use record::Recorded;
pub use script::{Call, NOTHING_FITS, Rule, Script};
pub use server::FakeModel;
