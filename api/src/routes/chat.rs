//! `POST /chat/`: a message in, the whole reply out, as JSON.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::Serialize;
use shared::event::{EventData, EventError};
use shared::ids::RequestId;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::message::{Message, MessageBody};
use crate::accept::{IdempotencyKey, accept};
use crate::error::{Problem, ProblemBody};
use crate::identity::{REQUEST_HEADER, Visitor};
use crate::relay::{End, Output, Relay};
use crate::state::App;

/// The message was accepted, and its reply will not come through this connection.
const GOES_ON: &str = "reply_goes_on";

/// This resource's routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/chat", post(chat))
        .route("/chat/", post(chat))
}

/// The whole reply.
#[derive(Serialize, ToSchema)]
pub(super) struct ChatReply {
    /// Its text.
    #[schema(example = "Hello! I'm Anna, the AI consultation assistant at Istanbul Medic.")]
    content: String,
    /// The message that it answers.
    #[schema(value_type = uuid::Uuid)]
    request_id: RequestId,
    /// `stopped` where the reply was stopped before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// The answer was given without the database: it knows nothing of what was said before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    degraded: bool,
    /// When it was finished.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    timestamp: OffsetDateTime,
}

/// Send a message and wait for the whole reply.
///
/// Closing the connection does not stop the reply.
#[utoipa::path(
    post, path = "/chat/", tag = "chat", request_body = MessageBody,
    params(super::docs::SendHeaders),
    responses(
        (status = 200, description = "The whole reply.", body = ChatReply),
        super::docs::SendProblems,
        (status = 500, description = "The message could not be answered; `code` says why.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 410, description = "The conversation was erased before the message was answered.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 504, description = "The reply takes longer than this request may. It goes on: read it at \
            `GET /chat/stream?last_event_id={request_id}:0`.", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn chat(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = IdempotencyKey::from_headers(&headers)?;
    let message = Message::receive(&headers, body).await?;
    let stop = app.closing.clone();
    let mut reply = accept(&app, &visitor, key.clone(), message, stop, "📩 Chat message").await?;
    let request = reply.relay().request();
    let result = match tokio::time::timeout(app.config.chat_deadline, collect(reply.relay())).await {
        Ok(Err(problem)) if problem.code == GOES_ON => Err(problem.about(request).repeat_with(key.as_str())),
        Ok(result) => result.map_err(|problem| problem.about(request)),
        Err(_) => {
            let detail = "The reply is not there yet. It goes on; read it at GET /chat/stream.";
            let problem = Problem::new(StatusCode::GATEWAY_TIMEOUT, "reply_timeout", detail);
            Err(problem.about(request).repeat_with(key.as_str()))
        }
    };
    let mut response = result.into_response();
    response.headers_mut().insert(
        REQUEST_HEADER,
        HeaderValue::from_str(&request.to_string()).expect("a uuid is ASCII"),
    );
    Ok(response)
}

/// Puts the events together.
async fn collect(relay: &mut Relay) -> Result<Json<ChatReply>, Problem> {
    let mut content = String::new();
    loop {
        let event = match relay.next().await {
            Output::Event(event) => event,
            Output::End(End::ComeBack) => {
                let detail = "This server is stopping. The reply goes on; read it at GET /chat/stream.";
                return Err(Problem::unavailable(GOES_ON, detail, 1));
            }
            // The final event comes before this end.
            Output::End(End::Final) => return Err(Problem::internal()),
        };
        let data = event.data().map_err(|_| Problem::internal())?;
        if let Some(last) = add(&mut content, data)? {
            return Ok(Json(ChatReply {
                content: std::mem::take(&mut content),
                request_id: relay.request(),
                status: last.extra.status,
                degraded: last.extra.degraded,
                timestamp: last.timestamp,
            }));
        }
    }
}

/// Adds an event to the text; the final event, once it comes.
fn add(content: &mut String, event: EventData) -> Result<Option<EventData>, Problem> {
    if event.extra.reset {
        content.clear();
    }
    content.push_str(&event.content);
    if !event.is_final {
        return Ok(None);
    }
    match event.extra.error {
        Some(error) if error == EventError::erased() => {
            Err(Problem::new(StatusCode::GONE, error.code, error.message))
        }
        Some(error) => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            error.code,
            error.message,
        )),
        None => Ok(Some(event)),
    }
}

#[cfg(test)]
mod tests {
    use shared::event::EventExtra;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn the_text_is_what_was_said_since_the_last_reset() {
        let mut content = String::new();
        let mut say = |text: &str, reset| {
            let mut event = EventData::text(text.into(), NOW);
            event.extra.reset = reset;
            add(&mut content, event).unwrap()
        };
        assert_eq!(
            (say("a", false), say("b", true), say("c", false)),
            (None, None, None)
        );
        let last = EventData::last(EventExtra::default(), NOW);
        assert_eq!(add(&mut content, last.clone()).unwrap(), Some(last));
        assert_eq!(content, "bc");
    }

    #[test]
    fn a_reply_that_failed_is_a_problem_with_the_events_code() {
        let extra = EventExtra {
            error: Some(EventError::failed("agent_failed")),
            ..EventExtra::default()
        };
        let problem = add(&mut String::new(), EventData::last(extra, NOW)).unwrap_err();
        assert_eq!(
            (problem.status.as_u16(), problem.code.as_str()),
            (500, "agent_failed")
        );
    }
}
