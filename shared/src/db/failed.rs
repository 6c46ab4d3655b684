//! Messages that were given up, for an operator.

use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::{RequestId, SessionKey};

/// A message that was given up.
#[derive(Clone, Debug)]
pub struct FailedRequest {
    /// Its id.
    pub id: RequestId,
    /// Its session.
    pub session: SessionKey,
    /// When it was accepted.
    pub received_at: OffsetDateTime,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up: a code.
    pub error: String,
}

/// What became of the wish to run a message again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It will run.
    Retried,
    /// There is no such message.
    Unknown,
    /// It has not failed.
    NotFailed,
}

/// Up to `limit` messages that were given up, newest first.
///
/// # Errors
/// As PostgreSQL says.
pub async fn list(db: impl PgExecutor<'_>, limit: i64) -> sqlx::Result<Vec<FailedRequest>> {
    let rows = sqlx::query!(
        "select id, connection_id, created_at, attempts, error from messages
        where status = 'failed' and direction = 'incoming' order by created_at desc limit $1",
        limit,
    )
    .fetch_all(db)
    .await?;
    let failed = rows.into_iter().map(|row| FailedRequest {
        id: RequestId(row.id),
        session: SessionKey::from_connection_id(row.connection_id),
        received_at: row.created_at,
        attempts: row.attempts.cast_unsigned(),
        error: row.error.unwrap_or_default(),
    });
    Ok(failed.collect())
}

/// The session of a message that was given up; `None` where there is none.
///
/// # Errors
/// As PostgreSQL says.
pub async fn session_of(db: impl PgExecutor<'_>, request: RequestId) -> sqlx::Result<Option<SessionKey>> {
    let connection: Option<Uuid> = sqlx::query_scalar!(
        "select connection_id from messages where id = $1 and status = 'failed' and direction = 'incoming'",
        request.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(connection.map(SessionKey::from_connection_id))
}

/// Makes a failed message pending again, and forgets its reply. Its journal has to be purged before: its text begins anew.
///
/// # Errors
/// As PostgreSQL says.
pub async fn retry(db: impl PgExecutor<'_>, request: RequestId) -> sqlx::Result<Retried> {
    let outcome = sqlx::query_scalar!(r#"select retry_request($1) as "outcome!""#, request.0)
        .fetch_one(db)
        .await?;
    Ok(match outcome.as_str() {
        "retried" => Retried::Retried,
        "not_failed" => Retried::NotFailed,
        _ => Retried::Unknown,
    })
}
