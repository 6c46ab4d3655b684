//! Which handler gets which request, and what surrounds all of them.

use std::any::Any;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;

use crate::error::Problem;
use crate::identity::identify;
use crate::routes::{chat, docs, health, history, page, stop, stream_get, stream_post};
use crate::state::App;
use crate::webhooks;

/// How long a browser may remember what another origin is allowed.
const PREFLIGHT_AGE: Duration = Duration::from_secs(60 * 60);

/// All routes.
///
/// # Errors
/// `ALLOWED_ORIGINS` cannot be used.
pub fn router(app: App) -> anyhow::Result<Router> {
    let cors = cors(&app.config.allowed_origins)?;
    let router = routes(&app)
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(|| async {
            let detail = "There is nothing here. The api is described at /docs.";
            Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
        })
        .layer(CatchPanicLayer::custom(panicked));
    let router = match cors {
        Some(cors) => router.layer(cors),
        None => router,
    };
    // No page has any business there, so that no origin is let in.
    let webhooks = webhooks::router()
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(panicked));
    Ok(router.merge(webhooks).with_state(app))
}

/// What connections beyond the limit get: how the api is, for whoever watches over it, and else a 503.
///
/// # Errors
/// `ALLOWED_ORIGINS` cannot be used.
pub fn at_capacity(app: App) -> anyhow::Result<Router> {
    let refuse = async || {
        let detail = "There are too many connections at the moment. Nothing was done; please try again.";
        Problem::unavailable("too_many_connections", detail, 2).unlogged()
    };
    let router = health::router()
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(refuse);
    let router = match cors(&app.config.allowed_origins)? {
        // A page of another origin could not read the 503 otherwise.
        Some(cors) => router.layer(cors),
        None => router,
    };
    Ok(router.with_state(app))
}

async fn method_not_allowed() -> Problem {
    let detail = "This resource does not know this method; see Allow.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// The routes without what surrounds them.
fn routes(app: &App) -> Router<App> {
    let chat = Router::new()
        .merge(chat::router())
        .merge(stream_post::router())
        .merge(stream_get::router())
        .merge(history::router())
        .merge(stop::router())
        .route_layer(from_fn_with_state(app.clone(), identify));
    Router::new()
        .merge(chat)
        .merge(health::router())
        .merge(docs::router())
        .merge(page::router())
}

/// What pages of other origins may do; `None` where there are none.
fn cors(origins: &[String]) -> anyhow::Result<Option<CorsLayer>> {
    let mut allowed = Vec::new();
    for origin in origins.iter().map(|origin| origin.trim().trim_end_matches('/')) {
        if origin.is_empty() {
            continue;
        }
        let is_origin = origin
            .split_once("://")
            .is_some_and(|(scheme, host)| !scheme.is_empty() && !host.is_empty() && !host.contains('/'));
        anyhow::ensure!(
            is_origin,
            "ALLOWED_ORIGINS: {origin:?} is not an origin such as https://clinic.example"
        );
        allowed.push(HeaderValue::from_str(origin).with_context(|| format!("ALLOWED_ORIGINS: {origin:?}"))?);
    }
    if allowed.is_empty() {
        return Ok(None);
    }
    let header = HeaderName::from_static;
    Ok(Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_credentials(true)
            .allow_methods([Method::GET, Method::POST, Method::DELETE])
            .allow_headers([
                header::CONTENT_TYPE,
                header("x-device-id"),
                header("x-user-id"),
                header("x-user-hash"),
                header("idempotency-key"),
                header("last-event-id"),
            ])
            .expose_headers([header("x-device-id"), header("x-request-id"), header::RETRY_AFTER])
            .max_age(PREFLIGHT_AGE),
    ))
}

/// A handler panicked: that is a bug, and its text stays inside.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::internal().into_response()
}

#[cfg(test)]
pub(crate) mod tests;
