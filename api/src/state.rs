//! What every handler has at hand.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shared::clinic::Clinic;
use shared::lifecycle::Lifecycle;
use shared::nats::Nats;
use shared::whatsapp::Senders;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::identity::Identity;
use crate::in_flight::InFlight;
use crate::relay::Stored;
use crate::routes::health::Probe;
use crate::routes::page::Page;
use crate::webhooks::LARGE_WEBHOOKS;

/// What every handler has at hand. Clones share it.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// The parts of [`App`].
#[derive(Debug)]
pub struct Parts {
    /// Settings.
    pub config: Config,
    /// The queue and the journal.
    pub nats: Nats,
    /// The database, for what need not be there at once.
    pub pool: PgPool,
    /// Stored replies, looked up for all readers together.
    pub stored: Stored,
    /// Who is asking.
    pub identity: Identity,
    /// Our numbers on WhatsApp.
    pub senders: Senders,
    /// Places for what providers send at great length.
    pub large_webhooks: Semaphore,
    /// Messages that wait for their reply.
    pub in_flight: InFlight,
    /// Ends streams, and then everything.
    pub lifecycle: Lifecycle,
    /// Cancelled shortly before the end, for those who wait for a whole reply.
    pub closing: CancellationToken,
    /// Whether PostgreSQL answers.
    pub probe: Probe,
    /// The chat page.
    pub page: Page,
    schema_is_ready: AtomicBool,
}

impl App {
    /// Puts the parts together. Needs no server to be there.
    ///
    /// # Errors
    /// The clinic's file cannot be used, or a number on WhatsApp is not complete.
    pub fn new(config: Config, nats: Nats, pool: PgPool, lifecycle: Lifecycle) -> anyhow::Result<Self> {
        let clinic: Clinic = config.common.clinic()?;
        Ok(Self(Arc::new(Parts {
            identity: Identity::new(
                config.identity_secret.as_ref(),
                config.is_https(),
                !config.allowed_origins.is_empty(),
            ),
            senders: config.common.senders()?,
            large_webhooks: Semaphore::new(LARGE_WEBHOOKS),
            in_flight: InFlight::new(config.max_pending_per_session.max(1)),
            stored: Stored::new(pool.clone()),
            probe: Probe::default(),
            page: Page::new(&clinic),
            schema_is_ready: AtomicBool::new(false),
            config,
            nats,
            pool,
            closing: lifecycle.hard.child_token(),
            lifecycle,
        })))
    }

    /// Notes that the schema is up to date.
    pub fn schema_is_ready(&self) {
        self.0.schema_is_ready.store(true, Ordering::Relaxed);
    }

    /// Whether the schema is up to date.
    pub fn has_schema(&self) -> bool {
        self.0.schema_is_ready.load(Ordering::Relaxed)
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
