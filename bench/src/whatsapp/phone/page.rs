//! The page, and what it asks for.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::act::{self, Act, Provider};
use crate::whatsapp::line::Line;
use crate::whatsapp::meta::Meta;
use crate::whatsapp::twilio::Twilio;

/// The largest file that can be sent, as WhatsApp has it for pictures and sounds.
const MAX_FILE: usize = 16 << 20;

/// The longest thing that is done: a text has 65,536 characters at most.
const MAX_ACT: usize = 256 << 10;

/// How long a phone waits for news until it asks again.
const NEWS: Duration = Duration::from_secs(20);

/// Both providers.
#[derive(Clone, Debug)]
pub struct Phones {
    /// Meta.
    pub meta: Arc<Meta>,
    /// Twilio.
    pub twilio: Arc<Twilio>,
}

impl Phones {
    /// What belongs to one of them.
    pub fn line(&self, provider: Provider) -> &Line {
        match provider {
            Provider::Meta => self.meta.line(),
            Provider::Twilio => self.twilio.line(),
        }
    }
}

/// All routes.
pub fn router(phones: Phones) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move {
            (
                [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")],
                text,
            )
        })
    };
    Router::new()
        .route("/", file("text/html; charset=utf-8", include_str!("phone.html")))
        .route(
            "/phone.css",
            file("text/css; charset=utf-8", include_str!("phone.css")),
        )
        .route(
            "/phone.js",
            file("text/javascript; charset=utf-8", include_str!("phone.js")),
        )
        .route("/phone/act", post(act).layer(DefaultBodyLimit::max(MAX_ACT)))
        .route("/phone/screen", get(screen))
        .route("/phone/file", post(upload))
        .route("/phone/file/{provider}/{id}", get(download))
        .layer(DefaultBodyLimit::max(MAX_FILE))
        .with_state(phones)
}

async fn act(State(phones): State<Phones>, Json(act): Json<Act>) -> Response {
    let done = match act.provider {
        Provider::Meta => act::at_meta(&phones.meta, &act),
        Provider::Twilio => act::at_twilio(&phones.twilio, &act),
    };
    match done {
        Ok(id) => Json(json!({ "id": id })).into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, why).into_response(),
    }
}

#[derive(Deserialize)]
struct Screen {
    provider: Provider,
    number: String,
    /// Answer when something has changed since that version.
    after: Option<u64>,
}

async fn screen(State(phones): State<Phones>, Query(screen): Query<Screen>) -> Response {
    let book = &phones.line(screen.provider).book;
    if let Some(after) = screen.after {
        let _ = tokio::time::timeout(NEWS, book.changed(after)).await;
    }
    Json(book.view(screen.number.trim_start_matches('+'))).into_response()
}

#[derive(Deserialize)]
struct Upload {
    provider: Provider,
}

async fn upload(
    State(phones): State<Phones>,
    Query(upload): Query<Upload>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or("application/octet-stream");
    let id = phones.line(upload.provider).media.add(kind, body);
    Json(json!({ "media": id })).into_response()
}

/// What was sent, for the phone's own screen. Only pictures and sounds, so that no file becomes a page of this server.
async fn download(State(phones): State<Phones>, Path((provider, id)): Path<(Provider, String)>) -> Response {
    let file = phones.line(provider).media.file(&id);
    let shown = file.filter(|file| {
        let kind = file.mime_type.split('/').next().unwrap_or_default();
        ["image", "audio", "video"].contains(&kind) && !file.mime_type.contains("svg")
    });
    match shown {
        Some(file) => (
            [
                (header::CONTENT_TYPE, file.mime_type),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            ],
            file.bytes,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
