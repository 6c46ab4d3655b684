//! How a message gets onto the queue: subscribe to its reply, publish, await the PubAck. PostgreSQL is not on this path.

use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use axum::http::StatusCode;
use shared::envelope::{Envelope, IfBusy};
use shared::ids::{Channel, RequestId};
use shared::nats::ACK_DEADLINE;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, info};

use crate::error::Problem;
use crate::identity::Visitor;
use crate::in_flight::Permit;
use crate::relay::{Counted, Relay, find};
use crate::routes::message::Message;
use crate::state::App;

/// A repetition with the same key is the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The client's key, 1 to 255 visible ASCII characters, or else a fresh one.
    ///
    /// Every request id comes from a key, also from one that the client has not seen: a 503 can then name it, and the
    /// repetition with it is the same request.
    ///
    /// # Errors
    /// 400.
    pub fn from_headers(headers: &axum::http::HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get("idempotency-key") else {
            return Ok(Self(hex::encode(rand::random::<[u8; 16]>())));
        };
        match value.to_str() {
            Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self(key.to_owned()))
            }
            _ => {
                let detail = "An idempotency key has 1 to 255 visible ASCII characters.";
                Err(Problem::bad("Idempotency-Key", "bad_idempotency_key", detail))
            }
        }
    }
}

/// Accepts a message, and returns the reader of its reply, which ends when `stop` is cancelled. `line` is what is logged.
///
/// Once begun, it goes on when the client leaves.
///
/// # Errors
/// 429, 503, or 409 where the key stands for another message, or where the message does not want to wait.
pub async fn accept(
    app: &App,
    visitor: &Visitor,
    key: IdempotencyKey,
    message: Message,
    stop: CancellationToken,
    line: &'static str,
) -> Result<Counted, Problem> {
    if app.lifecycle.soft.is_cancelled() {
        let detail = "This server is stopping. Nothing was sent; please try again.";
        return Err(Problem::unavailable("stopping", detail, 1));
    }
    if !app.nats.is_usable() {
        return Err(Problem::no_queue());
    }
    let request = RequestId::from_key(visitor.session, &key.0);
    if message.if_busy == IfBusy::Reject && find::is_busy(app, visitor.session, request).await? {
        let detail = "A message of this conversation still waits for its reply. Nothing was sent.";
        return Err(Problem::new(StatusCode::CONFLICT, "session_busy", detail).field("if_busy"));
    }
    let permit = app.in_flight.enter(visitor.session).ok_or_else(|| {
        let detail = "Too many messages of this conversation wait for their reply.";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_pending_messages", detail).retry_after(1)
    })?;
    let (device, phone_number) = (visitor.device.clone(), visitor.phone_number());
    let envelope = Envelope {
        verified: visitor.verified(),
        content: message.content,
        media: message.media,
        if_busy: message.if_busy,
        ..Envelope::new(request, visitor.session, Channel::Web, device, phone_number)
    };
    // A task of its own: dropped halfway, it would leave a message behind whose place is given back.
    let accepted =
        tokio::spawn(take(app.clone(), envelope, key, permit, stop, line).instrument(Span::current()));
    accepted.await.unwrap_or_else(|_| Err(Problem::internal()))
}

async fn take(
    app: App,
    envelope: Envelope,
    key: IdempotencyKey,
    permit: Permit,
    stop: CancellationToken,
    line: &'static str,
) -> Result<Counted, Problem> {
    let (session, request) = (envelope.session, envelope.request_id);
    let publish = async {
        let relay = Relay::open(&app, session, request, 0, stop).await?;
        let duplicate = publish(&app, &envelope)
            .await
            .map_err(|error| refusal(&error, request, &key))?;
        Ok((relay, duplicate))
    };
    let (mut relay, duplicate) = tokio::time::timeout(ACK_DEADLINE, publish)
        .await
        .unwrap_or_else(|_| Err(unconfirmed(request, &key)))?;
    if !duplicate {
        info!(%request, "{line}");
        return Ok(Counted::new(relay, Some(permit)));
    }
    info!(%request, "message repeated");
    if let Some(known) = known_body(&app, &envelope).await
        && known != envelope.body_hash()
    {
        let detail = "This Idempotency-Key stands for another message.";
        let problem = Problem::new(StatusCode::CONFLICT, "idempotency_key_reused", detail);
        return Err(problem.field("Idempotency-Key").about(request));
    }
    relay.look().await;
    // The first one has its place already.
    Ok(Counted::new(relay, None))
}

