//! The outbox: claiming parts of replies, and storing what became of them.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;
use tokio::time::timeout;
use uuid::Uuid;

use super::{CALL_DEADLINE, settle};
use crate::ids::SessionKey;
use crate::whatsapp::{Address, DeliveryState, SenderKey, Status};

/// What a provider's refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go well later.
    BackOff,
    /// The sender was too fast: it pauses, and the part goes later.
    SenderWaits,
    /// The recipient got too much: they wait, others do not.
    RecipientWaits,
    /// The visitor has not written for 24 hours: it waits until they do.
    WindowClosed,
    /// The sender may not send at all: its outbox waits.
    TokenRefused,
    /// It never goes well.
    Final,
}

impl Verdict {
    /// Its name in the functions of the schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackOff => "back_off",
            Self::SenderWaits => "sender_waits",
            Self::RecipientWaits => "recipient_waits",
            Self::WindowClosed => "window_closed",
            Self::TokenRefused => "token_refused",
            Self::Final => "final",
        }
    }
}

/// What all workers have to agree on: the type `delivery_rules` of the schema.
#[derive(Clone, Debug, Serialize)]
pub struct Rules {
    /// How long the outcome of a send is waited for before the part is sent again.
    #[serde(serialize_with = "seconds")]
    pub answer: Duration,
    /// How often a part is sent at most.
    pub max_attempts: u32,
    /// How often of these because nobody told what had become of it.
    pub max_resends: u32,
    /// Between two messages of a sender.
    #[serde(serialize_with = "seconds")]
    pub every: Duration,
    /// How far ahead messages are claimed.
    #[serde(serialize_with = "seconds")]
    pub ahead: Duration,
    /// Between two messages to a recipient.
    #[serde(serialize_with = "seconds")]
    pub pair_every: Duration,
    /// How many may go to a recipient at once after a pause.
    pub pair_burst: u32,
    /// How long a sender stands still whose token was refused.
    #[serde(serialize_with = "seconds")]
    pub probe: Duration,
    /// How long a sender stands still that was too fast.
    #[serde(serialize_with = "seconds")]
    pub slow: Duration,
    /// The senders that have a template for visitors who have not written for 24 hours.
    pub templates: Vec<String>,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

impl Rules {
    fn to_json(&self) -> sqlx::Result<Value> {
        serde_json::to_value(self).map_err(|error| sqlx::Error::Encode(error.into()))
    }
}

/// A part that its claimant has to send.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// `deliveries.id`.
    pub id: Uuid,
    /// Whose conversation it is.
    pub session: SessionKey,
    /// The name of the claim.
    pub claim: OffsetDateTime,
    /// How long to wait before it is sent, for the sender's rate.
    pub wait: Duration,
    /// The text.
    pub body: String,
    /// Titles of reply buttons.
    pub buttons: Vec<String>,
    /// The provider's name of the message that it answers.
    pub answers: Option<String>,
    /// Where it goes; `None` where what is stored cannot be read.
    pub address: Option<Address>,
    /// When the visitor wrote last, by the provider's clock.
    pub last_written_at: Option<OffsetDateTime>,
    /// The sender's template is to be sent in its place; the text waits for the visitor's answer.
    pub template: bool,
    /// How often it is sent, with this time.
    pub attempts: u32,
    /// It may have been sent before: nobody told.
    pub resent: bool,
    /// It was sent so often that it has failed instead. Nothing is to be done.
    pub given_up: bool,
    /// Another part of the session waits for this one.
    pub more: bool,
}

