//! The simulator's settings and records over HTTP.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::fault::Rule;
use super::phone::act::Provider;
use super::phone::page::Phones;
use super::statuses::Statuses;

/// All routes, for each provider.
pub fn router(phones: Phones) -> Router {
    Router::new()
        .route(
            "/sim/{provider}/faults",
            get(faults).post(add_fault).delete(clear_faults),
        )
        .route("/sim/{provider}/statuses", get(statuses).put(set_statuses))
        .route("/sim/{provider}/received", get(received))
        .route("/sim/{provider}/summary", get(summary))
        .with_state(phones)
}

async fn faults(State(phones): State<Phones>, Path(provider): Path<Provider>) -> Json<Vec<Rule>> {
    Json(phones.line(provider).faults.rules())
}

async fn add_fault(
    State(phones): State<Phones>,
    Path(provider): Path<Provider>,
    Json(rule): Json<Rule>,
) -> Response {
    if phones.line(provider).faults.add(rule) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (StatusCode::CONFLICT, "there are too many rules").into_response()
    }
}

async fn clear_faults(State(phones): State<Phones>, Path(provider): Path<Provider>) -> StatusCode {
    phones.line(provider).faults.clear();
    StatusCode::NO_CONTENT
}

async fn statuses(State(phones): State<Phones>, Path(provider): Path<Provider>) -> Json<Statuses> {
    Json(phones.line(provider).statuses())
}

async fn set_statuses(
    State(phones): State<Phones>,
    Path(provider): Path<Provider>,
    Json(statuses): Json<Statuses>,
) -> Response {
    if statuses.copies > 100 || statuses.states.len() > 100 {
        return (StatusCode::BAD_REQUEST, "at most 100 states and 100 copies").into_response();
    }
    phones.line(provider).set_statuses(statuses);
    StatusCode::NO_CONTENT.into_response()
}

async fn received(State(phones): State<Phones>, Path(provider): Path<Provider>) -> Response {
    let records = &phones.line(provider).records;
    Json(json!({
        "total": records.total(),
        "accepted": records.accepted(),
        "refused": records.refused(),
        "marks": records.marks(),
        "repeated": records.repeated(),
    }))
    .into_response()
}

/// The same in numbers, with those of the webhooks.
async fn summary(State(phones): State<Phones>, Path(provider): Path<Provider>) -> Response {
    let line = phones.line(provider);
    Json(json!({
        "accepted": line.records.total(),
        "refused": line.records.refused().len(),
        "repeated": line.records.repeated().len(),
        "pending": line.courier.pending(),
        "webhooks": line.courier.summary(),
    }))
    .into_response()
}
