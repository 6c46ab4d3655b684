//! The front door: takes messages in over HTTP, and streams the replies out.
//!
//! - [`config`]: what an operator sets
//! - [`server`], [`connection`]: connections, and how each is kept within its bounds
//! - [`capacity`], [`open_files`]: how many there may be
//! - [`router`]: which handler gets which request
//! - [`identity`]: who is asking
//! - [`accept`], [`in_flight`]: how a message gets onto the queue
//! - [`webhooks`]: how one of WhatsApp gets there
//! - [`body`]: how a request's body is read
//! - [`relay`]: how a reply gets from the journal to its readers
//! - [`routes`]: one module a resource
//! - [`state`]: what every handler has at hand
//! - [`error`]: what a client reads when something is wrong
//! - [`healthcheck`]: the question that a container asks

pub mod accept;
pub mod body;
pub mod capacity;
pub mod config;
pub mod connection;
pub mod error;
pub mod healthcheck;
pub mod identity;
pub mod in_flight;
pub mod open_files;
pub mod relay;
pub mod router;
pub mod routes;
pub mod server;
pub mod state;
pub mod webhooks;

use std::time::Duration;

use shared::db;
use shared::lifecycle::Lifecycle;
use shared::nats::Nats;
use shared::retry::{UNTIL_CANCELLED, retry};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::{info, warn};

pub use config::Config;
use state::App;

/// Serves on `listener` until `lifecycle` ends. PostgreSQL and NATS need not be there yet.
///
/// # Errors
/// A setting cannot be used, or the schema or the streams are not what this program needs and no waiting will mend it.
pub async fn run(config: Config, listener: TcpListener, lifecycle: Lifecycle) -> anyhow::Result<()> {
    let (fatal, mut broken) = mpsc::unbounded_channel::<anyhow::Error>();
    let streams = fatal.clone();
    let nats = Nats::connect(
        &config.common.nats,
        "frontdesk api",
        lifecycle.hard.clone(),
        move |error| {
            let _ = streams.send(error.into());
        },
    )
    .await?;
    let pool = db::pool(&config.common, "frontdesk api")?;
    let drain = config.drain_deadline;
    let app = App::new(config, nats, pool, lifecycle)?;
    let migration = tokio::spawn(migrate(app.clone(), fatal));
    let closing = tokio::spawn(close(app.clone(), drain));
    info!(address = ?listener.local_addr()?, "listening");
    let served = tokio::select! {
        result = server::serve(listener, &app) => result,
        // `fatal` lives in tasks that end with the process.
        Some(error) = broken.recv() => Err(error),
    };
    migration.abort();
    closing.abort();
    served
}

/// Tells those who wait for a whole reply that they had better ask another process, while there is time to say so.
async fn close(app: App, drain: Duration) {
    app.lifecycle.soft.cancelled().await;
    tokio::time::sleep(drain.mul_f32(0.8)).await;
    app.closing.cancel();
}

/// Brings the schema up to date, whenever PostgreSQL comes.
async fn migrate(app: App, fatal: mpsc::UnboundedSender<anyhow::Error>) {
    let worth_it = |error: &_| {
        let temporary = db::migration_is_temporary(error);
        if temporary {
            warn!("PostgreSQL is not there yet");
        }
        temporary
    };
    let migrated = retry(UNTIL_CANCELLED, &app.lifecycle.soft, worth_it, || {
        db::migrate(&app.pool)
    });
    match migrated.await {
        Ok(()) => app.schema_is_ready(),
        Err(error) if db::migration_is_temporary(&error) => {}
        Err(error) => {
            let _ = fatal.send(anyhow::Error::new(error).context("the database's schema"));
        }
    }
}
