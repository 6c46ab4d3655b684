//! Stored replies, as readers need them: any event of one can be rendered again under its original id.

use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::event::{EventData, EventError, EventExtra, TokenEvent};
use crate::ids::{RequestId, SessionKey};

/// An incoming message and, where there is one, its reply.
#[derive(Clone, Debug)]
pub struct Request {
    /// The message.
    pub id: RequestId,
    /// Whose it is.
    pub session: SessionKey,
    /// Its place in the queue.
    pub stream_seq: u64,
    /// Tells whether two requests of one key say the same.
    pub body_hash: Option<Vec<u8>>,
    /// What was answered.
    pub reply: Option<StoredReply>,
}

/// A stored reply.
#[derive(Clone, Debug)]
pub struct StoredReply {
    /// Its own id.
    pub id: Uuid,
    /// All that was sent.
    pub body: String,
    /// The first event's `seq`: 1, or where the text was begun anew.
    pub first_seq: u64,
    /// Where each event's text ends, in bytes.
    pub piece_ends: Vec<usize>,
    /// The final event's own fields.
    pub extra: EventExtra,
    /// When it was stored.
    pub created_at: OffsetDateTime,
}

impl StoredReply {
    /// The events after `seq`, the final one last.
    pub fn events_after(&self, seq: u64) -> impl Iterator<Item = TokenEvent> + '_ {
        let texts = self.piece_ends.iter().enumerate().map(|(index, end)| {
            let start = if index == 0 { 0 } else { self.piece_ends[index - 1] };
            let text = self.body.get(start..*end).unwrap_or_default().to_owned();
            let mut data = EventData::text(text, self.created_at);
            data.extra.reset = index == 0 && self.first_seq > 1;
            data
        });
        let last = EventData::last(self.extra.clone(), self.created_at);
        (self.first_seq..)
            .zip(texts.chain(std::iter::once(last)))
            .skip_while(move |(place, _)| *place <= seq)
            // Whatever epoch a reader has seen, what is stored is what counts.
            .map(|(place, data)| TokenEvent::new(u64::MAX, place, &data))
    }

    /// The `seq` of the final event.
    pub fn last_seq(&self) -> u64 {
        self.first_seq + self.piece_ends.len() as u64
    }
}

struct Row {
    id: Uuid,
    connection_id: Uuid,
    stream_seq: Option<i64>,
    body_hash: Option<Vec<u8>>,
    reply_id: Option<Uuid>,
    body: Option<String>,
    first_seq: Option<i64>,
    piece_ends: Option<Vec<i32>>,
    final_fields: Option<Value>,
    created_at: Option<OffsetDateTime>,
}

impl From<Row> for Request {
    fn from(row: Row) -> Self {
        let reply = row.reply_id.map(|id| StoredReply {
            id,
            body: row.body.unwrap_or_default(),
            first_seq: row.first_seq.map_or(1, i64::cast_unsigned),
            piece_ends: row
                .piece_ends
                .unwrap_or_default()
                .into_iter()
                .map(|end| usize::try_from(end).unwrap_or_default())
                .collect(),
            extra: row
                .final_fields
                .and_then(|fields| serde_json::from_value(fields).ok())
                .unwrap_or_default(),
            created_at: row.created_at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        });
        Self {
            id: RequestId(row.id),
            session: SessionKey::from_connection_id(row.connection_id),
            stream_seq: row.stream_seq.unwrap_or_default().cast_unsigned(),
            body_hash: row.body_hash,
            reply,
        }
    }
}

/// The requests of these ids that have been taken in, in any order.
///
/// # Errors
/// As PostgreSQL says.
pub async fn requests(db: impl PgExecutor<'_>, ids: &[RequestId]) -> sqlx::Result<Vec<Request>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select i.id, i.connection_id, i.stream_seq, i.body_hash, r.id as "reply_id?", r.body as "body?", r.first_seq as "first_seq?", r.piece_ends,
            r.final_fields as "final_fields?", r.created_at as "created_at?"
        from messages i left join messages r on r.reply_to = coalesce(i.answered_by, i.id)
        where i.id = any ($1) and i.direction = 'incoming'"#,
        &ids,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Request::from).collect())
}

/// Whether a message of this session other than `request` waits for its reply.
///
/// # Errors
/// As PostgreSQL says.
pub async fn has_pending(
    db: impl PgExecutor<'_>,
    session: SessionKey,
    request: RequestId,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
            select from messages where connection_id = $1 and status = 'pending' and id <> $2) as "pending!""#,
        session.connection_id(),
        request.0,
    )
    .fetch_one(db)
    .await
}

/// The session's newest request that has been taken in.
///
/// # Errors
/// As PostgreSQL says.
pub async fn newest_request(db: impl PgExecutor<'_>, session: SessionKey) -> sqlx::Result<Option<Request>> {
    let row = sqlx::query_as!(
        Row,
        r#"select i.id, i.connection_id, i.stream_seq, i.body_hash, r.id as "reply_id?", r.body as "body?", r.first_seq as "first_seq?", r.piece_ends,
            r.final_fields as "final_fields?", r.created_at as "created_at?"
        from messages i left join messages r on r.reply_to = coalesce(i.answered_by, i.id)
        where i.connection_id = $1 and i.direction = 'incoming'
        order by i.stream_seq desc limit 1"#,
        session.connection_id(),
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Request::from))
}

/// The final event's own fields of a reply that was given up.
pub fn failed(code: &str) -> EventExtra {
    EventExtra {
        error: Some(EventError::failed(code)),
        ..EventExtra::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_a_stored_reply_has_its_original_place_and_text() {
        let reply = StoredReply {
            id: Uuid::nil(),
            body: "Grüß dich".into(),
            first_seq: 1,
            piece_ends: vec![7, 7, 11],
            extra: EventExtra::default(),
            created_at: OffsetDateTime::UNIX_EPOCH,
        };
        let texts: Vec<_> = reply
            .events_after(0)
            .map(|event| (event.seq, event.data().unwrap().content, event.is_final))
            .collect();
        let text = |seq, text: &str| (seq, text.to_owned(), seq == 4);
        assert_eq!(
            texts,
            [text(1, "Grüß "), text(2, ""), text(3, "dich"), text(4, "")]
        );
        for seq in 0..=4 {
            assert_eq!(reply.events_after(seq).count() as u64, reply.last_seq() - seq);
        }
        let anew = StoredReply {
            first_seq: 2_000_000,
            ..reply
        };
        let places: Vec<_> = anew
            .events_after(3)
            .map(|event| (event.seq, event.reset))
            .collect();
        assert_eq!(
            places,
            [
                (2_000_000, true),
                (2_000_001, false),
                (2_000_002, false),
                (2_000_003, false)
            ]
        );
    }
}
