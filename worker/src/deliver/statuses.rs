//! Hearing what providers tell of our messages: statuses from their stream into the outbox, many in one call.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{AckKind, Message};
use futures_util::StreamExt;
use shared::db;
use shared::db::delivery::{Applied, Told, Verdict};
use shared::nats::Nats;
use shared::whatsapp::{DeliveryState, Status};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::errors::classify;
use super::send::wait;
use super::{Deliveries, Settings};

/// Statuses that one call applies at most.
const BATCH: usize = 200;
/// How long a pull waits for the first one.
const ROUND: Duration = Duration::from_millis(500);
/// Until a status comes again that could not be stored.
const AGAIN: Duration = Duration::from_secs(1);
/// Applies statuses until `soft` is cancelled.
pub(super) async fn run(
    nats: Nats,
    db: PgPool,
    settings: Settings,
    deliveries: Deliveries,
    soft: CancellationToken,
) {
    let mut consumer: Option<PullConsumer> = None;
    let mut connections = nats.connections();
    loop {
        tokio::select! {
            () = soft.cancelled() => return,
            () = nats.usable() => {}
        }
        connections.mark_unchanged();
        let pulled = tokio::select! {
            () = soft.cancelled() => return,
            // After a reconnect the server has forgotten what we asked for.
            _ = connections.changed() => {
                consumer = None;
                continue;
            }
            pulled = pull(&nats, &mut consumer) => pulled,
        };
        match pulled {
            Ok(messages) if messages.is_empty() => {}
            Ok(messages) => {
                if apply(&db, &settings, &messages).await {
                    deliveries.wake();
                }
            }
            Err(error) => {
                warn!(%error, "❌ Error: statuses could not be read");
                consumer = None;
                tokio::time::sleep(ROUND).await;
            }
        }
    }
}

/// What is at hand, or comes within a round.
async fn pull(nats: &Nats, consumer: &mut Option<PullConsumer>) -> Result<Vec<Message>, async_nats::Error> {
    let consumer = match consumer {
        Some(consumer) => consumer,
        None => {
            let stream = nats
                .jetstream
                .get_stream_no_info(nats.subjects.status_stream())
                .await?;
            consumer.insert(stream.get_consumer(&nats.subjects.statuses_consumer()).await?)
        }
    };
    // The first one is waited for, the others only taken if they are there.
    let mut messages = consumer.batch().max_messages(1).expires(ROUND).messages().await?;
    let mut pulled = Vec::new();
    while let Ok(Some(message)) = tokio::time::timeout(ROUND * 4, messages.next()).await {
        pulled.push(message?);
    }
    if !pulled.is_empty() {
        let mut more = consumer.fetch().max_messages(BATCH - 1).messages().await?;
        while let Ok(Some(message)) = tokio::time::timeout(ROUND * 4, more.next()).await {
            pulled.push(message?);
        }
    }
    Ok(pulled)
}

/// Stores them and acknowledges; true where a part may be sent again.
async fn apply(db: &PgPool, settings: &Settings, messages: &[Message]) -> bool {
    let mut told = Vec::with_capacity(messages.len());
    for message in messages {
        match serde_json::from_slice::<Status>(&message.payload) {
            Ok(status) => told.push(judged(status, settings)),
            // Our own api wrote it; another version of it perhaps.
            Err(_) => warn!("❌ Error: a status could not be read"),
        }
    }
    let applied = match db::delivery::apply_statuses(db, &told, &settings.rules).await {
        Ok(applied) => applied,
        Err(error) => {
            let about_one = db::is_about_the_data(&error);
            warn!(code = db::code(&error), "❌ Error: statuses could not be stored");
            if !about_one {
                answer(messages, AckKind::Nak(Some(AGAIN))).await;
                return false;
            }
            one_by_one(db, settings, &told).await
        }
    };
    answer(messages, AckKind::Ack).await;
    let mut wakes = false;
    for (told, applied) in told.iter().zip(applied) {
        log(told, &applied);
        // The next part of its connection may go, or it may itself.
        wakes |= matches!(applied, Applied::Now(..));
    }
    wakes
}

/// Lets the others through where one of them is at fault.
async fn one_by_one(db: &PgPool, settings: &Settings, told: &[Told]) -> Vec<Applied> {
    let mut applied = Vec::with_capacity(told.len());
    for told in told {
        let one = db::delivery::apply_statuses(db, std::slice::from_ref(told), &settings.rules).await;
        applied.push(one.ok().and_then(|mut one| one.pop()).unwrap_or(Applied::Unknown));
    }
    applied
}

fn judged(status: Status, settings: &Settings) -> Told {
    if status.state != DeliveryState::Failed {
        return Told {
            status,
            verdict: Verdict::Final,
            waits: Vec::new(),
        };
    }
    let verdict = classify(status.provider, None, status.code);
    // How often its message was sent is known to PostgreSQL alone.
    let waits = (1..=settings.rules.max_attempts).map(|attempt| wait(settings, verdict, attempt));
    Told {
        waits: waits.collect(),
        verdict,
        status,
    }
}

fn log(told: &Told, applied: &Applied) {
    let code = told.status.code.unwrap_or_default();
    match applied {
        Applied::Now(delivery, status) if told.status.state != DeliveryState::Failed => {
            debug!(%delivery, status, "message came further");
        }
        Applied::Now(delivery, status) => match (told.verdict, status.as_str()) {
            (Verdict::TokenRefused, _) => {
                warn!(%delivery, code, "❌ Error: the provider refuses our token, and the sender stands still");
            }
            (_, "failed") => warn!(%delivery, code, "❌ Error: a message was not delivered"),
            (_, "held") => {
                warn!(%delivery, code, "❌ Error: a message is held until the visitor writes again")
            }
            _ => info!(%delivery, code, status, "a message was refused later, and is sent again"),
        },
        Applied::Old => debug!(state = told.status.state.as_str(), "a status told nothing new"),
        Applied::Unknown => debug!("a status of no message of ours"),
    }
}

/// What is not acknowledged comes again; it tells nothing new then.
async fn answer(messages: &[Message], kind: AckKind) {
    for message in messages {
        if let Err(error) = message.ack_with(kind).await {
            debug!(%error, "a status was not acknowledged");
        }
    }
}
