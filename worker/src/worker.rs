//! What every part of a worker shares, and the running of sessions.

use std::sync::Arc;
use std::time::Duration;

use shared::clinic::Clinic;
use shared::db;
use shared::db::turn::{Release, Silent, TurnInput};
use shared::ids::WorkerId;
use shared::lifecycle::Lifecycle;
use shared::nats::Nats;
use shared::retry::{self, BRIEFLY};
use sqlx::PgPool;
use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info_span, warn};

use crate::commit::Commits;
use crate::database::Database;
use crate::deliver::Deliveries;
use crate::erased::AnyAgent;
use crate::lease::{Lease, Leases};
use crate::speak::Pace;
use crate::turn::{self, After};

/// After so many crashes a request runs alone on its worker: it may be what killed the others. Not after fewer: two workers that
/// die for reasons of their own would leave all their sessions to be run one after the other.
const ALONE_AFTER: u32 = 3;

/// One worker.
pub struct Worker {
    /// New for every process.
    pub id: WorkerId,
    /// The queue and the journal.
    pub nats: Nats,
    /// The database.
    pub db: PgPool,
    /// For whom the agents speak.
    pub clinic: Arc<Clinic>,
    /// Who answers.
    pub agent: Arc<dyn AnyAgent>,
    /// The outbox, to be woken when something was put in.
    pub deliveries: Deliveries,
    /// How agents are run.
    pub pace: Pace,
    /// Beyond this a reply on WhatsApp is late.
    pub stale_after: Duration,
    /// How long a visitor of the website waits for PostgreSQL; `None`: for as long as it takes.
    pub stateless_after: Option<Duration>,
    /// Whether PostgreSQL answers.
    pub database: Database,
    /// When to end.
    pub lifecycle: Lifecycle,
    /// The sessions that run here.
    pub leases: Leases,
    /// Where replies are stored.
    pub commits: Commits,
    /// One permit a turn.
    pub slots: Arc<Semaphore>,
    /// Everything that has to end before the process does.
    pub tasks: TaskTracker,
    /// Held shared by a turn, and alone by one that may be poison.
    pub alone: RwLock<()>,
}

impl Worker {
    /// Runs a session that a call sent at `sent` has leased, turn after turn, until it has no more or is given back.
    pub fn run_session(self: &Arc<Self>, input: TurnInput, sent: Instant, slot: OwnedSemaphorePermit) {
        let worker = self.clone();
        let span = info_span!("session", session = %input.session, epoch = input.epoch);
        let lease = self.leases.hold(input.session, input.epoch, sent);
        self.tasks.spawn(
            async move {
                worker.turns(input, lease).await;
                drop(slot);
            }
            .instrument(span),
        );
    }

    /// Runs due sessions, and those of `silent` workers, in as many of `slots` as they need; returns how many.
    ///
    /// # Errors
    /// As PostgreSQL says.
    pub async fn claim(
        self: &Arc<Self>,
        slots: &mut Vec<OwnedSemaphorePermit>,
        silent: &Silent,
    ) -> sqlx::Result<usize> {
        let sent = Instant::now();
        let (held, length) = (self.leases.sessions(), self.leases.length());
        let turns = db::turn::claim_due(&self.db, self.id, &held, length, slots.len(), silent).await?;
        let claimed = turns.len();
        for (turn, slot) in turns.into_iter().zip(slots.drain(..claimed)) {
            self.run_session(turn, sent, slot);
        }
        Ok(claimed)
    }

    async fn turns(&self, mut input: TurnInput, lease: Lease) {
        if let (Some(agent), Some(locked_at)) = (&input.active_agent, input.locked_at) {
            turn::log_lock(&lease, agent, locked_at, input.session_ttl);
        }
        let after = loop {
            match self.turn(&lease, &input).await {
                After::Next(next) => input = *next,
                after => break after,
            }
        };
        if let After::GiveBack(release) = after {
            self.give_back(&input, release).await;
        }
    }

    async fn turn(&self, lease: &Lease, input: &TurnInput) -> After {
        let (_shared, _alone);
        tokio::select! {
            () = lease.lost.cancelled() => return After::Gone,
            () = self.lifecycle.hard.cancelled() => {
                return After::GiveBack(Release::HandedOver { after: Duration::ZERO });
            }
            guard = self.alone.write(), if input.request.crashes >= ALONE_AFTER => _alone = guard,
            guard = self.alone.read(), if input.request.crashes < ALONE_AFTER => _shared = guard,
        }
        turn::run(self, lease, input).await
    }

    /// Gives a session back. Where that fails its lease runs out.
    async fn give_back(&self, input: &TurnInput, release: Release) {
        let released = retry::retry(BRIEFLY, &self.lifecycle.hard, db::is_temporary, || {
            db::turn::release(&self.db, self.id, input, release)
        });
        if let Err(error) = released.await {
            warn!(session = %input.session, code = db::code(&error), "❌ Error: a session could not be given back");
        }
    }
}
