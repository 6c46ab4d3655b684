//! Taking messages in: off the queue, into PostgreSQL, and only then acknowledged.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use shared::batch::Batcher;
use shared::db;
use shared::db::intake::{Arrival, Burst, Intake, TakenIn};
use shared::envelope::{Envelope, IfBusy};
use shared::event::{EventData, EventError};
use shared::ids::{Channel, SessionKey, WorkerId};
use shared::journal;
use shared::retry::{self, BRIEFLY};
use shared::topology::ACK_WAIT;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::agents::offline::joint;
use crate::lease::Leases;
use crate::stateless;
use crate::worker::Worker;

/// Messages that one call takes in at most.
const BATCH: usize = 128;

/// The code of a message that PostgreSQL refuses for its data.
const NOT_STORABLE: &str = "not_storable";

/// When a message comes again that PostgreSQL could not take.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Why a message was not taken in.
#[derive(Clone, Debug)]
pub enum Refused {
    /// PostgreSQL is away.
    ForNow(String),
    /// Something about the message itself.
    ForGood(String),
}

/// Takes messages in, many a call.
pub type Intakes = Batcher<Arrival, Result<(TakenIn, Instant), Refused>>;

/// Writes through `db` in the name of `worker`.
pub fn intakes(
    db: PgPool,
    worker: WorkerId,
    leases: &Leases,
    session_ttl: Duration,
    burst: Burst,
    hard: CancellationToken,
) -> Intakes {
    let leases = leases.clone();
    Batcher::new(BATCH, move |arrivals: Vec<Arrival>| {
        let (db, hard, leases) = (db.clone(), hard.clone(), leases.clone());
        async move {
            let call = async |arrivals: &[Arrival]| {
                let sent = Instant::now();
                let taken = db::intake::take_in(
                    &db,
                    worker,
                    &leases.sessions(),
                    leases.length(),
                    session_ttl,
                    burst,
                    arrivals,
                )
                .await?;
                Ok::<_, sqlx::Error>((taken, sent))
            };
            let deadlock = |error: &sqlx::Error| db::code(error) == "40P01";
            match retry::retry(BRIEFLY, &hard, deadlock, || call(&arrivals)).await {
                Ok((taken, sent)) => taken.into_iter().map(|taken| Ok((taken, sent))).collect(),
                Err(error) if !db::is_about_the_data(&error) => arrivals
                    .iter()
                    .map(|_| Err(Refused::ForNow(db::code(&error))))
                    .collect(),
                Err(_) => {
                    let mut answers = Vec::with_capacity(arrivals.len());
                    for arrival in &arrivals {
                        answers.push(match call(std::slice::from_ref(arrival)).await {
                            Ok((mut taken, sent)) => taken
                                .pop()
                                .map(|taken| (taken, sent))
                                .ok_or_else(|| Refused::ForNow("no answer".into())),
                            Err(error) if !db::is_about_the_data(&error) => {
                                Err(Refused::ForNow(db::code(&error)))
                            }
                            Err(error) => Err(Refused::ForGood(db::code(&error))),
                        });
                    }
                    answers
                }
            }
        }
    })
}

/// Takes one message in and runs its session where nobody else does. The slot goes with the session, or is free again.
pub async fn take_in(worker: Arc<Worker>, intakes: Intakes, message: Message, slot: OwnedSemaphorePermit) {
    let arrival = match read(&worker, &message) {
        Ok(arrival) => arrival,
        Err(reason) => return bury(&worker, &message, reason, None).await,
    };
    let request = arrival.envelope.request_id;
    let session = arrival.envelope.session;
    let interrupts = arrival.envelope.if_busy == IfBusy::Interrupt
        || arrival
            .envelope
            .whatsapp
            .as_ref()
            .is_some_and(|whatsapp| whatsapp.urgent);
    let patience = may_be_answered_without(&worker, &arrival).unwrap_or(Duration::MAX);
    let Ok(answered) =
        tokio::time::timeout(patience, in_progress(&message, intakes.submit(arrival.clone()))).await
    else {
        // Whatever becomes of that call: a message that it has taken in is answered once the database is back, and goes on from
        // what is said now.
        worker.database.is_away();
        return stateless::answer(&worker, &message, arrival).await;
    };
    match answered {
        Ok(Ok((taken, sent))) => {
            if worker.database.answered() {
                info!("PostgreSQL is back");
            }
            if taken.user_created {
                info!(%session, "✅ User created");
            }
            match taken.intake {
                Intake::Known => info!(%session, %request, "message came again"),
                Intake::Changed => info!(%session, %request, "message changed"),
                Intake::Stored | Intake::Erased => {}
            }
            match taken.turn {
                Some(turn) => worker.run_session(turn, sent, slot),
                None => drop(slot),
            }
            answer(&message, AckKind::Ack).await;
            if interrupts && (taken.ahead > 0 || taken.intake == Intake::Changed) {
                // Where that is lost, the heartbeat finds it.
                let _ = worker
                    .nats
                    .client
                    .publish(worker.nats.subjects.control(session), Bytes::new())
                    .await;
            }
            if taken.intake == Intake::Stored && taken.ahead > 0 {
                let place = EventData::status("queued", Some(taken.ahead), OffsetDateTime::now_utc());
                tell(&worker, &arrival.envelope, &place).await;
            }
            if taken.intake == Intake::Erased {
                let ended = EventData::ended(EventError::erased(), OffsetDateTime::now_utc());
                tell(&worker, &arrival.envelope, &ended).await;
            }
        }
        Ok(Err(Refused::ForNow(code))) => {
            worker.database.is_away();
            let waited = OffsetDateTime::now_utc() - arrival.envelope.received_at;
            match may_be_answered_without(&worker, &arrival) {
                Some(after) if waited >= after && worker.database.away_for() >= after => {
                    stateless::answer(&worker, &message, arrival).await;
                }
                _ => {
                    warn!(%session, code, "❌ Error: a message waits for PostgreSQL");
                    answer(&message, AckKind::Nak(Some(AGAIN_AFTER))).await;
                }
            }
        }
        Ok(Err(Refused::ForGood(code))) => {
            warn!(%session, %request, code, "❌ Error: a message cannot be stored");
            let failed = EventData::ended(EventError::failed(NOT_STORABLE), OffsetDateTime::now_utc());
            tell(&worker, &arrival.envelope, &failed).await;
            bury(&worker, &message, NOT_STORABLE, Some(session)).await;
        }
        Err(_) => answer(&message, AckKind::Nak(Some(AGAIN_AFTER))).await,
    }
}

