//! Commit: the call by which a worker stores replies, with everything that follows from them.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::time::timeout;
use uuid::Uuid;

use super::turn::{TurnInput, interval, read_turn};
use super::{CALL_DEADLINE, settle};
use crate::ids::{RequestId, WorkerId};

/// What `messages.status` says of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyStatus {
    /// Said to the end.
    Complete,
    /// Stopped; the body is what was said until then.
    Stopped,
    /// Given up; the body is what was said until then.
    Failed,
}

/// A reply with everything that its turn changes.
#[derive(Clone, Debug, Serialize)]
pub struct NewReply {
    /// The session's key, as the id of its connection.
    pub connection_id: Uuid,
    /// The lease's epoch.
    pub epoch: u64,
    /// The reply's own id.
    pub id: Uuid,
    /// The request it is addressed to.
    pub reply_to: RequestId,
    /// All requests that it covers.
    pub requests: Vec<RequestId>,
    /// All that was sent.
    pub body: String,
    /// The first event's `seq`: 1, or where the text was begun anew.
    pub first_seq: u64,
    /// Where each event's text ends in `body`, in bytes.
    pub piece_ends: Vec<usize>,
    /// How it ended.
    pub status: ReplyStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// The final event's own fields.
    pub final_fields: Value,
    /// Readers have had the final event: the reply is as it says, whatever was asked since.
    pub final_said: bool,
    /// The session's new state; `None` leaves it as it is.
    pub state: Option<Value>,
    /// The agent that the session is pinned to, with `state`.
    pub active_agent: Option<String>,
    /// The visitor's language as a BCP 47 tag, where what is stored of the user is another one or none.
    pub language: Option<String>,
    /// What else to write: objects with `type` and `id`.
    pub effects: Vec<Value>,
    /// What is sent to the visitor; nothing on the web, where it is read.
    pub deliveries: Vec<Part>,
    /// Whether it would rather not be stored where it does not cover everything that has come (on WhatsApp).
    pub join: bool,
    /// How often the requests had been changed when the turn began.
    pub revision: u32,
    /// Whether the worker would run the session's next turn.
    #[serde(rename = "continue")]
    pub go_on: bool,
}

/// A part of a reply, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// `deliveries.id`.
    pub id: Uuid,
    /// 0, 1, 2 …
    pub part: u32,
    /// Its text, with the provider's own marks.
    pub body: String,
    /// The titles of reply buttons under it.
    pub buttons: Vec<String>,
}

/// What became of a reply.
#[derive(Clone, Debug)]
pub enum Committed {
    /// It is stored.
    Stored {
        /// The request was asked to stop before: the reply is marked so, and has changed nothing else.
        stopped: bool,
        /// Seconds until the session expires, and when that began; unknown after an ambiguous commit.
        lock: Option<(i32, OffsetDateTime)>,
        /// The next turn, for which the lease goes on; else it was given back.
        next: Option<Box<TurnInput>>,
    },
    /// Something else has come that it does not cover: nothing was stored, and the session was given back, for another turn.
    Overtaken,
    /// The session is another worker's by now; nothing was stored.
    Lost,
}

/// Stores replies, each fenced by owner and epoch. May be repeated after an ambiguous failure.
///
/// # Errors
/// As PostgreSQL says; nothing was stored, or the connection broke and it is not known.
pub async fn store(
    db: &PgPool,
    worker: WorkerId,
    lease: Duration,
    replies: &[NewReply],
) -> sqlx::Result<Vec<Committed>> {
    let batch = serde_json::to_value(replies).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let mut connection = db.acquire().await?;
    let call = sqlx::query!(
        r#"select outcome as "outcome!", session_ttl, locked_at, turn as "turn?: Value", stopped
        from commit_turns($1, $2, $3)"#,
        batch,
        worker.0,
        interval(lease),
    )
    .fetch_all(&mut *connection);
    let answer = timeout(CALL_DEADLINE, call).await;
    let rows = settle(connection, answer)?;
    rows.into_iter()
        .map(|row| {
            match row.outcome.as_str() {
                "committed" => {}
                "overtaken" => return Ok(Committed::Overtaken),
                _ => return Ok(Committed::Lost),
            }
            Ok(Committed::Stored {
                stopped: row.stopped.unwrap_or_default(),
                lock: row.session_ttl.zip(row.locked_at),
                next: row.turn.and_then(read_turn).map(Box::new),
            })
        })
        .collect()
}
