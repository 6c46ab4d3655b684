//! Sessions that have come to their end.

use sqlx::PgPool;

/// Sessions that one call clears.
const BATCH: i32 = 1000;

/// Clears the sessions that have expired (their messages stay), and returns how many.
///
/// # Errors
/// As PostgreSQL says.
pub async fn clean_up(db: &PgPool) -> sqlx::Result<u64> {
    let mut all = 0;
    loop {
        let count = sqlx::query_scalar!(r#"select clean_up_sessions($1) as "count!""#, BATCH)
            .fetch_one(db)
            .await?;
        all += count.cast_unsigned();
        if count < i64::from(BATCH) {
            return Ok(all);
        }
    }
}
