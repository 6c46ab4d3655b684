//! A user's messages, page by page.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

/// A stored message.
#[derive(Clone, Debug, Serialize)]
pub struct HistoryMessage {
    /// Its id; the request id of an incoming one.
    pub id: Uuid,
    /// `incoming` or `outgoing`.
    pub direction: String,
    /// Its text.
    pub content: String,
    /// Its attachments, `[{"kind", "url"}]`.
    pub media: Value,
    /// `pending`, `answered`, `failed`; `complete`, `stopped`, `failed`.
    pub status: String,
    /// The request that a reply answers.
    pub reply_to: Option<Uuid>,
    /// When it was accepted, or stored.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Up to `limit` messages of a user, newest last, older than the message `before` where one is given.
///
/// A `before` that is not the user's gives nothing.
///
/// # Errors
/// As PostgreSQL says.
pub async fn page(
    db: impl PgExecutor<'_>,
    user_id: Uuid,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<HistoryMessage>> {
    let mut page = sqlx::query_as!(
        HistoryMessage,
        r#"select id, direction, body as content, media, status, reply_to, created_at from messages
        where user_id = $1
            and ($2::uuid is null or position < (select position from messages where id = $2 and user_id = $1))
        order by position desc limit $3"#,
        user_id,
        before,
        limit,
    )
    .fetch_all(db)
    .await?;
    page.reverse();
    Ok(page)
}
