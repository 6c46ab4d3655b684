//! Which request a reader means: what still waits in the queue, and what has been taken in.

use std::time::Duration;

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use shared::db;
use shared::envelope::Envelope;
use shared::ids::{Channel, RequestId, SessionKey};
use shared::journal;
use tracing::warn;

use super::stored::{Away, within};
use crate::error::Problem;
use crate::state::App;

/// How long NATS may take for one message.
const DEADLINE: Duration = Duration::from_secs(2);

/// A request and its place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its stream sequence in `CHAT`.
    pub stream_seq: u64,
    /// The request.
    pub request: RequestId,
}

/// The session's newest request; `None` where it has none.
///
/// The queue is asked first, and PostgreSQL after its answer: a message leaves the queue only when its row is committed,
/// so that in this order it cannot be missed in both. Both are asked, since an older one may wait in the queue longer.
///
/// # Errors
/// 503: what would have to answer is away.
pub async fn newest(app: &App, session: SessionKey) -> Result<Option<RequestId>, Problem> {
    let queued = newest_queued(app, session).await?;
    let Ok(taken_in) = newest_taken_in(app, session).await else {
        // What waits is newer than what was taken in, but for the rare case that one of them came out of order.
        let newest = match queued {
            Some(place) => Some(place.request),
            None => newest_heard(app, session).await?,
        };
        return newest.map(Some).ok_or_else(Problem::no_storage);
    };
    Ok(queued.max(taken_in).map(|place| place.request))
}

/// The session's newest request with its place; `None` where it has none.
///
/// # Errors
/// 503: NATS or PostgreSQL is away.
pub async fn newest_place(app: &App, session: SessionKey) -> Result<Option<Place>, Problem> {
    let queued = newest_queued(app, session).await?;
    let taken_in = newest_taken_in(app, session)
        .await
        .map_err(|Away| Problem::no_storage())?;
    Ok(queued.max(taken_in))
}

/// The place of a request of this session; `None` where there is no such request.
///
/// # Errors
/// 503: NATS or PostgreSQL is away.
pub async fn place_of(app: &App, session: SessionKey, request: RequestId) -> Result<Option<Place>, Problem> {
    let waiting = all_queued(app, session).await?;
    if let Some((place, _)) = waiting.into_iter().find(|(place, _)| place.request == request) {
        return Ok(Some(place));
    }
    let row = app.stored.request(request).await;
    let row = row.map_err(|Away| Problem::no_storage())?;
    Ok(row.filter(|row| row.session == session).map(|row| Place {
        stream_seq: row.stream_seq,
        request,
    }))
}

/// Whether a message of this session, other than `request`, waits for its reply, as far as can be found out now.
///
/// # Errors
/// 503: NATS did not answer in time.
pub async fn is_busy(app: &App, session: SessionKey, request: RequestId) -> Result<bool, Problem> {
    let waiting = all_queued(app, session).await?;
    if waiting.iter().any(|(place, _)| place.request != request) {
        return Ok(true);
    }
    let pending = within(db::reply::has_pending(&app.pool, session, request)).await;
    Ok(pending.unwrap_or(false))
}

async fn newest_taken_in(app: &App, session: SessionKey) -> Result<Option<Place>, Away> {
    let newest = within(db::reply::newest_request(&app.pool, session)).await?;
    Ok(newest.map(|request| Place {
        stream_seq: request.stream_seq,
        request: request.id,
    }))
}

/// The session's newest message that waits.
async fn newest_queued(app: &App, session: SessionKey) -> Result<Option<Place>, Problem> {
    let subjects = &app.nats.subjects;
    let subject = subjects.incoming(Channel::Web, session);
    let message = last(app, subjects.chat_stream(), &subject).await?;
    Ok(message.and_then(|message| {
        let envelope: Envelope = serde_json::from_slice(&message.payload).ok()?;
        Some(Place {
            stream_seq: message.sequence,
            request: envelope.request_id,
        })
    }))
}

/// The request to which the session's last event in the journal belongs.
async fn newest_heard(app: &App, session: SessionKey) -> Result<Option<RequestId>, Problem> {
    let subjects = &app.nats.subjects;
    let message = last(app, subjects.tokens_stream(), &subjects.all_tokens_of(session)).await?;
    Ok(message.and_then(|message| message.subject.rsplit('.').next()?.parse().ok()))
}

/// The last message of a subject, from the stream's leader, which has every message that it acknowledged.
async fn last(app: &App, stream: String, subject: &str) -> Result<Option<StreamMessage>, Problem> {
    let read = async {
        match app.nats.jetstream.get_stream_no_info(stream).await {
            Ok(stream) => stream
                .get_last_raw_message_by_subject(subject)
                .await
                .map_err(|error| error.kind()),
            Err(_) => Err(LastRawMessageErrorKind::Other),
        }
    };
    match tokio::time::timeout(DEADLINE, read).await {
        Ok(Ok(message)) => Ok(Some(message)),
        Ok(Err(LastRawMessageErrorKind::NoMessageFound)) => Ok(None),
        Ok(Err(_)) | Err(_) => {
            warn!("a stream could not be read");
            Err(Problem::no_queue())
        }
    }
}

/// A request of this session that still waits in the queue.
///
/// # Errors
/// 503: NATS did not answer in time.
pub async fn queued(app: &App, session: SessionKey, request: RequestId) -> Result<Option<Envelope>, Problem> {
    let waiting = all_queued(app, session).await?;
    let ours = waiting.into_iter().find(|(place, _)| place.request == request);
    Ok(ours.map(|(_, envelope)| envelope))
}

/// Everything of this session that still waits in the queue, oldest first.
async fn all_queued(app: &App, session: SessionKey) -> Result<Vec<(Place, Envelope)>, Problem> {
    let subjects = &app.nats.subjects;
    let subject = subjects.incoming(Channel::Web, session);
    let messages = journal::messages(&app.nats, &subjects.chat_stream(), &subject, 0)
        .await
        .map_err(|error| {
            warn!(%error, "the queue could not be read");
            Problem::no_queue()
        })?;
    let read = |stored: journal::StoredMessage| {
        let envelope: Envelope = serde_json::from_slice(&stored.message.payload).ok()?;
        let place = Place {
            stream_seq: stored.stream_seq,
            request: envelope.request_id,
        };
        Some((place, envelope))
    };
    Ok(messages.into_iter().filter_map(read).collect())
}
