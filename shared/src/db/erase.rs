//! Erasing what is known of a user.

use sqlx::PgPool;

use super::stop::{SessionOwner, ensure_session};
use crate::ids::{RequestId, SessionKey};

/// A session that was erased.
#[derive(Clone, Debug)]
pub struct ErasedSession {
    /// The session.
    pub session: SessionKey,
    /// The epoch that keeps out whoever ran it.
    pub epoch: u64,
    /// Whether a worker ran it.
    pub ran: bool,
    /// The requests that would wait for a reply in vain.
    pub requests: Vec<RequestId>,
}

/// Erases the messages, sessions and personal data of the session's user. Nothing that stands in the queue up to `stream_seq`
/// will be taken in.
///
/// # Errors
/// As PostgreSQL says.
pub async fn erase_user(
    db: &PgPool,
    owner: &SessionOwner,
    stream_seq: u64,
) -> sqlx::Result<Vec<ErasedSession>> {
    let mut transaction = db.begin().await?;
    ensure_session(&mut transaction, owner).await?;
    let rows = sqlx::query!(
        r#"select session as "session!", epoch as "epoch!", ran as "ran!", requests as "requests!"
        from erase_user($1, $2)"#,
        owner.user_id(),
        stream_seq.cast_signed(),
    )
    .fetch_all(&mut *transaction)
    .await?;
    transaction.commit().await?;
    let erased = rows.into_iter().map(|row| ErasedSession {
        session: SessionKey::from_connection_id(row.session),
        epoch: row.epoch.cast_unsigned(),
        ran: row.ran,
        requests: row.requests.into_iter().map(RequestId).collect(),
    });
    Ok(erased.collect())
}
