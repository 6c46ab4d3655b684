//! `/openapi.json`: what the api can do, for programs; `/docs`: the same, for people.

mod schema;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;

use super::page::Document;
use super::{chat, erase, health, history, stop, stream_get, stream_post};
use crate::state::App;
use crate::webhooks;

pub(super) use schema::*;

/// This resource's routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/docs", get(docs))
        .route("/docs/", get(docs))
}

/// The api, described.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Frontdesk",
        description = "A chat front desk for clinics: a message goes in, the assistant's reply comes out, word by word.\n\n\
            A conversation belongs to a device: the header `X-Device-ID`, or the cookie `device_id` that every answer sets. \
            Errors are `application/problem+json` with a stable `code`."
    ),
    paths(
        chat::chat,
        stream_post::stream,
        stream_get::stream,
        history::page,
        erase::erase,
        stop::stop,
        webhooks::meta::handshake,
        webhooks::meta::receive,
        webhooks::twilio::receive,
        health::healthz,
        health::readyz,
        openapi,
        docs,
        super::page::page,
    ),
    tags(
        (name = "chat", description = "Messages and replies"),
        (name = "webhooks", description = "For WhatsApp's providers; each is there where its provider is configured"),
        (name = "operation", description = "For whoever runs it"),
        (name = "pages", description = "For people"),
    )
)]
pub struct ApiDoc;

/// The description of this api.
#[utoipa::path(get, path = "/openapi.json", tag = "pages", responses(
    (status = 200, description = "OpenAPI 3.1.", content_type = "application/json")))]
pub(super) async fn openapi() -> Response {
    let cache = [(header::CACHE_CONTROL, "no-cache")];
    (cache, Json(ApiDoc::openapi())).into_response()
}

/// The description of this api, as a page.
#[utoipa::path(get, path = "/docs", tag = "pages", responses(
    (status = 200, description = "A page.", content_type = "text/html")))]
pub(super) async fn docs() -> Response {
    Document::new(
        include_str!("docs/docs.html"),
        include_str!("docs/docs.css"),
        include_str!("docs/docs.js"),
        &[],
    )
    .into_response()
}
