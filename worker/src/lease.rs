//! The leases that this worker holds, and the heartbeat that renews them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::db;
use shared::ids::{SessionKey, WorkerId};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// All leases of one worker.
#[derive(Clone)]
pub struct Leases {
    length: Duration,
    held: Arc<Mutex<HashMap<SessionKey, Held>>>,
}

struct Held {
    epoch: u64,
    until: watch::Sender<Instant>,
    lost: CancellationToken,
}

/// The right to run one session. Dropping it stops its renewal; giving the session back is the commit's work.
pub struct Lease {
    /// The session.
    pub session: SessionKey,
    /// Grows with each acquisition.
    pub epoch: u64,
    /// Cancelled when the session is known to be another worker's.
    pub lost: CancellationToken,
    until: watch::Receiver<Instant>,
    leases: Leases,
}

/// The session is another worker's by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease was lost")]
pub struct Lost;

impl Leases {
    /// No leases yet; each will last `length` from its last renewal.
    pub fn new(length: Duration) -> Self {
        Self {
            length,
            held: Arc::default(),
        }
    }

    /// How long a lease lasts in PostgreSQL.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Notes a lease that PostgreSQL granted to a call sent at `sent`.
    pub fn hold(&self, session: SessionKey, epoch: u64, sent: Instant) -> Lease {
        let (until, valid) = watch::channel(self.valid_until(sent));
        let lost = CancellationToken::new();
        let held = Held {
            epoch,
            until,
            lost: lost.clone(),
        };
        if let Some(before) = self.lock().insert(session, held) {
            before.lost.cancel();
        }
        Lease {
            session,
            epoch,
            lost,
            until: valid,
            leases: self.clone(),
        }
    }

    /// The sessions that run here.
    pub fn sessions(&self) -> Vec<SessionKey> {
        self.lock().keys().copied().collect()
    }

    /// Renews all leases until `cancel`.
    pub async fn keep(self, db: PgPool, worker: WorkerId, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(self.length / 3);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => self.renew(&db, worker).await,
            }
        }
    }

    async fn renew(&self, db: &PgPool, worker: WorkerId) {
        let held: Vec<_> = self
            .lock()
            .iter()
            .map(|(session, held)| (*session, held.epoch))
            .collect();
        if held.is_empty() {
            return;
        }
        let sent = Instant::now();
        let renewed = match db::turn::renew_leases(db, worker, self.length, &held).await {
            Ok(renewed) => renewed,
            Err(error) => return warn!(code = db::code(&error), "leases could not be renewed"),
        };
        let leases = self.lock();
        for (session, epoch) in held {
            // A session that was committed in the meantime may be held again, under a later epoch.
            let Some(held) = leases.get(&session).filter(|held| held.epoch == epoch) else {
                continue;
            };
            if renewed.contains(&session) {
                held.until.send_replace(self.valid_until(sent));
            } else {
                held.lost.cancel();
            }
        }
    }

    /// A fifth of the length is left for what is on its way when the lease runs out.
    fn valid_until(&self, sent: Instant) -> Instant {
        sent + self.length * 4 / 5
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Waits until it is safe to publish: at once while the lease is fresh, else until it has been renewed.
    ///
    /// # Errors
    /// The session is another worker's by now.
    pub async fn valid(&self) -> Result<(), Lost> {
        if self.lost.is_cancelled() {
            return Err(Lost);
        }
        if Instant::now() < *self.until.borrow() {
            return Ok(());
        }
        let mut until = self.until.clone();
        tokio::select! {
            () = self.lost.cancelled() => Err(Lost),
            renewed = until.wait_for(|until| Instant::now() < *until) => renewed.map(|_| ()).map_err(|_| Lost),
        }
    }

    /// The commit prolonged it, in a call sent at `sent`.
    pub fn prolonged(&self, sent: Instant) {
        if let Some(held) = self
            .leases
            .lock()
            .get(&self.session)
            .filter(|held| held.epoch == self.epoch)
        {
            held.until.send_replace(self.leases.valid_until(sent));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut leases = self.leases.lock();
        if leases
            .get(&self.session)
            .is_some_and(|held| held.epoch == self.epoch)
        {
            leases.remove(&self.session);
        }
    }
}