/// Claims up to so many parts of each sender as are given with it, but none of `held`, which the caller is at; what may have been sent
/// only where the caller would have heard of it (`hears`).
///
/// # Errors
/// As PostgreSQL says.
pub async fn claim(
    db: &PgPool,
    free: &[(SenderKey, usize)],
    held: &[Uuid],
    hears: bool,
    rules: &Rules,
) -> sqlx::Result<Vec<Claimed>> {
    let senders: Vec<String> = free.iter().map(|(sender, _)| sender.to_string()).collect();
    let counts: Vec<i32> = free
        .iter()
        .map(|(_, free)| i32::try_from(*free).unwrap_or(i32::MAX))
        .collect();
    let mut connection = db.acquire().await?;
    let call = sqlx::query!(
        r#"select id as "id!", connection_id as "connection_id!", claim as "claim!", wait as "wait!", body as "body!",
            buttons as "buttons!: Value", answers, address as "address: Value", last_written_at, template as "template!",
            attempts as "attempts!", resent as "resent!", given_up as "given_up!", more as "more!"
        from claim_deliveries($1, $2, $3, $4, $5)"#,
        &senders,
        &counts,
        held,
        hears,
        rules.to_json()?,
    )
    .fetch_all(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    let rows = settle(connection, answer)?;
    let claimed = rows.into_iter().map(|row| Claimed {
        id: row.id,
        session: SessionKey::from_connection_id(row.connection_id),
        claim: row.claim,
        wait: Duration::try_from_secs_f64(row.wait).unwrap_or_default(),
        body: row.body,
        buttons: serde_json::from_value(row.buttons).unwrap_or_default(),
        answers: row.answers,
        address: row
            .address
            .and_then(|address| serde_json::from_value(address).ok()),
        last_written_at: row.last_written_at,
        template: row.template,
        attempts: row.attempts.cast_unsigned(),
        resent: row.resent,
        given_up: row.given_up,
        more: row.more,
    });
    Ok(claimed.collect())
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which kind it is.
    pub kind: Settled,
    /// Why it was not accepted: the provider's code, or one of ours.
    pub code: Option<String>,
    /// Until the part is sent again, where it is.
    pub wait: Duration,
    /// The provider has looked at it.
    pub answered: bool,
}

/// See [`Settlement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The provider has it, under this name.
    Accepted(String),
    /// Nobody knows whether the provider has it.
    Uncertain,
    /// It does not have it.
    Refused(Verdict),
}

/// Stores what became of a claim, and returns the part's new status; `None` where a status of the provider's or another claim
/// was faster. May be repeated.
///
/// # Errors
/// As PostgreSQL says.
pub async fn settle_claim(
    db: &PgPool,
    claimed: &Claimed,
    sender: Option<&SenderKey>,
    settlement: &Settlement,
    rules: &Rules,
) -> sqlx::Result<Option<String>> {
    let (verdict, provider_id) = match &settlement.kind {
        Settled::Accepted(provider_id) => ("accepted", Some(provider_id.as_str())),
        Settled::Uncertain => ("uncertain", None),
        Settled::Refused(verdict) => (verdict.as_str(), None),
    };
    let mut connection = db.acquire().await?;
    let call = sqlx::query_scalar!(
        "select settle_delivery($1, $2, $3, $4, $5, $6, make_interval(secs => $7), $8, $9)",
        claimed.id,
        claimed.claim,
        sender.map(SenderKey::to_string),
        verdict,
        settlement.code,
        provider_id,
        settlement.wait.as_secs_f64(),
        settlement.answered,
        rules.to_json()?,
    )
    .fetch_one(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    settle(connection, answer)
}

/// A provider's status with what a failure means.
#[derive(Clone, Debug)]
pub struct Told {
    /// What it says.
    pub status: Status,
    /// Where it failed: what that means.
    pub verdict: Verdict,
    /// Until the part is sent again, where it is: after its first try, its second …
    pub waits: Vec<Duration>,
}

/// What a status changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The part has this status now.
    Now(Uuid, String),
    /// Nothing: the part was further already.
    Old,
    /// Nothing: there is no such part.
    Unknown,
}

