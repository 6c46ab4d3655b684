//! The way of a reply to WhatsApp: out of the outbox, to the provider, and what the provider tells of it.
//!
//! - [`outbox`] makes the parts that a commit stores
//! - [`claims`] takes those that are due and [`send`] sends one; [`outcome`] is what can become of it, [`errors`] the table of
//!   what refusals mean
//! - [`provider`] speaks HTTP, in the words of [`meta`] and [`twilio`]
//! - [`statuses`] hears what providers tell later
//! - [`typing`] shows the visitor that somebody writes, [`media`] fetches what a visitor sent

pub mod claims;
pub mod errors;
pub mod media;
mod meta;
pub mod outbox;
pub mod outcome;
pub mod provider;
mod send;
pub mod statuses;
mod twilio;
pub mod typing;

use std::sync::Arc;
use std::time::Duration;

use shared::db::delivery::Rules;
use shared::nats::Nats;
use shared::retry::Policy;
use shared::whatsapp::Senders;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::claims::Claims;
use self::provider::Providers;

/// The outbox of this worker, for whoever puts something in. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Deliveries {
    wake: Arc<Notify>,
    providers: Option<Arc<Providers>>,
}

/// How deliveries are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What all workers agree on.
    pub rules: Rules,
    /// How often the outbox is looked through.
    pub round: Duration,
    /// Parts of each sender that are on their way at once, so that one that hangs holds up no other.
    pub at_once: usize,
    /// Until a part is sent again that was refused for now.
    pub backoff: Policy,
}

impl Settings {
    /// For `rate` messages a second and sender.
    pub fn new(rate: u32, senders: &Senders) -> Self {
        Self {
            rules: Rules {
                answer: Duration::from_secs(30),
                max_attempts: 30,
                max_resends: 5,
                every: Duration::from_secs(1) / rate.max(1),
                ahead: Duration::from_millis(500),
                // Meta: a message in six seconds to one user, and more at once if they are made up for.
                pair_every: Duration::from_secs(6),
                pair_burst: 10,
                probe: Duration::from_secs(60),
                slow: Duration::from_secs(1),
                templates: provider::with_template(senders),
            },
            round: Duration::from_millis(250),
            at_once: 64,
            // With `max_attempts` this ends after some two and a half hours.
            backoff: Policy {
                first: Duration::from_secs(1),
                longest: Duration::from_secs(600),
                give_up_after: None,
            },
        }
    }
}

impl Deliveries {
    /// An outbox with a way to these senders.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(senders: Senders) -> anyhow::Result<Self> {
        Self::with_deadline(senders, provider::DEADLINE)
    }

    /// The same with another deadline for a call to a provider.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_deadline(senders: Senders, deadline: Duration) -> anyhow::Result<Self> {
        let is_empty = senders.keys().next().is_none();
        let providers = match is_empty {
            true => None,
            false => Some(Arc::new(Providers::new(senders, deadline)?)),
        };
        Ok(Self {
            wake: Arc::default(),
            providers,
        })
    }

    /// There is something in it.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// The way to the providers, where there are senders.
    pub fn providers(&self) -> Option<&Arc<Providers>> {
        self.providers.as_ref()
    }

    /// Empties it until `soft`, and hears what providers tell; what is on its way then is finished until `hard`, and is among
    /// `tasks`. Does nothing where there are no senders.
    pub fn run(
        &self,
        settings: Settings,
        db: &PgPool,
        nats: &Nats,
        tasks: &TaskTracker,
        (soft, hard): (&CancellationToken, &CancellationToken),
    ) {
        let Some(providers) = &self.providers else { return };
        let claims = Claims::new(self, providers, settings.clone(), (db, nats), tasks, hard);
        tasks.spawn(claims.run(soft.clone()));
        let statuses = statuses::run(nats.clone(), db.clone(), settings, self.clone(), soft.clone());
        tasks.spawn(statuses);
    }
}
