//! Noticing dead workers without waiting for a timeout: a worker answers on its own subject as long as it lives, and a
//! request to a dead one comes back "no responders" at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::{Request, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use shared::db;
use shared::db::turn::Silent;
use shared::ids::WorkerId;
use shared::nats::Nats;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::worker::Worker;

/// How often each of the others is asked, and so the least time between two silences.
const ROUND: Duration = Duration::from_millis(100);

/// After so many rounds the list of the others is read again.
const LIST_ROUNDS: u32 = 5;

/// So many silences in a row make a worker dead.
const SILENCES: u32 = 2;

/// A connection has to be up for this long: right after a server's restart the others may not be back yet.
const SETTLED: Duration = Duration::from_secs(2);

/// How long a worker may take to answer. A slow answer is no silence: only "no responders" is.
const PATIENCE: Duration = Duration::from_millis(500);

/// Sessions that one call takes from the dead, so that the survivors share them.
const SHARE: usize = 16;

/// Answers questions until `cancel`.
pub async fn answer(nats: Nats, mut questions: Subscriber, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            question = questions.next() => {
                let Some(question) = question else { return };
                if let Some(reply) = question.reply {
                    let _ = nats.client.publish(reply, Bytes::new()).await;
                }
            }
        }
    }
}

/// Asks the others whether they live, and takes the sessions of those that do not, until the soft token is cancelled.
pub async fn watch(worker: Arc<Worker>) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut silences: HashMap<WorkerId, u32> = HashMap::new();
    let mut connections = worker.nats.connections();
    let mut connected = Instant::now();
    let mut round = 0_u32;
    // PostgreSQL's clock after the last round, where somebody was silent in it.
    let mut silent_at = None;
    loop {
        tokio::select! {
            () = worker.lifecycle.soft.cancelled() => return,
            _ = connections.changed() => connected = Instant::now(),
            _ = rounds.tick() => {}
        }
        if !worker.nats.is_usable() || connected.elapsed() < SETTLED {
            silences.values_mut().for_each(|count| *count = 0);
            silent_at = None;
            continue;
        }
        if round.is_multiple_of(LIST_ROUNDS)
            && let Ok(others) = db::turn::other_owners(&worker.db, worker.id).await
        {
            silences.retain(|other, _| others.contains(other));
            for other in others {
                silences.entry(other).or_default();
            }
        }
        round = round.wrapping_add(1);
        let asked = silences.keys().map(|other| is_silent(&worker, *other));
        for (other, silent) in join_all(asked).await {
            let count = silences.entry(other).or_default();
            *count = if silent { count.saturating_add(1) } else { 0 };
        }
        let dead = silences.iter().filter(|(_, count)| **count >= SILENCES);
        let dead = Silent {
            workers: dead.map(|(other, _)| *other).collect(),
            at: silent_at,
        };
        if !dead.workers.is_empty() && dead.at.is_some() {
            take_over(&worker, &dead).await;
        }
        silent_at = match silences.values().any(|count| *count > 0) {
            true => db::turn::clock(&worker.db).await.ok(),
            false => None,
        };
    }
}

/// Whether nobody listens on the worker's subject any more.
async fn is_silent(worker: &Worker, other: WorkerId) -> (WorkerId, bool) {
    let question = Request::new().timeout(Some(PATIENCE)).payload(Bytes::new());
    let answer = worker
        .nats
        .client
        .send_request(worker.nats.subjects.worker(other), question)
        .await;
    (
        other,
        answer.is_err_and(|error| error.kind() == RequestErrorKind::NoResponders),
    )
}

/// Runs sessions of the dead, as many as there are free slots, a share at a time. What is left is found in the next round.
async fn take_over(worker: &Arc<Worker>, dead: &Silent) {
    loop {
        let mut slots = Vec::new();
        while slots.len() < SHARE
            && let Ok(slot) = worker.slots.clone().try_acquire_owned()
        {
            slots.push(slot);
        }
        if slots.is_empty() {
            return;
        }
        match worker.claim(&mut slots, dead).await {
            Ok(0) => return,
            Ok(sessions) => info!(sessions, "took sessions of a dead worker"),
            Err(error) => {
                return warn!(
                    code = db::code(&error),
                    "the sessions of a dead worker could not be taken"
                );
            }
        }
    }
}
