//! `POST /chat/stream`: a message in, the reply out, event by event.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};

use super::message::{Message, MessageBody};
use crate::accept::{IdempotencyKey, accept};
use crate::error::Problem;
use crate::identity::Visitor;
use crate::relay::sse;
use crate::state::App;

/// This resource's routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/chat/stream", post(stream))
        .route("/chat/stream/", post(stream))
}

/// Send a message and read the reply as it is said.
///
/// Each event has `id: {request}:{seq}` and `data:` with a JSON object (`StreamEvent`). Append `content` until `is_final`.
/// When the connection breaks, go on with `GET /chat/stream` and the last id. Closing the connection does not stop the reply.
#[utoipa::path(
    post, path = "/chat/stream", tag = "chat", request_body = MessageBody,
    params(super::docs::SendHeaders),
    responses(
        (status = 200, description = "The reply, as server-sent events.", content_type = "text/event-stream",
            body = super::docs::StreamEvent),
        super::docs::SendProblems,
    )
)]
pub(super) async fn stream(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let key = IdempotencyKey::from_headers(&headers)?;
    let message = Message::receive(&headers, body).await?;
    let stop = app.lifecycle.soft.clone();
    let reply = accept(&app, &visitor, key, message, stop, "📩 Chat streaming message").await?;
    Ok(sse::response(reply))
}
