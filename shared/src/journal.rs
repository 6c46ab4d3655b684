//! The journal from outside of a turn: the events of one reply, in stored order, and what a message is told before its turn.

use std::time::Duration;

use async_nats::StatusCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event::{AGAIN_HEADER, EVENT_HEADER, EventData, TokenEvent};
use crate::ids::{RequestId, SessionKey};
use crate::nats::Nats;

/// How long the journal may take for one page.
const DEADLINE: Duration = Duration::from_secs(2);

/// Messages that one page may hold.
const PAGE: usize = 512;

/// The status of the message that ends a page.
const END_OF_BATCH: u16 = 204;

/// An event as the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place in the stream.
    pub stream_seq: u64,
    /// When it was stored, by the server's clock.
    pub at: OffsetDateTime,
    /// It had been sent before.
    pub again: bool,
    /// The event.
    pub event: TokenEvent,
}

/// A message as a stream holds it.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its place in the stream.
    pub stream_seq: u64,
    /// When it was stored, by the server's clock.
    pub at: OffsetDateTime,
    /// The message itself.
    pub message: async_nats::Message,
}

/// Why a stream could not be read.
#[derive(Debug, thiserror::Error)]
#[error("a stream could not be read: {0}")]
pub struct ReadError(async_nats::Error);

impl ReadError {
    fn new(error: impl Into<async_nats::Error>) -> Self {
        Self(error.into())
    }
}

/// What a direct get with `batch` asks for (NATS ADR-31).
#[derive(Serialize)]
struct BatchedGet<'a> {
    seq: u64,
    batch: usize,
    next_by_subj: &'a str,
}

/// Tells a message something before anyone has begun to answer it: an event of epoch 0 at seq 1. Where somebody has begun, it is
/// refused, and not needed.
///
/// # Errors
/// NATS did not confirm it in time.
pub async fn tell(
    nats: &Nats,
    session: SessionKey,
    request: RequestId,
    data: &EventData,
) -> Result<(), PublishError> {
    let event = TokenEvent::new(0, 1, data);
    let message = PublishMessage::build()
        .payload(event.payload.clone())
        .header(EVENT_HEADER, event.header())
        .expected_last_subject_sequence(0);
    let subject = nats.subjects.tokens(session, request);
    let told = async { nats.jetstream.send_publish(subject, message).await?.await };
    match told.await {
        Err(error) if error.kind() != PublishErrorKind::WrongLastSequence => Err(error),
        _ => Ok(()),
    }
}

/// The events on `subject` (a `chat.tokens.…`) from stream sequence `from` on (0 or 1 = all).
///
/// # Errors
/// NATS did not answer in time.
pub async fn events(nats: &Nats, subject: &str, from: u64) -> Result<Vec<Stored>, ReadError> {
    let stored = messages(nats, &nats.subjects.tokens_stream(), subject, from).await?;
    let event = |stored: StoredMessage| {
        let headers = stored.message.headers.as_ref();
        Some(Stored {
            stream_seq: stored.stream_seq,
            at: stored.at,
            again: headers.is_some_and(|headers| headers.get(AGAIN_HEADER).is_some()),
            event: TokenEvent::read(headers, stored.message.payload.clone())?,
        })
    };
    Ok(stored.into_iter().filter_map(event).collect())
}

/// The start of the server's process that holds the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// It is known to run since then, by its own clock. An event that was stored before may have been followed by others, which
    /// readers saw and which were not on the disk yet when the process before was killed.
    pub at: OffsetDateTime,
    /// The last message that the queue had then. What is said of a later one is said to this process.
    pub queued_up_to: u64,
}

/// The start of the server's process that holds the journal; `None` on a cluster, where the other nodes have what one loses.
///
/// # Errors
/// NATS did not answer in time, or has only just started.
pub async fn server_started(nats: &Nats) -> Result<Option<Started>, ReadError> {
    if !nats.is_single {
        return Ok(None);
    }
    let (stream, subject) = (nats.subjects.boot_stream(), nats.subjects.boot());
    let marks = messages(nats, &stream, &subject, 0).await?;
    let mark = marks
        .first()
        .ok_or_else(|| ReadError::new("the server has no mark yet"))?;
    let queued_up_to = std::str::from_utf8(&mark.message.payload).map_err(ReadError::new)?;
    Ok(Some(Started {
        at: mark.at,
        queued_up_to: queued_up_to.parse().map_err(ReadError::new)?,
    }))
}

/// The messages of `stream` on `subject` from stream sequence `from` on (0 or 1 = all).
///
/// # Errors
/// NATS did not answer in time.
pub async fn messages(
    nats: &Nats,
    stream: &str,
    subject: &str,
    from: u64,
) -> Result<Vec<StoredMessage>, ReadError> {
    let mut found = Vec::new();
    let mut from = from.max(1);
    loop {
        let more = tokio::time::timeout(DEADLINE, page(nats, stream, subject, from, &mut found))
            .await
            .map_err(ReadError::new)??;
        match found.last() {
            Some(last) if more => from = last.stream_seq + 1,
            _ => return Ok(found),
        }
    }
}

/// Reads one page into `found`; true where there is more.
async fn page(
    nats: &Nats,
    stream: &str,
    subject: &str,
    from: u64,
    found: &mut Vec<StoredMessage>,
) -> Result<bool, ReadError> {
    let request = serde_json::to_vec(&BatchedGet {
        seq: from,
        batch: PAGE,
        next_by_subj: subject,
    })
    .map_err(ReadError::new)?;
    let inbox = nats.client.new_inbox();
    let mut answers = nats
        .client
        .subscribe(inbox.clone())
        .await
        .map_err(ReadError::new)?;
    nats.client
        .publish_with_reply(
            format!("$JS.API.DIRECT.GET.{stream}"),
            inbox,
            Bytes::from(request),
        )
        .await
        .map_err(ReadError::new)?;
    while let Some(message) = answers.next().await {
        let text = |name: &str| Some(message.headers.as_ref()?.get(name)?.as_str());
        let header = |name: &str| text(name)?.parse::<u64>().ok();
        match message.status {
            // The end of a batch says how many messages are left.
            Some(status) if status.as_u16() == END_OF_BATCH => {
                return Ok(header("Nats-Num-Pending").unwrap_or(0) > 0);
            }
            Some(StatusCode::NOT_FOUND) => return Ok(false),
            Some(StatusCode::NO_RESPONDERS) => {
                return Err(ReadError::new("no server answers for this stream"));
            }
            Some(status) if status != StatusCode::OK => {
                return Err(ReadError::new(format!("the server answered {status}")));
            }
            _ => {}
        }
        let at = text("Nats-Time-Stamp").and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok());
        let Some((stream_seq, at)) = header("Nats-Sequence").zip(at) else {
            return Err(ReadError::new("an answer without a sequence and a time"));
        };
        found.push(StoredMessage {
            stream_seq,
            at,
            message,
        });
    }
    Err(ReadError::new("the connection was closed"))
}
