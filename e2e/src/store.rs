//! What was stored and journalled.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use shared::event::{Cursor, TokenEvent, Verdict};
use shared::ids::{RequestId, SessionKey};
use sqlx::{PgPool, Row};

/// A request as it is stored, with its reply.
#[derive(Clone, Debug)]
pub struct StoredRequest {
    /// Its id.
    pub id: RequestId,
    /// What was written.
    pub body: String,
    /// `pending`, `answered` or `failed`.
    pub status: String,
    /// Turns that began.
    pub attempts: i32,
    /// Its replies: exactly one, once it is answered.
    pub replies: Vec<String>,
}

/// A session's requests in the order of arrival.
///
/// # Panics
/// PostgreSQL does not answer.
pub async fn requests(db: &PgPool, session: SessionKey) -> Vec<StoredRequest> {
    let rows = sqlx::query(
        "select i.id, i.body, i.status, i.attempts, coalesce(array_agg(r.body) filter (where r.id is not null), '{}') as replies
        from messages i left join messages r on r.reply_to = i.id
        where i.connection_id = $1 and i.direction = 'incoming'
        group by i.id order by i.stream_seq",
    )
    .bind(session.connection_id())
    .fetch_all(db)
    .await
    .expect("PostgreSQL answers");
    rows.iter()
        .map(|row| StoredRequest {
            id: RequestId(row.get("id")),
            body: row.get("body"),
            status: row.get("status"),
            attempts: row.get("attempts"),
            replies: row.get("replies"),
        })
        .collect()
}

/// The incoming messages of a session in the order in which they were answered.
///
/// # Panics
/// PostgreSQL does not answer.
pub async fn answered_in_order(db: &PgPool, session: SessionKey) -> Vec<String> {
    sqlx::query_scalar(
        "select i.body from messages r join messages i on i.id = r.reply_to
        where r.connection_id = $1 order by r.number",
    )
    .bind(session.connection_id())
    .fetch_all(db)
    .await
    .expect("PostgreSQL answers")
}

/// One number.
///
/// # Panics
/// PostgreSQL does not answer, or with something else.
pub async fn count(db: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(db)
        .await
        .expect("PostgreSQL answers")
}

/// Everything that the journal holds of a session, in stored order.
///
/// # Panics
/// NATS does not answer.
pub async fn journal(nats: &shared::nats::Nats, session: SessionKey) -> Vec<(RequestId, TokenEvent)> {
    read_journal(nats, session).await.expect("NATS answers")
}

/// [`journal`], where NATS may be away.
///
/// # Errors
/// It is, or something else than an event of ours is in the journal.
pub async fn read_journal(
    nats: &shared::nats::Nats,
    session: SessionKey,
) -> anyhow::Result<Vec<(RequestId, TokenEvent)>> {
    let subject = nats.subjects.all_tokens_of(session);
    let stored = shared::journal::messages(nats, &nats.subjects.tokens_stream(), &subject, 0).await?;
    let event = |stored: shared::journal::StoredMessage| {
        let headers = stored.message.headers.as_ref().context("an event has headers")?;
        let subject = headers
            .get("Nats-Subject")
            .context("a direct get names the subject")?
            .as_str();
        let request = subject.rsplit('.').next().unwrap_or_default().parse()?;
        let event =
            TokenEvent::read(Some(headers), stored.message.payload).context("not an event of ours")?;
        Ok((request, event))
    };
    stored.into_iter().map(event).collect()
}

/// Fails if two turns of a session overlapped: see [`overlaps`].
///
/// # Panics
/// They did.
pub fn assert_one_at_a_time(journal: &[(RequestId, TokenEvent)]) {
    let found = overlaps(journal);
    assert!(found.is_empty(), "{found:?}");
}

/// Where two turns of a session overlapped: the journal must hold the text of its requests one after the other, and the
/// epoch of a session never falls. (A final event comes after the commit, when the next turn may have begun. What a worker
/// said after it had lost its lease counts only where readers take it. Epoch 0 is no worker's turn.)
pub fn overlaps(journal: &[(RequestId, TokenEvent)]) -> Vec<String> {
    let mut cursors = HashMap::new();
    let taken = journal.iter().filter(|(request, event)| {
        let cursor = cursors.entry(*request).or_insert_with(|| Cursor::after(0));
        cursor.take(event) == Verdict::Take && !event.is_final && event.epoch > 0
    });
    let taken: Vec<_> = taken.collect();
    let (mut over, mut found) = (HashSet::new(), Vec::new());
    for pair in taken.windows(2) {
        let [(request, event), (next_request, next_event)] = pair else {
            continue;
        };
        if next_event.epoch < event.epoch {
            found.push(format!(
                "the epoch fell from {} to {}",
                event.epoch, next_event.epoch
            ));
        }
        if request != next_request {
            over.insert(*request);
            if over.contains(next_request) {
                found.push(format!("the turns of {request} and {next_request} overlapped"));
            }
        }
    }
    found
}