/// Publishes, and returns whether the queue had the message already.
async fn publish(app: &App, envelope: &Envelope) -> Result<bool, PublishError> {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", envelope.request_id.to_string());
    let payload = serde_json::to_vec(envelope).expect("strings, ids and a time always serialise");
    let subject = app.nats.subjects.incoming(envelope.channel, envelope.session);
    let ack = app
        .nats
        .jetstream
        .publish_with_headers(subject, headers, payload.into())
        .await?;
    Ok(ack.await?.duplicate)
}

/// The hash of what the request says, where it can be found; the queue is asked first, since a message is in PostgreSQL
/// before it leaves the queue.
async fn known_body(app: &App, envelope: &Envelope) -> Option<[u8; 32]> {
    if let Ok(Some(first)) = find::queued(app, envelope.session, envelope.request_id).await {
        return Some(first.body_hash());
    }
    let row = app.stored.request(envelope.request_id).await.ok()??;
    row.body_hash?.try_into().ok()
}

/// What a client reads when the queue did not take its message.
fn refusal(error: &PublishError, request: RequestId, key: &IdempotencyKey) -> Problem {
    match error.kind() {
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => unconfirmed(request, key),
        PublishErrorKind::Other if is_full(error) => {
            let detail = "Too many messages wait at the moment. Nothing was sent; please try again.";
            Problem::unavailable("queue_full", detail, 5)
        }
        _ => Problem::no_queue(),
    }
}

/// Whether the queue has no room for the message.
pub(crate) fn is_full(error: &PublishError) -> bool {
    let source = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
    source.is_some_and(|source| source.error_code() == ErrorCode::STREAM_STORE_FAILED)
}

/// The PubAck did not come: the message may be on the queue, or get there yet.
fn unconfirmed(request: RequestId, key: &IdempotencyKey) -> Problem {
    let detail = "It is not known whether the message was accepted. Send it again with this idempotency_key as \
        Idempotency-Key, and it will be answered once.";
    Problem::unavailable("acceptance_unknown", detail, 2)
        .about(request)
        .repeat_with(&key.0)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn a_key_is_visible_ascii_and_a_missing_one_is_made_up() {
        let read = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("idempotency-key", HeaderValue::from_bytes(value).unwrap());
            IdempotencyKey::from_headers(&headers)
        };
        let long = [b'k'; 256];
        for bad in [&b""[..], b"a b", b"\xc3\xa9", &long] {
            assert_eq!(read(bad).unwrap_err().code, "bad_idempotency_key");
        }
        assert_eq!(read(&long[1..]).unwrap().0.len(), 255);
        let fresh = || IdempotencyKey::from_headers(&HeaderMap::new()).unwrap();
        assert_ne!(fresh(), fresh());
    }

    #[test]
    fn an_unknown_outcome_names_a_key_under_which_the_repetition_is_the_same_request() {
        let session = shared::ids::SessionKey::derive(Channel::Web, "d", None);
        let key = IdempotencyKey::from_headers(&HeaderMap::new()).unwrap();
        let request = RequestId::from_key(session, &key.0);
        let problem = unconfirmed(request, &key);
        let mut headers = HeaderMap::new();
        let named = problem.idempotency_key.clone().unwrap();
        headers.insert("idempotency-key", HeaderValue::from_str(&named).unwrap());
        let again = IdempotencyKey::from_headers(&headers).unwrap();
        assert_eq!(
            RequestId::from_key(session, &again.0),
            problem.request_id.unwrap()
        );
    }
}
