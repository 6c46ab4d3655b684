//! The journal from outside of a turn: the events of one reply, in stored order, and what a message is told before its turn.

use std::time::Duration;

use async_nats::StatusCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;

use crate::event::{EVENT_HEADER, EventData, TokenEvent};
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
    /// The event.
    pub event: TokenEvent,
}

/// A message as a stream holds it.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its place in the stream.
    pub stream_seq: u64,
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
    let event = |StoredMessage { stream_seq, message }: StoredMessage| {
        let event = TokenEvent::read(message.headers.as_ref(), message.payload)?;
        Some(Stored { stream_seq, event })
    };
    Ok(stored.into_iter().filter_map(event).collect())
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
        let header = |name: &str| {
            message
                .headers
                .as_ref()
                .and_then(|headers| headers.get(name))
                .and_then(|value| value.as_str().parse::<u64>().ok())
        };
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
        let Some(stream_seq) = header("Nats-Sequence") else {
            return Err(ReadError::new("an answer without a sequence"));
        };
        found.push(StoredMessage { stream_seq, message });
    }
    Err(ReadError::new("the connection was closed"))
}
