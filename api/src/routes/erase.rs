//! `DELETE /chat/history`: everything that is known of the session's user is erased.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use futures_util::future::join_all;
use shared::db::erase::{ErasedSession, erase_user};
use shared::envelope::Envelope;
use shared::event::{EVENT_HEADER, EventData, EventError, RESET_STRIDE, TokenEvent};
use shared::ids::{Channel, RequestId};
use shared::journal;
use time::OffsetDateTime;
use tracing::{info, warn};

use crate::error::Problem;
use crate::identity::Visitor;
use crate::relay::stored::within;
use crate::state::App;

/// How long a worker may take to let go of a session.
const LET_GO: Duration = Duration::from_secs(3);

/// How long NATS may take for everything that has to be purged.
const DEADLINE: Duration = Duration::from_secs(10);

/// Erase this user's messages, sessions and personal data.
///
/// Replies that run are stopped first, on all devices of a verified user; whoever reads one gets a final event with `reset` and
/// the error `erased`. It may be repeated.
#[utoipa::path(
    delete, path = "/chat/history", tag = "chat",
    params(super::docs::ReadHeaders),
    responses((status = 204, description = "Nothing is left."), super::docs::ReadProblems)
)]
pub(super) async fn erase(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
) -> Result<StatusCode, Problem> {
    if !app.nats.is_usable() {
        return Err(Problem::no_queue());
    }
    // A task of its own: dropped halfway, it would leave readers behind who wait in vain.
    let erased = tokio::spawn(async move {
        let last = last_in_queue(&app).await.map_err(|error| unfinished(&*error))?;
        let sessions = within(erase_user(&app.pool, &visitor.owner(), last)).await;
        let sessions = sessions.map_err(|_| Problem::no_storage())?;
        info!(sessions = sessions.len(), "a user was erased");
        let purged = join_all(sessions.iter().map(|session| purge(&app, session, last)));
        let purged = tokio::time::timeout(DEADLINE, purged).await;
        let purged = purged.map_err(|error| unfinished(&error))?;
        purged
            .into_iter()
            .collect::<Result<(), async_nats::Error>>()
            .map_err(|error| unfinished(&*error))?;
        Ok(StatusCode::NO_CONTENT)
    });
    erased.await.unwrap_or_else(|_| Err(Problem::internal()))
}

fn unfinished(error: &dyn std::error::Error) -> Problem {
    warn!(%error, "an erasure is unfinished");
    let detail = "Not everything could be erased yet. Please try again.";
    Problem::unavailable("erasure_unfinished", detail, 2)
}

/// The place of the newest message that was accepted.
async fn last_in_queue(app: &App) -> Result<u64, async_nats::Error> {
    let stream = app.nats.jetstream.get_stream(app.nats.subjects.chat_stream());
    let stream = tokio::time::timeout(DEADLINE, stream).await??;
    Ok(stream.cached_info().state.last_sequence)
}

/// Removes what the streams hold of a session, and tells its readers.
async fn purge(app: &App, erased: &ErasedSession, last: u64) -> Result<(), async_nats::Error> {
    let ErasedSession {
        session, epoch, ran, ..
    } = erased;
    let subjects = &app.nats.subjects;
    if *ran {
        // Only who runs the session answers, when its turn has ended. It may be dead, too.
        let end = app.nats.client.request(subjects.control(*session), Bytes::new());
        let _ = tokio::time::timeout(LET_GO, end).await;
    }
    let mut requests = erased.requests.clone();
    for channel in [Channel::Web, Channel::Whatsapp] {
        let waiting = subjects.incoming(channel, *session);
        requests.extend(requests_up_to(app, &waiting, last).await?);
        let chat = app
            .nats
            .jetstream
            .get_stream_no_info(subjects.chat_stream())
            .await?;
        chat.purge().filter(waiting).sequence(last + 1).await?;
    }
    let tokens = app
        .nats
        .jetstream
        .get_stream_no_info(subjects.tokens_stream())
        .await?;
    tokens.purge().filter(subjects.all_tokens_of(*session)).await?;
    let dead = app
        .nats
        .jetstream
        .get_stream_no_info(subjects.dead_stream())
        .await?;
    dead.purge().filter(subjects.all_dead_of(*session)).await?;
    requests.sort_unstable();
    requests.dedup();
    for request in requests {
        let data = EventData::ended(EventError::erased(), OffsetDateTime::now_utc());
        let event = TokenEvent::new(*epoch, epoch.saturating_mul(RESET_STRIDE), &data);
        let message = PublishMessage::build()
            .payload(event.payload.clone())
            .header(EVENT_HEADER, event.header());
        let subject = subjects.tokens(*session, request);
        app.nats.jetstream.send_publish(subject, message).await?.await?;
    }
    Ok(())
}

/// The requests on a subject of the queue.
async fn requests_up_to(app: &App, subject: &str, last: u64) -> Result<Vec<RequestId>, async_nats::Error> {
    let waiting = journal::messages(&app.nats, &app.nats.subjects.chat_stream(), subject, 0).await?;
    let request = |stored: journal::StoredMessage| {
        let envelope: Envelope = serde_json::from_slice(&stored.message.payload).ok()?;
        (stored.stream_seq <= last).then_some(envelope.request_id)
    };
    Ok(waiting.into_iter().filter_map(request).collect())
}
