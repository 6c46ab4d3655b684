//! What was stored, journalled and shown of a conversation: everything that the checker judges by.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use shared::event::{EventData, EventId, TokenEvent};
use shared::ids::RequestId;
use sqlx::Row;
use uuid::Uuid;

use super::stage::Stage;
use super::visitors::Conversation;
use super::witness::{self, Acquired, StoredBy};
use crate::sse::EventStream;
use crate::store;

/// A row of `messages`.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its id.
    pub id: Uuid,
    /// What was written or said.
    pub body: String,
    /// As stored.
    pub status: String,
    /// The request that it answers, where it is a reply.
    pub reply_to: Option<RequestId>,
    /// Its place in the queue, where it came in.
    pub stream_seq: Option<i64>,
    /// Turns that began.
    pub attempts: i32,
    /// A reply that was given without the database.
    pub degraded: bool,
}

/// What a second reader got, from after event `after` on.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Of which request.
    pub request: RequestId,
    /// The last event that the second reader claimed to have.
    pub after: u64,
    /// The events that came.
    pub events: Vec<(u64, EventData)>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The session's rows in the order of `number`.
    pub rows: Vec<StoredMessage>,
    /// Bodies as `GET /chat/history` shows them.
    pub history: Vec<String>,
    /// The journal in stored order.
    pub journal: Vec<(RequestId, TokenEvent)>,
    /// Who took the lease, in order.
    pub leases: Vec<Acquired>,
    /// Who stored what.
    pub stored_by: Vec<StoredBy>,
    /// Who prolonged or gave back another's lease, and whose.
    pub trespasses: Vec<(Option<String>, Option<String>)>,
    /// Second readings.
    pub replays: Vec<Replay>,
    /// Rows.
    pub consultations: i64,
    /// Rows.
    pub consents: i64,
}

impl Evidence {
    /// Collects it; the second readings start at the event that `pick` chooses from the number there is.
    ///
    /// # Errors
    /// PostgreSQL, NATS or an api does not answer: to be tried again.
    pub async fn collect(
        stage: &Stage,
        conversation: &Conversation,
        base: &str,
        pick: impl Fn(usize) -> usize,
    ) -> Result<Self> {
        let session = conversation.visitor.session();
        let id = session.connection_id();
        let rows = sqlx::query(
            "select id, body, status, reply_to, stream_seq, attempts, coalesce(final_fields ? 'degraded', false) as degraded
            from messages where connection_id = $1 order by number",
        )
        .bind(id)
        .fetch_all(&stage.db)
        .await?;
        let row = |row: &sqlx::postgres::PgRow| StoredMessage {
            id: row.get("id"),
            body: row.get("body"),
            status: row.get("status"),
            reply_to: row.get::<Option<Uuid>, _>("reply_to").map(RequestId),
            stream_seq: row.get("stream_seq"),
            attempts: row.get("attempts"),
            degraded: row.get("degraded"),
        };
        let count = async |table: &'static str| -> sqlx::Result<i64> {
            sqlx::query_scalar(table).bind(id).fetch_one(&stage.db).await
        };
        let visitor = conversation.visitor.at(base);
        let history = visitor.history().await?;
        let mut replays = Vec::new();
        for heard in conversation.heard.iter().filter(|heard| heard.last.is_some()) {
            let begun = std::iter::once(0).chain(heard.events.iter().map(|event| event.seq));
            // Not the final one: after it there is nothing to be read.
            let places: Vec<_> = begun.take(heard.events.len()).collect();
            let after = places[pick(places.len())];
            let response = visitor
                .listen(Some(EventId {
                    request: heard.request,
                    seq: after,
                }))
                .await?;
            ensure!(response.status() != 503, "the api cannot say now");
            let stream = EventStream::of(response).context("a second reading")?;
            let mut events = Vec::new();
            for event in stream.all().await? {
                ensure!(
                    event.id.request == heard.request,
                    "a second reading shows another request"
                );
                events.push((event.id.seq, event.data));
            }
            replays.push(Replay {
                request: heard.request,
                after,
                events,
            });
        }
        Ok(Self {
            rows: rows.iter().map(row).collect(),
            history: history.iter().map(body).collect(),
            journal: store::read_journal(&stage.nats, session).await?,
            leases: witness::leases(&stage.db, session).await?,
            stored_by: witness::replies(&stage.db, session).await?,
            trespasses: witness::trespasses(&stage.db, session).await?,
            replays,
            consultations: count("select count(*) from consultations where connection_id = $1").await?,
            consents: count(
                "select count(*) from consents s join connections c using (user_id) where c.id = $1 and s.given",
            )
            .await?,
        })
    }
}

fn body(message: &Value) -> String {
    message["content"].as_str().unwrap_or_default().to_owned()
}
