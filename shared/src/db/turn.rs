//! The turn and its lease: the calls by which a worker gets its turns, keeps them and gives them back.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;
use time::OffsetDateTime;
use tokio::time::timeout;
use tracing::error;
use uuid::Uuid;

use super::{CALL_DEADLINE, settle};
use crate::ids::{Channel, RequestId, SessionKey, WorkerId};
use crate::media::Media;
use crate::whatsapp::Address;

/// How long a search for due sessions may take: nothing is lost with it, and a database that hangs is noticed by it.
const CLAIM_DEADLINE: Duration = Duration::from_secs(5);

/// What a worker needs to run a turn. It holds the session's lease under `epoch`.
#[derive(Clone, Debug, Deserialize)]
pub struct TurnInput {
    /// The conversation.
    pub session: SessionKey,
    /// The lease's epoch.
    pub epoch: u64,
    /// Where the visitor writes.
    pub channel: Channel,
    /// The agent lock.
    pub active_agent: Option<String>,
    /// When the agent lock was last renewed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub locked_at: Option<OffsetDateTime>,
    /// Seconds from then until the session expires.
    pub session_ttl: i32,
    /// What the agents remember.
    pub state: Value,
    /// Messages of the session that wait, this one included.
    pub pending: u32,
    /// The message was asked to stop: nothing more is to be said.
    pub stopped: bool,
    /// The visitor.
    pub user: TurnUser,
    /// The message to answer; of a burst, the last one: the reply is addressed to it.
    pub request: TurnRequest,
    /// The others of a burst, in the order in which they were written.
    #[serde(default)]
    pub earlier: Vec<TurnRequest>,
    /// Where the visitor is reached; nowhere on the web.
    #[serde(default)]
    pub address: Option<Address>,
    /// Earlier messages of the session, oldest first.
    pub history: Vec<TurnMessage>,
}

/// What is stored of the visitor.
#[derive(Clone, Debug, Deserialize)]
pub struct TurnUser {
    /// `users.id`.
    pub id: Uuid,
    /// After consent.
    pub name: Option<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    /// The latest answer to the consent question.
    pub consented: bool,
}

/// The message to answer.
#[derive(Clone, Debug, Deserialize)]
pub struct TurnRequest {
    /// Its id.
    pub id: RequestId,
    /// Its text.
    pub body: String,
    /// Its attachments.
    pub media: Vec<Media>,
    /// Its place in the queue.
    pub stream_seq: u64,
    /// How often a turn over it began, this one included.
    pub attempts: u32,
    /// How often its worker died over it, or seemed to.
    pub crashes: u32,
    /// How often a turn over it began, this one included; unlike an attempt, a turn is never taken back.
    pub turns: u32,
    /// How many of the session waited before it when it was taken in.
    pub ahead: u32,
    /// How often it was made to run again after it had failed.
    pub retries: u32,
    /// When it was accepted: the clock of its turn, however often that is run.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// When it was written, by the provider's clock; unknown on the web.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub sent_at: Option<OffsetDateTime>,
    /// How often the visitor changed it since.
    #[serde(default)]
    pub revision: u32,
    /// How often a reply to it made way for what the visitor wrote or changed meanwhile.
    #[serde(default)]
    pub overtaken: u32,
    /// The provider's id of it.
    #[serde(default)]
    pub provider_id: Option<String>,
}

impl TurnInput {
    /// All messages to answer, in the order in which they were written.
    pub fn requests(&self) -> impl Iterator<Item = &TurnRequest> {
        self.earlier.iter().chain([&self.request])
    }

    /// Up to where in the queue nothing may be left that this turn does not answer.
    pub fn last_stream_seq(&self) -> u64 {
        self.requests()
            .map(|request| request.stream_seq)
            .max()
            .unwrap_or_default()
    }
}

/// A message of the past.
#[derive(Clone, Debug, Deserialize)]
pub struct TurnMessage {
    /// Whether the visitor wrote it.
    pub incoming: bool,
    /// Its text.
    pub body: String,
}

/// Workers that seem to be dead.
#[derive(Clone, Debug, Default)]
pub struct Silent {
    /// Nobody answered for these.
    pub workers: Vec<WorkerId>,
    /// By [`clock`], between two silences: which of their sessions they have leased or renewed since then is still theirs.
    pub at: Option<OffsetDateTime>,
}

/// What PostgreSQL's clock shows.
///
/// # Errors
/// As PostgreSQL says.
pub async fn clock(db: &PgPool) -> sqlx::Result<OffsetDateTime> {
    let mut connection = db.acquire().await?;
    let call = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    settle(connection, answer)
}

/// Leases up to `limit` sessions that have work and that nobody runs, or that one of the `silent` workers holds, and begins
/// their turns. The sessions of `held` run at this worker and are not leased again.
///
/// # Errors
/// As PostgreSQL says.
pub async fn claim_due(
    db: &PgPool,
    worker: WorkerId,
    held: &[SessionKey],
    lease: Duration,
    limit: usize,
    silent: &Silent,
) -> sqlx::Result<Vec<TurnInput>> {
    let owners: Vec<Uuid> = silent.workers.iter().map(|worker| worker.0).collect();
    let mut connection = db.acquire().await?;
    let call = sqlx::query_scalar!(
        r#"select turn as "turn!: Value" from claim_due($1, $2, $3, $4, $5, $6) turn where turn is not null"#,
        worker.0,
        &connection_ids(held),
        interval(lease),
        i32::try_from(limit).unwrap_or(i32::MAX),
        &owners,
        silent.at,
    )
    .fetch_all(&mut *connection);
    let answer = timeout(CLAIM_DEADLINE, call).await;
    let turns = settle(connection, answer)?;
    Ok(turns.into_iter().filter_map(read_turn).collect())
}