/// Applies statuses, in their order; each part only moves forward.
///
/// # Errors
/// As PostgreSQL says.
pub async fn apply_statuses(db: &PgPool, told: &[Told], rules: &Rules) -> sqlx::Result<Vec<Applied>> {
    let items = told.iter().map(|told| {
        let failed = told.status.state == DeliveryState::Failed;
        let mut item = json!(told.status);
        item["verdict"] = json!(failed.then(|| told.verdict.as_str()));
        item["code"] = json!(
            told.status
                .code
                .map_or_else(|| "failed".to_owned(), |code| code.to_string())
        );
        item["waits"] = told.waits.iter().map(|wait| json!(wait.as_secs_f64())).collect();
        item
    });
    let items: Value = items.collect();
    let mut connection = db.acquire().await?;
    let call = sqlx::query!(
        r#"select outcome as "outcome!", id, status from apply_statuses($1, $2)"#,
        items,
        rules.to_json()?,
    )
    .fetch_all(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    let rows = settle(connection, answer)?;
    let applied = rows
        .into_iter()
        .map(|row| match (row.outcome.as_str(), row.id, row.status) {
            ("applied", Some(id), Some(status)) => Applied::Now(id, status),
            ("unknown", ..) => Applied::Unknown,
            _ => Applied::Old,
        });
    Ok(applied.collect())
}

/// A part that has not arrived where it should be.
#[derive(Clone, Debug)]
pub struct Undelivered {
    /// `deliveries.id`.
    pub id: Uuid,
    /// Whose conversation it is.
    pub session: SessionKey,
    /// `failed`, `held`, or what it is waiting as.
    pub status: String,
    /// Why: a code.
    pub error: Option<String>,
    /// How often it was sent.
    pub attempts: u32,
    /// How often of these because nobody told what had become of it.
    pub resends: u32,
    /// When the reply was written.
    pub created_at: OffsetDateTime,
}

/// Up to `limit` parts that failed, are held, or have waited for more than a minute; newest first.
///
/// # Errors
/// As PostgreSQL says.
pub async fn undelivered(db: impl PgExecutor<'_>, limit: i64) -> sqlx::Result<Vec<Undelivered>> {
    let rows = sqlx::query!(
        r#"select id as "id!", connection_id as "connection_id!", status as "status!", error, attempts as "attempts!",
            resends as "resends!", created_at as "created_at!"
        from (
            (select * from deliveries where status in ('failed', 'held') order by created_at desc limit $1)
            union all
            (select * from deliveries
                where status in ('queued', 'sending', 'uncertain') and created_at < now() - interval '1 minute'
                order by created_at desc limit $1)) d
        order by created_at desc limit $1"#,
        limit,
    )
    .fetch_all(db)
    .await?;
    let undelivered = rows.into_iter().map(|row| Undelivered {
        id: row.id,
        session: SessionKey::from_connection_id(row.connection_id),
        status: row.status,
        error: row.error,
        attempts: row.attempts.cast_unsigned(),
        resends: row.resends.cast_unsigned(),
        created_at: row.created_at,
    });
    Ok(undelivered.collect())
}

/// One of our numbers that stands still.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// As [`SenderKey`] writes it.
    pub sender: String,
    /// Why: the provider's code.
    pub code: String,
    /// When it is tried again.
    pub until: Option<OffsetDateTime>,
}

/// The numbers that stand still because their token was refused.
///
/// # Errors
/// As PostgreSQL says.
pub async fn stopped(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Stopped>> {
    let rows = sqlx::query!(
        r#"select name, stopped_code as "code!", stopped_until as until from senders
        where stopped_code is not null order by name"#
    )
    .fetch_all(db)
    .await?;
    let stopped = rows.into_iter().map(|row| Stopped {
        sender: row.name,
        code: row.code,
        until: row.until,
    });
    Ok(stopped.collect())
}

/// How many sends were repetitions because nobody had told what became of the one before.
///
/// # Errors
/// As PostgreSQL says.
pub async fn resends(db: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select coalesce(sum(resends), 0) as "resends!" from deliveries"#)
        .fetch_one(db)
        .await
}
