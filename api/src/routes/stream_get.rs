//! `GET /chat/stream`: the reply that runs or ran last, from its start or from any of its events; made for `EventSource`.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use shared::event::EventId;
use utoipa::IntoParams;

use crate::error::{Problem, ProblemBody};
use crate::identity::Visitor;
use crate::relay::{Counted, Evidence, Relay, find, sse};
use crate::state::App;

/// This resource's routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/chat/stream", get(stream))
        .route("/chat/stream/", get(stream))
}

/// Where to go on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Position {
    /// The id of the last event that the client has, `{request}:{seq}`; `{request}:0` is the reply from its start. The header
    /// `Last-Event-ID` goes before it.
    last_event_id: Option<String>,
}

/// Read the running or latest reply, from its start or from where a connection broke.
///
/// Without a position: the reply to the session's newest message, from its start.
#[utoipa::path(
    get, path = "/chat/stream", tag = "chat",
    params(Position, super::docs::ReadHeaders, ("Last-Event-ID" = Option<String>, Header,
        description = "The id of the last event that the client has; an `EventSource` sends it by itself.")),
    responses(
        (status = 200, description = "The reply, as server-sent events.", content_type = "text/event-stream",
            body = super::docs::StreamEvent),
        (status = 204, description = "Nothing (more) to show. An `EventSource` stops."),
        super::docs::ReadProblems,
        (status = 404, description = "No such message in this session.", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(super) async fn stream(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    position: Result<Query<Position>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let position = position.ok().and_then(|Query(position)| position.last_event_id);
    let position = last_event_id(&headers, position.as_deref())?;
    if !app.nats.is_usable() {
        return Err(Problem::no_queue());
    }
    let nothing = || Ok(StatusCode::NO_CONTENT.into_response());
    let (request, shown) = match position {
        Some(EventId { request, seq }) => (request, seq),
        None => match find::newest(&app, visitor.session).await? {
            Some(request) => (request, 0),
            None => return nothing(),
        },
    };
    let stop = app.lifecycle.soft.clone();
    let mut relay = Relay::open(&app, visitor.session, request, shown, stop).await?;
    let evidence = relay.look().await;
    if position.is_some() {
        require_ours(&app, &visitor, &mut relay, evidence).await?;
    }
    if relay.is_over() {
        return nothing();
    }
    Ok(sse::response(Counted::new(relay, None)))
}

/// The client's position; the header goes before the parameter.
fn last_event_id(headers: &HeaderMap, parameter: Option<&str>) -> Result<Option<EventId>, Problem> {
    let (field, text) = match headers.get("last-event-id") {
        Some(value) => ("Last-Event-ID", value.to_str().unwrap_or("?")),
        None => ("last_event_id", parameter.unwrap_or_default()),
    };
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let detail = "The id of an event is {request}:{seq}.";
        Problem::bad(field, "bad_last_event_id", detail)
    })
}

/// Fails where the request is not of this session.
async fn require_ours(
    app: &App,
    visitor: &Visitor,
    relay: &mut Relay,
    evidence: Evidence,
) -> Result<(), Problem> {
    let unknown = || {
        let detail = "There is no such message in this conversation.";
        Err(Problem::new(StatusCode::NOT_FOUND, "unknown_request", detail))
    };
    match evidence {
        Evidence::Ours => return Ok(()),
        Evidence::Foreign => return unknown(),
        Evidence::None | Evidence::Unknown => {}
    }
    if find::queued(app, visitor.session, relay.request())
        .await?
        .is_some()
    {
        return Ok(());
    }
    if evidence == Evidence::Unknown {
        return Err(Problem::no_storage());
    }
    // Between the two lookups it may have left the queue; then it is in PostgreSQL by now.
    match relay.look().await {
        Evidence::Ours => Ok(()),
        Evidence::Unknown => Err(Problem::no_storage()),
        Evidence::Foreign | Evidence::None => unknown(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const REQUEST: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn the_header_goes_before_the_parameter_and_both_are_read_strictly() {
        let mut headers = HeaderMap::new();
        let parameter = format!("{REQUEST}:2");
        let read = |headers: &HeaderMap, parameter: &str| {
            last_event_id(headers, Some(parameter))
                .map(|id| id.map(|id| id.seq))
                .map_err(|problem| problem.field.clone().unwrap())
        };
        assert_eq!(read(&headers, &parameter), Ok(Some(2)));
        assert_eq!(read(&headers, ""), Ok(None));
        assert_eq!(read(&headers, "x"), Err("last_event_id".into()));
        headers.insert(
            "last-event-id",
            HeaderValue::from_str(&format!("{REQUEST}:7")).unwrap(),
        );
        assert_eq!(read(&headers, &parameter), Ok(Some(7)));
        headers.insert("last-event-id", HeaderValue::from_static("7"));
        assert_eq!(read(&headers, &parameter), Err("Last-Event-ID".into()));
    }
}
