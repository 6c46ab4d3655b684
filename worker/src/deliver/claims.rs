//! Taking what is due out of the outbox: as much as the senders' rates and our free slots allow, soon after it was put in.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::db;
use shared::db::delivery::Claimed;
use shared::nats::Nats;
use shared::retry::{UNTIL_CANCELLED, Waits};
use shared::whatsapp::SenderKey;
use sqlx::PgPool;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;
use uuid::Uuid;

use super::provider::{self, Providers};
use super::send::{Sending, send};
use super::{Deliveries, Settings};

/// A worker that is connected so soon after its start has found NATS up.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Takes parts and has them sent.
pub(super) struct Claims {
    wake: Arc<Notify>,
    providers: Arc<Providers>,
    settings: Arc<Settings>,
    db: PgPool,
    nats: Nats,
    began: Instant,
    tasks: TaskTracker,
    hard: CancellationToken,
    slots: HashMap<SenderKey, Arc<Semaphore>>,
    held: Held,
}

/// The parts that this worker is at, until their outcome is stored: it does not claim them again, however long that takes.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<Mutex<HashSet<Uuid>>>);

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, id: Uuid) -> HeldPart {
        self.lock().insert(id);
        HeldPart {
            held: self.clone(),
            id,
        }
    }
}

/// One of [`Held`], until it is dropped.
pub(super) struct HeldPart {
    held: Held,
    id: Uuid,
}

impl Drop for HeldPart {
    fn drop(&mut self) {
        self.held.lock().remove(&self.id);
    }
}

/// Place for one part on its way.
struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    held: Option<HeldPart>,
    /// Whether somebody waits for it to be free.
    wake: Option<Arc<Notify>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.permit.take();
        self.held.take();
        if let Some(wake) = self.wake.take() {
            wake.notify_one();
        }
    }
}

impl Claims {
    pub(super) fn new(
        deliveries: &Deliveries,
        providers: &Arc<Providers>,
        settings: Settings,
        (db, nats): (&PgPool, &Nats),
        tasks: &TaskTracker,
        hard: &CancellationToken,
    ) -> Self {
        Self {
            wake: deliveries.wake.clone(),
            providers: providers.clone(),
            slots: provider::slots(providers.senders(), || Arc::new(Semaphore::new(settings.at_once))),
            settings: Arc::new(settings),
            db: db.clone(),
            nats: nats.clone(),
            began: Instant::now(),
            tasks: tasks.clone(),
            hard: hard.clone(),
            held: Held::default(),
        }
    }

    /// Claims until `soft` is cancelled.
    pub(super) async fn run(self, soft: CancellationToken) {
        let mut waits: Option<Waits> = None;
        loop {
            let free = self.free();
            let held: Vec<Uuid> = self.held.lock().iter().copied().collect();
            // What a cancelled call had claimed would wait for a status that never comes.
            let asked = Instant::now();
            let claimed = db::delivery::claim(&self.db, &free, &held, self.hears(), &self.settings.rules);
            let pause = match claimed.await {
                Ok(claimed) => {
                    waits = None;
                    for part in claimed {
                        self.start(part, asked);
                    }
                    self.settings.round
                }
                Err(error) => {
                    if waits.is_none() {
                        warn!(code = db::code(&error), "❌ Error: the outbox could not be read");
                    }
                    let waits = waits.get_or_insert_with(|| UNTIL_CANCELLED.waits());
                    waits.next().unwrap_or(UNTIL_CANCELLED.longest)
                }
            };
            tokio::select! {
                biased;
                () = soft.cancelled() => return,
                () = self.wake.notified(), if waits.is_none() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn hears(&self) -> bool {
        let since = *self.nats.usable_since().borrow();
        self.nats.is_usable() && can_have_heard(self.began, since, Instant::now(), self.settings.rules.answer)
    }

    fn free(&self) -> Vec<(SenderKey, usize)> {
        let free = self.slots.iter();
        free.map(|(sender, slots)| (sender.clone(), slots.available_permits()))
            .collect()
    }

    fn start(&self, part: Claimed, asked: Instant) {
        if part.given_up {
            warn!(
                delivery = %part.id, session = %part.session, code = "unconfirmed",
                "❌ Error: a message was not delivered"
            );
            self.wake.notify_one();
            return;
        }
        let sender = part.address.as_ref().map(shared::whatsapp::Address::sender_key);
        let slots = sender.as_ref().and_then(|sender| self.slots.get(sender));
        let permit = slots.and_then(|slots| slots.clone().try_acquire_owned().ok());
        let slot = Slot {
            // Others of the connection or of the sender wait for this one.
            wake: (part.more || slots.is_none_or(|slots| slots.available_permits() == 0))
                .then(|| self.wake.clone()),
            permit,
            held: Some(self.held.hold(part.id)),
        };
        let sending = Sending {
            providers: self.providers.clone(),
            settings: self.settings.clone(),
            db: self.db.clone(),
        };
        let hard = self.hard.clone();
        self.tasks.spawn(async move {
            // What is cut off here is sent again once nobody waits for its outcome any more.
            tokio::select! {
                () = hard.cancelled() => {}
                () = send(&sending, &part, asked, &hard) => {}
            }
            drop(slot);
        });
    }
}

/// Whether what providers told can have reached a worker that `began` then and whose NATS is usable `since` then. While it was away
/// they were told to come again, so that an answer is waited for anew.
fn can_have_heard(began: Instant, since: Option<Instant>, now: Instant, answer: Duration) -> bool {
    since.is_some_and(|since| since <= began + AT_ONCE || now.duration_since(since) > answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_nats_was_away_an_answer_is_waited_for_anew() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let heard = |since, now| can_have_heard(began, since, at(now), Duration::from_secs(30));
        assert!(!heard(None, 100), "never connected");
        assert!(heard(Some(at(1)), 2), "it was up when the worker came");
        assert!(
            !heard(Some(at(60)), 61) && !heard(Some(at(60)), 90),
            "it was away"
        );
        assert!(heard(Some(at(60)), 91));
    }
}
