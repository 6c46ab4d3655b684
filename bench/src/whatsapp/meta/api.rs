//! The routes of the Graph API that the clinic calls.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::message::wamid;
use super::server::Meta;
use super::validate::{self, Request};
use super::{MetaAccount, error};
use crate::whatsapp::fault::{Fault, Target};
use crate::whatsapp::line;
use crate::whatsapp::record::{Accepted, Mark};

/// The longest request that is read; what is read is kept, so this bounds the memory.
const MAX_BODY: usize = 64 << 10;

/// All routes.
pub fn router(meta: Arc<Meta>) -> Router {
    Router::new()
        .route("/{version}/{phone_number_id}/messages", post(messages))
        .route("/{version}/{media}", get(media))
        .route("/whatsapp_business/attachments/{link}", get(attachment))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(meta)
}

/// The refusal of a request that has not the account's bearer.
fn unauthorized(account: &MetaAccount, headers: &HeaderMap) -> Option<Response> {
    let header = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| value.strip_prefix("Bearer "));
    (bearer != Some(account.access_token.as_str())).then(|| error::refusal(190))
}

/// `v23.0`, not `23` or `v2`.
fn is_version(version: &str) -> bool {
    let parts = version.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    parts.is_some_and(|(major, minor)| {
        major.parse::<u8>().is_ok_and(|major| major >= 13) && minor.parse::<u8>().is_ok()
    })
}

fn unknown_path() -> Response {
    error::refusal_with(
        100,
        "Unsupported request. Object does not exist, or the version is not one.",
    )
}

async fn messages(
    State(meta): State<Arc<Meta>>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = unauthorized(meta.account(), &headers) {
        meta.line().refuse("", None, 190);
        return refusal;
    }
    if !is_version(&version) || id != meta.account().phone_number_id {
        return unknown_path();
    }
    let json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let request = if json {
        validate::validate(&body)
    } else {
        Err((100, "The content type is not application/json.".to_owned()))
    };
    let outgoing = match request {
        Err((code, details)) => {
            meta.line().refuse("", None, code);
            return error::refusal_with(code, &details);
        }
        Ok(Request::Mark { message, typing }) => return mark(&meta, message, typing).await,
        Ok(Request::Message(outgoing)) => outgoing,
    };
    if !meta.pace.allows(&outgoing.to, Instant::now()) {
        meta.line().refuse(&outgoing.to, outgoing.our_id, 131_056);
        return error::refusal(131_056);
    }
    let accepted = Accepted {
        id: wamid(),
        to: outgoing.to,
        text: outgoing.text,
        buttons: outgoing.buttons,
        kind: outgoing.kind,
        context: outgoing.context,
        our_id: outgoing.our_id,
        told: true,
        at: OffsetDateTime::now_utc(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    line::take(&meta, accepted).await
}

async fn mark(meta: &Meta, message: String, typing: bool) -> Response {
    let line = meta.line();
    let fault = line.strike(Target::Marks, "").await;
    if fault.accepts() {
        line.book.marked(&message, typing);
        line.records.mark(Mark { message, typing });
    }
    match fault {
        Fault::None | Fault::FailLater(_) => Json(json!({ "success": true })).into_response(),
        fault => line::failed(fault, error::refusal).await,
    }
}

async fn media(
    State(meta): State<Arc<Meta>>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = unauthorized(meta.account(), &headers) {
        return refusal;
    }
    let line = meta.line();
    match line.strike(Target::Media, &id).await {
        Fault::None => {}
        fault => return line::failed(fault, error::refusal).await,
    }
    let Some(file) = line.media.file(&id).filter(|_| is_version(&version)) else {
        return unknown_path();
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let url = format!(
        "http://{host}/whatsapp_business/attachments/{}",
        line.media.link(&id)
    );
    Json(json!({
        "messaging_product": "whatsapp",
        "url": url,
        "mime_type": file.mime_type,
        "sha256": file.sha256(),
        "file_size": file.bytes.len(),
        "id": file.id,
    }))
    .into_response()
}

async fn attachment(State(meta): State<Arc<Meta>>, Path(link): Path<String>, headers: HeaderMap) -> Response {
    if unauthorized(meta.account(), &headers).is_some() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    // Meta gives its files to nobody who does not say what program asks.
    if !headers.contains_key(header::USER_AGENT) {
        return (StatusCode::FORBIDDEN, "Forbidden").into_response();
    }
    // A link that has ended is not found, as one that never was.
    match meta.line().media.linked(&link) {
        Some(file) => ([(header::CONTENT_TYPE, file.mime_type)], file.bytes).into_response(),
        None => (StatusCode::NOT_FOUND, "URL expired").into_response(),
    }
}