/// After how long the message is answered without PostgreSQL: only visitors of the website see someone write, and only once.
fn may_be_answered_without(worker: &Worker, arrival: &Arrival) -> Option<Duration> {
    let waits = arrival.envelope.channel == Channel::Web && arrival.envelope.answered.is_none();
    worker.stateless_after.filter(|_| waits)
}

/// Waits for `work`, and tells the queue meanwhile that somebody is at the message, so that it is not delivered again.
pub async fn in_progress<T>(message: &Message, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(ACK_WAIT / 3, &mut work).await {
            Ok(done) => return done,
            Err(_) => answer(message, AckKind::Progress).await,
        }
    }
}

/// Tells the queue what became of a message; where that is lost the message comes again.
pub async fn answer(message: &Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await {
        warn!(%error, "a message could not be acknowledged");
    }
}

/// An envelope with its place in the queue. On WhatsApp an emergency waits for no burst, and not for a reply that runs.
pub fn arrival(mut envelope: Envelope, stream_seq: u64) -> Arrival {
    if let Some(whatsapp) = &mut envelope.whatsapp {
        whatsapp.urgent = joint::is_emergency(&envelope.content);
    }
    Arrival { envelope, stream_seq }
}

/// The envelope and its place in the queue.
fn read(worker: &Worker, message: &Message) -> Result<Arrival, &'static str> {
    let stream_seq = message.info().map_err(|_| "no_metadata")?.stream_sequence;
    let envelope: Envelope = serde_json::from_slice(&message.payload).map_err(|_| "unparseable")?;
    if message.subject.as_str() != worker.nats.subjects.incoming(envelope.channel, envelope.session) {
        return Err("wrong_subject");
    }
    Ok(arrival(envelope, stream_seq))
}

/// Tells a message something before its turn. Where that is lost, its reader hears of it later; on WhatsApp nobody reads along.
async fn tell(worker: &Worker, envelope: &Envelope, data: &EventData) {
    if envelope.channel == Channel::Whatsapp {
        return;
    }
    let (session, request) = (envelope.session, envelope.request_id);
    if let Err(error) = journal::tell(&worker.nats, session, request, data).await {
        warn!(%session, %request, kind = %error.kind(), "an event was not confirmed");
    }
}

/// Moves a message that cannot be worked on to the dead stream, with the reason.
async fn bury(worker: &Worker, message: &Message, reason: &'static str, session: Option<SessionKey>) {
    let copy = PublishMessage::build()
        .payload(message.payload.clone())
        .header("Frontdesk-Reason", reason)
        .header("Frontdesk-Subject", message.subject.as_str());
    let buried = async {
        worker
            .nats
            .jetstream
            .send_publish(worker.nats.subjects.dead(reason, session), copy)
            .await?
            .await?;
        Ok::<_, async_nats::Error>(())
    };
    match buried.await {
        Ok(()) => {
            warn!(reason, "❌ Error: a message went to the dead stream");
            answer(message, AckKind::Term).await;
        }
        Err(error) => {
            warn!(reason, %error, "❌ Error: a message could not be moved to the dead stream");
            answer(message, AckKind::Nak(Some(AGAIN_AFTER))).await;
        }
    }
}
