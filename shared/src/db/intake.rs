//! Intake: the call by which messages get from the queue into PostgreSQL.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgPool;
use time::format_description::well_known::Rfc3339;
use tokio::time::timeout;

use super::turn::{TurnInput, connection_ids, interval, read_turn};
use super::{CALL_DEADLINE, settle};
use crate::envelope::{Envelope, IfBusy};
use crate::ids::{SessionKey, WorkerId};
use crate::whatsapp::Change;

/// An envelope with its place in the queue.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The message.
    pub envelope: Envelope,
    /// Its stream sequence in `CHAT`.
    pub stream_seq: u64,
}

/// How long a turn waits for the rest of a burst.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    /// For so long after each message.
    pub quiet: Duration,
    /// In all.
    pub longest: Duration,
}

/// What became of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// It was written.
    Stored,
    /// It had been written before.
    Known,
    /// It changed another message.
    Changed,
    /// Its conversation has been erased since.
    Erased,
}

/// The answer to one [`Arrival`].
#[derive(Clone, Debug)]
pub struct TakenIn {
    /// What became of it.
    pub intake: Intake,
    /// Whether its writer is new.
    pub user_created: bool,
    /// How many of the session wait before it.
    pub ahead: u32,
    /// The session's next turn, where this call leased it.
    pub turn: Option<TurnInput>,
}

/// Takes messages in: writes what is new, leases the sessions that nobody runs, begins their turns. All or nothing. The
/// sessions of `held` run at this worker and are not leased again. A burst of WhatsApp waits as `burst` says.
///
/// # Errors
/// As PostgreSQL says; a single envelope can be at fault (22xxx, 23xxx).
pub async fn take_in(
    db: &PgPool,
    worker: WorkerId,
    held: &[SessionKey],
    lease: Duration,
    session_ttl: Duration,
    burst: Burst,
    arrivals: &[Arrival],
) -> sqlx::Result<Vec<TakenIn>> {
    let batch: Vec<_> = arrivals
        .iter()
        .map(|Arrival { envelope, stream_seq }| {
            let whatsapp = envelope.whatsapp.as_ref();
            // What runs makes way for it.
            let urgent = whatsapp.is_some_and(|whatsapp| whatsapp.urgent);
            let (change, changes) = match whatsapp.map(|whatsapp| whatsapp.change) {
                Some(Change::Edit { of }) => (Some("edit"), Some(of)),
                Some(Change::Revoke { of }) => (Some("revoke"), Some(of)),
                Some(Change::New) | None => (None, None),
            };
            let hold = |length: Duration| whatsapp.map(|_| format!("{} ms", length.as_millis()));
            serde_json::json!({
                "provider_id": whatsapp.map(|whatsapp| &whatsapp.provider_id),
                "sent_at": whatsapp.and_then(|whatsapp| whatsapp.sent_at.format(&Rfc3339).ok()),
                "address": whatsapp.map(|whatsapp| &whatsapp.address),
                "change": change,
                "changes": changes,
                "urgent": urgent,
                "quiet": hold(burst.quiet),
                "burst": hold(burst.longest),
                "request_id": envelope.request_id,
                "connection_id": envelope.session.connection_id(),
                "user_id": envelope.user_id(),
                "phone_number": envelope.stored_phone_number(),
                "verified": envelope.verified,
                "channel": envelope.channel,
                "device": envelope.device,
                "body": envelope.content,
                "media": envelope.media,
                "stream_seq": envelope.answered.as_ref().map_or(*stream_seq, |answered| answered.stream_seq),
                "body_hash": hex::encode(envelope.body_hash()),
                "received_at": envelope.received_at.format(&Rfc3339).unwrap_or_default(),
                "interrupt": urgent || envelope.if_busy == IfBusy::Interrupt,
                "answered": envelope.answered,
            })
        })
        .collect();
    let mut connection = db.acquire().await?;
    let call = sqlx::query!(
        r#"select outcome as "outcome!", user_created as "user_created!", turn as "turn?: Value",
            ahead as "ahead!"
        from take_in($1, $2, $3, $4, $5)"#,
        Value::Array(batch),
        worker.0,
        &connection_ids(held),
        interval(lease),
        i32::try_from(session_ttl.as_secs()).unwrap_or(i32::MAX),
    )
    .fetch_all(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    let rows = settle(connection, answer)?;
    rows.into_iter()
        .map(|row| {
            Ok(TakenIn {
                intake: match row.outcome.as_str() {
                    "stored" => Intake::Stored,
                    "erased" => Intake::Erased,
                    "changed" => Intake::Changed,
                    _ => Intake::Known,
                },
                user_created: row.user_created,
                ahead: row.ahead.cast_unsigned(),
                turn: row.turn.and_then(read_turn),
            })
        })
        .collect()
}
