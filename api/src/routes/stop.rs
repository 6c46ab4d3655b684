//! `POST /chat/stop`: no more of the reply that runs, nor of those that wait before it.

use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum::{Extension, Json, Router};
use bytes::Bytes;
use serde::Serialize;
use shared::db::stop::{self, StopState};
use shared::ids::RequestId;
use tracing::info;
use utoipa::ToSchema;

use crate::error::{Problem, ProblemBody};
use crate::identity::Visitor;
use crate::relay::stored::within;
use crate::relay::{Output, Relay, find};
use crate::state::App;

/// How long the answer waits for the reply's end.
const PATIENCE: Duration = Duration::from_secs(2);

/// The final event's `status` of a reply that was stopped.
const STOPPED: &str = "stopped";

/// This resource's routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/chat/stop", post(stop))
        .route("/chat/stop/", post(stop))
}

/// What became of the wish to stop.
#[derive(Serialize, ToSchema)]
pub(super) struct Stopping {
    /// The last message whose reply is stopped.
    #[schema(value_type = uuid::Uuid)]
    request_id: RequestId,
    /// `stopped`: the reply has ended, and what was said so far is stored. `requested`: it will be stopped, whoever answers it.
    /// `too_late`: it was stored before.
    #[schema(value_type = String, pattern = "^(stopped|requested|too_late)$")]
    status: &'static str,
}

/// Stop the reply that runs.
///
/// Nothing more is said to any message of this conversation that was sent before, or up to `request_id`. What was said so far is
/// stored, marked `stopped`; the stream ends with a final event whose `status` is `stopped`.
#[utoipa::path(
    post, path = "/chat/stop", tag = "chat",
    params(super::docs::ReadHeaders,
        ("request_id" = Option<uuid::Uuid>, Query, description = "The last message that is to be stopped; without it, the newest.")),
    responses(
        (status = 200, description = "What became of it.", body = Stopping),
        super::docs::ReadProblems,
        (status = 403, description = "A page of another origin may not do this; see ALLOWED_ORIGINS.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "No such message in this conversation, or none at all.", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn stop(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Stopping>, Problem> {
    require_own_origin(&app, &headers)?;
    let wanted = wanted(&query.unwrap_or_default())?;
    if !app.nats.is_usable() {
        return Err(Problem::no_queue());
    }
    let place = match wanted {
        Some(request) => find::place_of(&app, visitor.session, request).await?,
        None => find::newest_place(&app, visitor.session).await?,
    };
    let Some(find::Place { stream_seq, request }) = place else {
        let detail = "There is no such message in this conversation.";
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_request", detail));
    };
    let end = app.closing.clone();
    let mut relay = Relay::open(&app, visitor.session, request, 0, end).await?;
    let state = within(stop::request_stop(
        &app.pool,
        &visitor.owner(),
        request,
        stream_seq,
    ))
    .await;
    let status = match state.map_err(|_| Problem::no_storage())? {
        StopState::Stopped => STOPPED,
        StopState::TooLate => "too_late",
        StopState::Requested => {
            info!(%request, "stop requested");
            // Where the hint is lost, the worker's heartbeat finds the wish a little later.
            let hint = app.nats.subjects.control(visitor.session);
            let _ = app.nats.client.publish(hint, Bytes::new()).await;
            outcome(&mut relay).await
        }
    };
    Ok(Json(Stopping {
        request_id: request,
        status,
    }))
}

/// Waits a little for the reply's end.
async fn outcome(relay: &mut Relay) -> &'static str {
    let last = async {
        loop {
            match relay.next().await {
                Output::Event(event) if event.is_final => return Some(event),
                Output::Event(_) => {}
                Output::End(_) => return None,
            }
        }
    };
    match tokio::time::timeout(PATIENCE, last).await {
        Ok(Some(event)) => {
            let status = event.data().ok().and_then(|data| data.extra.status);
            match status.as_deref() {
                Some(STOPPED) => STOPPED,
                _ => "too_late",
            }
        }
        _ => "requested",
    }
}

/// The message that the query names.
fn wanted(query: &str) -> Result<Option<RequestId>, Problem> {
    let named = query.split('&').find_map(|pair| pair.strip_prefix("request_id="));
    let bad = |_| {
        Problem::bad(
            "request_id",
            "bad_parameter",
            "request_id is the id of a message.",
        )
    };
    named.map(str::parse).transpose().map_err(bad)
}

/// A form of any page can post without being asked for, and with the visitor's cookies; it cannot hide where it comes from.
fn require_own_origin(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else {
        return Ok(());
    };
    let host = origin.split_once("://").map(|(_, host)| host);
    let ours = host.is_some() && host == text(header::HOST)
        || app
            .config
            .allowed_origins
            .iter()
            .chain(&app.config.common.public_url)
            .any(|allowed| allowed.trim().trim_end_matches('/') == origin);
    if ours {
        return Ok(());
    }
    let detail = "A page of this origin may not do this.";
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_may_be_named_and_is_read_strictly() {
        let request = RequestId::new();
        assert_eq!(wanted("").unwrap(), None);
        assert_eq!(
            wanted(&format!("x=1&request_id={request}")).unwrap(),
            Some(request)
        );
        for bad in ["request_id=", "request_id=1"] {
            assert_eq!(wanted(bad).unwrap_err().field.as_deref(), Some("request_id"));
        }
    }
}
