//! Asking a session's replies to stop.

use sqlx::PgPool;
use uuid::Uuid;

use crate::ids::{Channel, RequestId, SessionKey, user_id};

/// Whose session it is, as much of it as its rows need.
#[derive(Clone, Debug)]
pub struct SessionOwner {
    /// The session.
    pub session: SessionKey,
    /// Where the visitor writes.
    pub channel: Channel,
    /// `connections.device_id`.
    pub device: String,
    /// `users.phone_number`.
    pub phone_number: String,
    /// `users.verified`.
    pub verified: bool,
}

impl SessionOwner {
    /// `users.id`.
    pub fn user_id(&self) -> Uuid {
        user_id(&self.phone_number, self.verified)
    }
}

/// What became of the wish to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopState {
    /// It is stored: nothing of what follows will be effective.
    Requested,
    /// The reply was stopped before.
    Stopped,
    /// The reply was stored before.
    TooLate,
}

/// Asks everything of a session up to `stream_seq` in the queue to stop, of which `request` is the last. Holds also where
/// none of it has been taken in yet.
///
/// # Errors
/// As PostgreSQL says.
pub async fn request_stop(
    db: &PgPool,
    owner: &SessionOwner,
    request: RequestId,
    stream_seq: u64,
) -> sqlx::Result<StopState> {
    let mut transaction = db.begin().await?;
    ensure_session(&mut transaction, owner).await?;
    let state = sqlx::query_scalar!(
        r#"select request_stop($1, $2, $3) as "state!""#,
        owner.session.connection_id(),
        request.0,
        stream_seq.cast_signed(),
    )
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(match state.as_str() {
        "requested" => StopState::Requested,
        "stopped" => StopState::Stopped,
        _ => StopState::TooLate,
    })
}

/// Makes the rows that have to be locked, where they are missing.
pub(super) async fn ensure_session(
    connection: &mut sqlx::PgConnection,
    owner: &SessionOwner,
) -> sqlx::Result<()> {
    sqlx::query!(
        "select ensure_session($1, $2, $3, $4, $5, $6)",
        owner.session.connection_id(),
        owner.user_id(),
        owner.phone_number,
        owner.verified,
        owner.channel.as_str(),
        owner.device,
    )
    .execute(connection)
    .await?;
    Ok(())
}
