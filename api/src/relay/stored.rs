//! Stored replies, looked up with one query for all readers that ask at the same time.

use std::collections::HashMap;
use std::time::Duration;

use shared::batch::Batcher;
use shared::db;
use shared::db::reply::Request;
use shared::ids::RequestId;
use sqlx::PgPool;
use tracing::warn;

/// How long PostgreSQL may take for a query.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// How long one reader waits, other readers' queries included.
const PATIENCE: Duration = Duration::from_secs(3);

/// Requests in a query at most.
const MOST: usize = 1000;

/// PostgreSQL did not answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PostgreSQL did not answer in time")]
pub struct Away;

/// Looks requests up. Clones share the queries.
#[derive(Clone, Debug)]
pub struct Stored(Batcher<RequestId, Result<Option<Request>, Away>>);

impl Stored {
    /// Looks up in this database.
    pub fn new(pool: PgPool) -> Self {
        Self(Batcher::new(MOST, move |ids: Vec<RequestId>| {
            let pool = pool.clone();
            async move { look_up(&pool, &ids).await }
        }))
    }

    /// The request and its reply; `None` where it has not been taken in.
    ///
    /// # Errors
    /// PostgreSQL did not answer in time.
    pub async fn request(&self, id: RequestId) -> Result<Option<Request>, Away> {
        match tokio::time::timeout(PATIENCE, self.0.submit(id)).await {
            Ok(Ok(found)) => found,
            _ => Err(Away),
        }
    }
}

async fn look_up(pool: &PgPool, ids: &[RequestId]) -> Vec<Result<Option<Request>, Away>> {
    let rows = match within(db::reply::requests(pool, ids)).await {
        Ok(rows) => rows,
        Err(away) => return vec![Err(away); ids.len()],
    };
    let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, row)).collect();
    ids.iter().map(|id| Ok(rows.get(id).cloned())).collect()
}

/// A query within [`DEADLINE`].
///
/// # Errors
/// PostgreSQL did not answer in time, or not with what was asked for.
pub async fn within<T>(query: impl Future<Output = sqlx::Result<T>>) -> Result<T, Away> {
    let error = match tokio::time::timeout(DEADLINE, query).await {
        Ok(Ok(found)) => return Ok(found),
        Ok(Err(error)) => db::code(&error),
        Err(_) => "deadline".into(),
    };
    warn!(code = error, "PostgreSQL could not be read");
    Err(Away)
}
