//! Getting work: due sessions from PostgreSQL, and messages off the queue, never more than there are free slots.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::PullConsumer;
use futures_util::StreamExt;
use shared::db;
use shared::db::turn::Silent;
use shared::retry::{UNTIL_CANCELLED, Waits};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::intake::{self, Intakes};
use crate::worker::Worker;

/// How often due sessions are looked for, and so how long a pull waits for messages.
const ROUND: Duration = Duration::from_millis(250);

/// Slots that one round takes at most.
const SLOTS: usize = 128;

/// Gets work until the soft token is cancelled.
pub async fn run(worker: Arc<Worker>, intakes: Intakes) {
    let soft = worker.lifecycle.soft.clone();
    let mut waits: Option<Waits> = None;
    let mut consumer: Option<PullConsumer> = None;
    let mut connections = worker.nats.connections();
    let mut next_claim = Instant::now();
    let nobody = Silent::default();
    loop {
        let mut slots = tokio::select! {
            () = soft.cancelled() => return,
            slots = free_slots(&worker) => slots,
        };
        tokio::select! {
            () = soft.cancelled() => return,
            () = worker.nats.usable() => {}
        }
        connections.mark_unchanged();
        if Instant::now() >= next_claim {
            let claimed = tokio::select! {
                () = worker.lifecycle.hard.cancelled() => return,
                claimed = worker.claim(&mut slots, &nobody) => claimed,
            };
            match claimed {
                Ok(_) => {
                    waits = None;
                    if worker.database.answered() {
                        info!("PostgreSQL is back");
                    }
                    if slots.is_empty() {
                        // There may be more.
                        continue;
                    }
                    next_claim = Instant::now() + ROUND;
                }
                Err(error) => {
                    if worker.database.is_away() {
                        warn!(code = db::code(&error), "❌ Error: PostgreSQL is away");
                    }
                    let waits = waits.get_or_insert_with(|| UNTIL_CANCELLED.waits());
                    next_claim = Instant::now() + waits.next().unwrap_or(ROUND);
                }
            }
        }
        // Without PostgreSQL nothing is taken in, and the queue keeps it; visitors who have waited long enough are answered.
        if !worker.database.away_for().is_zero()
            && worker
                .stateless_after
                .is_none_or(|after| worker.database.away_for() < after)
        {
            drop(slots);
            tokio::select! {
                () = soft.cancelled() => return,
                () = tokio::time::sleep(ROUND) => continue,
            }
        }
        tokio::select! {
            pulled = pull(&worker, &intakes, &mut consumer, slots) => if let Err(error) = pulled {
                warn!(%error, "❌ Error: the queue could not be read");
                consumer = None;
                tokio::time::sleep(ROUND).await;
            },
            // After a reconnect the server has forgotten what we asked for.
            _ = connections.changed() => consumer = None,
        }
    }
}

/// At least one free slot, and all that are free up to [`SLOTS`].
async fn free_slots(worker: &Worker) -> Vec<OwnedSemaphorePermit> {
    // The semaphore is never closed.
    let mut slots: Vec<_> = worker.slots.clone().acquire_owned().await.into_iter().collect();
    while slots.len() < SLOTS
        && let Ok(slot) = worker.slots.clone().try_acquire_owned()
    {
        slots.push(slot);
    }
    slots
}

/// Pulls as many messages as there are slots, for one round. Once the worker drains, what still comes goes back.
async fn pull(
    worker: &Arc<Worker>,
    intakes: &Intakes,
    consumer: &mut Option<PullConsumer>,
    mut slots: Vec<OwnedSemaphorePermit>,
) -> Result<(), async_nats::Error> {
    let consumer = match consumer {
        Some(consumer) => consumer,
        None => {
            let stream = worker
                .nats
                .jetstream
                .get_stream_no_info(worker.nats.subjects.chat_stream())
                .await?;
            consumer.insert(
                stream
                    .get_consumer(&worker.nats.subjects.workers_consumer())
                    .await?,
            )
        }
    };
    // No idle heartbeat: the pull is over before one would be due.
    let mut messages = consumer
        .batch()
        .max_messages(slots.len())
        .expires(ROUND)
        .messages()
        .await?;
    // The server ends a pull after a round. Where it is silently gone, the client's own clock would take five seconds more.
    while let Ok(Some(message)) = tokio::time::timeout(ROUND * 4, messages.next()).await {
        let message = message?;
        match slots.pop() {
            Some(slot) if !worker.lifecycle.soft.is_cancelled() => {
                worker
                    .tasks
                    .spawn(intake::take_in(worker.clone(), intakes.clone(), message, slot));
            }
            _ => intake::answer(&message, AckKind::Nak(None)).await,
        }
    }
    Ok(())
}