/// The other workers that hold a session now.
///
/// # Errors
/// As PostgreSQL says.
pub async fn other_owners(db: &PgPool, worker: WorkerId) -> sqlx::Result<Vec<WorkerId>> {
    let mut connection = db.acquire().await?;
    let call = sqlx::query_scalar!(
        r#"select distinct lease_owner as "owner!" from conversation_states
        where pending > 0 and lease_owner is not null and lease_owner <> $1"#,
        worker.0,
    )
    .fetch_all(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    let owners = settle(connection, answer)?;
    Ok(owners.into_iter().map(WorkerId).collect())
}

/// Prolongs leases; returns the sessions that are still the worker's, each with the place in the queue up to which everything
/// was asked to stop.
///
/// # Errors
/// As PostgreSQL says.
pub async fn renew_leases(
    db: &PgPool,
    worker: WorkerId,
    lease: Duration,
    held: &[(SessionKey, u64)],
) -> sqlx::Result<Vec<(SessionKey, u64)>> {
    let (connections, epochs): (Vec<_>, Vec<_>) = held
        .iter()
        .map(|(session, epoch)| (session.connection_id(), epoch.cast_signed()))
        .unzip();
    let mut connection = db.acquire().await?;
    let call = sqlx::query!(
        r#"select session as "session!", stopped_up_to as "stopped_up_to!" from renew_leases($1, $2, $3, $4)"#,
        worker.0,
        &connections,
        &epochs,
        interval(lease),
    )
    .fetch_all(&mut *connection);
    let answer = timeout(CALL_DEADLINE.min(lease / 2), call).await;
    let renewed = settle(connection, answer)?;
    let held = renewed.into_iter().map(|row| {
        let session = SessionKey::from_connection_id(row.session);
        (session, row.stopped_up_to.cast_unsigned())
    });
    Ok(held.collect())
}

/// Why a session is given back before its request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The turn failed: the attempt counts.
    Failed {
        /// When to try again.
        after: Duration,
    },
    /// The turn did not run, or was cut off for our own reasons: the attempt does not count.
    HandedOver {
        /// When to try again.
        after: Duration,
    },
}

/// Gives a session back. False where the lease is another's by now.
///
/// # Errors
/// As PostgreSQL says.
pub async fn release(
    db: &PgPool,
    worker: WorkerId,
    turn: &TurnInput,
    release: Release,
) -> sqlx::Result<bool> {
    let (after, give_back) = match release {
        Release::Failed { after } => (after, false),
        Release::HandedOver { after } => (after, true),
    };
    let mut connection = db.acquire().await?;
    let call = sqlx::query_scalar!(
        r#"select release_lease($1, $2, $3, $4, $5, $6) as "released!""#,
        worker.0,
        turn.session.connection_id(),
        turn.epoch.cast_signed(),
        &turn.requests().map(|request| request.id.0).collect::<Vec<_>>(),
        interval(after),
        give_back,
    )
    .fetch_one(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    settle(connection, answer)
}

/// Whether a message of this session waits that came before the last one that this turn answers, and that it does not know.
///
/// # Errors
/// As PostgreSQL says.
pub async fn has_older(db: &PgPool, turn: &TurnInput) -> sqlx::Result<bool> {
    let known: Vec<_> = turn.requests().map(|request| request.id.0).collect();
    let mut connection = db.acquire().await?;
    let call = sqlx::query_scalar!(
        r#"select exists (
            select from messages
            where connection_id = $1 and stream_seq < $2 and status = 'pending' and id <> all ($3)) as "older!""#,
        turn.session.connection_id(),
        turn.last_stream_seq().cast_signed(),
        &known,
    )
    .fetch_one(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    settle(connection, answer)
}

/// Whether a message of this session at this place in the queue has been taken in and dealt with.
///
/// # Errors
/// As PostgreSQL says.
pub async fn is_settled(db: &PgPool, session: SessionKey, stream_seq: u64) -> sqlx::Result<bool> {
    let mut connection = db.acquire().await?;
    let call = sqlx::query_scalar!(
        r#"select exists (
            select from messages
            where connection_id = $1 and stream_seq = $2 and direction = 'incoming' and status <> 'pending') as "settled!""#,
        session.connection_id(),
        stream_seq.cast_signed(),
    )
    .fetch_one(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    settle(connection, answer)
}

/// One that cannot be read (a newer program may have written it) is left to its lease, and stops no other.
pub(super) fn read_turn(turn: Value) -> Option<TurnInput> {
    serde_json::from_value(turn)
        .inspect_err(|error| {
            error!(
                line = error.line(),
                column = error.column(),
                "❌ Error: a turn cannot be read"
            )
        })
        .ok()
}

pub(super) fn connection_ids(sessions: &[SessionKey]) -> Vec<Uuid> {
    sessions.iter().map(|session| session.connection_id()).collect()
}

pub(super) fn interval(duration: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
    }
}
