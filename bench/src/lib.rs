//! What measurements and tests stand on: [`model`] is a fake model server, a real HTTP server that speaks the OpenAI-compatible
//! protocol with all its deviations.

pub mod model;
