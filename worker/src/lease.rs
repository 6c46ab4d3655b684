//! The leases that this worker holds, and the heartbeat that renews them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::db;
use shared::ids::{SessionKey, WorkerId};
use sqlx::PgPool;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

/// All leases of one worker.
#[derive(Clone)]
pub struct Leases {
    length: Duration,
    held: Arc<Mutex<HashMap<SessionKey, Held>>>,
    hurry: Arc<Notify>,
    usable_since: watch::Receiver<Option<Instant>>,
}

struct Held {
    epoch: u64,
    renewed: watch::Sender<Instant>,
    stopped_up_to: watch::Sender<u64>,
    lost: CancellationToken,
    ended: CancellationToken,
}

/// The right to run one session. Dropping it stops its renewal; giving the session back is the commit's work.
pub struct Lease {
    /// The session.
    pub session: SessionKey,
    /// Grows with each acquisition.
    pub epoch: u64,
    /// Cancelled when the session is known to be another worker's.
    pub lost: CancellationToken,
    /// When the call was sent that granted or renewed it last.
    renewed: watch::Receiver<Instant>,
    stopped_up_to: watch::Receiver<u64>,
    leases: Leases,
    _ended: DropGuard,
}

/// The session is another worker's by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease was lost")]
pub struct Lost;

impl Leases {
    /// No leases yet; each will last `length` from its last renewal. `usable_since`: see [`Nats::usable_since`].
    ///
    /// [`Nats::usable_since`]: shared::nats::Nats::usable_since
    pub fn new(length: Duration, usable_since: watch::Receiver<Option<Instant>>) -> Self {
        Self {
            length,
            held: Arc::default(),
            hurry: Arc::default(),
            usable_since,
        }
    }

    /// How long a lease lasts in PostgreSQL.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Notes a lease that PostgreSQL granted to a call sent at `sent`.
    pub fn hold(&self, session: SessionKey, epoch: u64, sent: Instant) -> Lease {
        let (renew, renewed) = watch::channel(sent);
        let (lost, ended) = (CancellationToken::new(), CancellationToken::new());
        let (stop, stopped_up_to) = watch::channel(0);
        let held = Held {
            epoch,
            renewed: renew,
            stopped_up_to: stop,
            lost: lost.clone(),
            ended: ended.clone(),
        };
        if let Some(before) = self.lock().insert(session, held) {
            before.lost.cancel();
        }
        Lease {
            session,
            epoch,
            lost,
            renewed,
            stopped_up_to,
            leases: self.clone(),
            _ended: ended.drop_guard(),
        }
    }

    /// The sessions that run here.
    pub fn sessions(&self) -> Vec<SessionKey> {
        self.lock().keys().copied().collect()
    }

    /// Has the leases renewed now, which tells whether they are still ours, and what was asked to stop. Returns what is cancelled
    /// when the session no longer runs here under its present lease; `None` where it does not run here.
    pub fn look_at(&self, session: SessionKey) -> Option<CancellationToken> {
        let ended = self.lock().get(&session)?.ended.clone();
        self.hurry.notify_one();
        Some(ended)
    }

    /// Renews all leases until `cancel`, and at once when NATS is back.
    pub async fn keep(self, db: PgPool, worker: WorkerId, cancel: CancellationToken) {
        let mut usable_since = self.usable_since.clone();
        let mut ticks = tokio::time::interval(self.length / 3);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.hurry.notified() => {}
                Ok(()) = usable_since.changed() => {}
            }
            if !self.renew(&db, worker).await {
                ticks.reset_after(self.length / 10);
            }
        }
    }

    /// False where PostgreSQL did not answer.
    async fn renew(&self, db: &PgPool, worker: WorkerId) -> bool {
        let held: Vec<_> = self
            .lock()
            .iter()
            .map(|(session, held)| (*session, held.epoch))
            .collect();
        if held.is_empty() {
            return true;
        }
        let sent = Instant::now();
        let renewed: HashMap<_, _> = match db::turn::renew_leases(db, worker, self.length, &held).await {
            Ok(renewed) => renewed.into_iter().collect(),
            Err(error) => {
                warn!(code = db::code(&error), "leases could not be renewed");
                return false;
            }
        };
        let leases = self.lock();
        for (session, epoch) in held {
            // A session that was committed in the meantime may be held again, under a later epoch.
            let Some(held) = leases.get(&session).filter(|held| held.epoch == epoch) else {
                continue;
            };
            match renewed.get(&session) {
                Some(stopped_up_to) => {
                    held.renewed.send_replace(sent);
                    held.stopped_up_to.send_replace(*stopped_up_to);
                }
                None => held.lost.cancel(),
            }
        }
        true
    }

    /// Whether a lease still counts that was renewed by a call sent at `sent`: a fifth of the length is left for what is on its
    /// way when it runs out. While NATS was away, others may have thought us dead; a renewal after that says that they did not,
    /// and will not.
    fn is_fresh(&self, sent: Instant) -> bool {
        Instant::now() < sent + self.length * 4 / 5
            && self.usable_since.borrow().is_some_and(|since| since <= sent)
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
        if self.leases.is_fresh(*self.renewed.borrow()) {
            return Ok(());
        }
        self.leases.hurry.notify_one();
        let mut renewed = self.renewed.clone();
        tokio::select! {
            () = self.lost.cancelled() => Err(Lost),
            renewed = renewed.wait_for(|sent| self.leases.is_fresh(*sent)) => renewed.map(|_| ()).map_err(|_| Lost),
        }
    }

    /// Waits until the message at this place in the queue is known to have been asked to stop.
    pub async fn stopped_at(&self, stream_seq: u64) {
        let mut stopped_up_to = self.stopped_up_to.clone();
        if stopped_up_to
            .wait_for(|up_to| *up_to >= stream_seq)
            .await
            .is_err()
        {
            // The lease is lost, or held anew: that is for others to tell.
            std::future::pending().await
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
            held.renewed.send_replace(sent);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_counts_until_it_runs_out_and_not_after_a_break_of_the_connection_before_it_is_renewed() {
        let length = Duration::from_secs(10);
        let (connect, usable_since) = watch::channel(Some(Instant::now()));
        let leases = Leases::new(length, usable_since);
        let session = SessionKey::derive(shared::ids::Channel::Web, "d", None);
        let lease = leases.hold(session, 1, Instant::now());
        let is_valid = async || tokio::time::timeout(Duration::ZERO, lease.valid()).await.is_ok();
        assert!(is_valid().await);

        tokio::time::advance(Duration::from_millis(1)).await;
        connect.send_replace(Some(Instant::now()));
        assert!(!is_valid().await, "others may have it by now");
        let asked = tokio::time::timeout(Duration::ZERO, leases.hurry.notified());
        assert!(asked.await.is_ok(), "PostgreSQL is asked at once");
        lease.prolonged(Instant::now());
        assert!(is_valid().await);

        tokio::time::advance(length).await;
        assert!(!is_valid().await, "it has run out");
        lease.lost.cancel();
        assert_eq!(lease.valid().await, Err(Lost));
    }
}
