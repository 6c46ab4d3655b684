//! Sessions that have come to their end.

use sqlx::PgExecutor;

/// Clears the sessions that have expired (their messages stay), and returns how many.
///
/// # Errors
/// As PostgreSQL says.
pub async fn clean_up(db: impl PgExecutor<'_>) -> sqlx::Result<u64> {
    sqlx::query_scalar!(r#"select clean_up_sessions() as "count!""#)
        .fetch_one(db)
        .await
        .map(i64::cast_unsigned)
}
