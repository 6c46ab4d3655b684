//! One machine: a private PostgreSQL and NATS as child processes, for `make run`, for tests, and for
//! benchmarks.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use local::{Options, Services, testing};
//!
//! // In a test: servers shared by the test process, a database and a prefix of its own.
//! let nats_url = testing::services().await?.nats_url();
//! let database_url = testing::database().await?;
//! let prefix = testing::prefix();
//!
//! // In a test that breaks things: a pair of its own, same ports and data after each start.
//! let services = Services::start(Options::throwaway()).await?;
//! services.create_database("frontdesk_2").await?; // returns its URL; services.database_url() is there already
//! services.postgres().stop().await?; // or kill() for kill -9
//! services.postgres().start().await?;
//! services.nats().restart().await?;
//! services.stop().await?; // waits; dropping it stops them, too
//! # Ok(()) }
//! ```
//!
//! - [`Services`]: both servers together; [`Server`]: one of them; [`Options`]: folder and ports;
//!   [`remove`]: starting anew.
//! - `guard`: ends the servers when this process is gone, however it went; `leftover`: ends what a guard left.
//! - `instance`: one start a folder at a time, and where it runs.
//! - [`NatsCluster`]: three NATS servers as one.
//! - `postgres`, `nats`: how each is set up and started; `probe`: whether it answers; `tool`: where the programs
//!   are; `user`: whom PostgreSQL runs as.

mod guard;
mod instance;
mod leftover;
mod logfile;
mod nats;
mod nats_cluster;
mod options;
mod poll;
mod port;
mod postgres;
mod probe;
mod remove;
mod server;
mod services;
pub mod testing;
mod tool;
mod user;

pub use guard::Guard;
pub use nats_cluster::NatsCluster;
pub use options::Options;
pub use remove::remove;
pub use server::Server;
pub use services::{Services, running};
