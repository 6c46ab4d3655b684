//! What the api and the workers agree on.
//!
//! - [`ids`], [`envelope`], [`event`], [`media`]: what is sent, and how it is named
//! - [`subject`], [`topology`], [`nats`], [`journal`]: where it goes, and how it is read back
//! - [`db`]: what is stored
//! - [`clinic`], [`config`]: what an operator sets
//! - [`whatsapp`]: what the two providers of WhatsApp need besides
//! - [`batch`], [`retry`], [`lifecycle`], [`telemetry`], [`tls`]: how a process behaves

pub mod batch;
pub mod clinic;
pub mod config;
pub mod db;
pub mod envelope;
pub mod event;
pub mod ids;
pub mod journal;
pub mod lifecycle;
pub mod media;
pub mod nats;
pub mod retry;
pub mod subject;
pub mod telemetry;
pub mod tls;
pub mod topology;
pub mod whatsapp;
