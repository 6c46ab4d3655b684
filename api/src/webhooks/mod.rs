//! What WhatsApp's providers send us: messages of visitors, and what became of ours. PostgreSQL is not on this path.
//!
//! 200 means that everything is on its stream, and 503 that it shall come again: Meta repeats it for seven days, Twilio for 15 seconds
//! at most, and only where the webhook's address asks for that.
//!
//! - [`meta`], [`twilio`]: the routes, and who may use them
//! - [`parse`]: what is in it, told apart without any server
//! - [`contents`]: what that comes to
//! - [`publish`]: how it gets onto the streams

pub mod contents;
pub mod meta;
pub mod parse;
pub mod publish;
pub mod twilio;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use bytes::Bytes;
use shared::whatsapp::TwilioSender;

use crate::body;
use crate::error::Problem;
use crate::routes::message::MAX_BODY;
use crate::state::App;

/// Where Meta sends everything.
pub const META: &str = "/webhooks/whatsapp";

/// Bytes of a webhook at most: what Meta says that its batches can have.
pub const MAX_WEBHOOK: usize = 3 << 20;

/// Webhooks larger than any message of the website that are read at once: who sends one is known only at its end.
pub const LARGE_WEBHOOKS: usize = 32;

/// All webhooks. Each answers 404 where its provider is not configured.
pub fn router() -> Router<App> {
    Router::new()
        .route(META, get(meta::handshake).post(meta::receive))
        .route(TwilioSender::WEBHOOK, post(twilio::receive))
}

/// Reads a webhook as it came.
async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    if body::announced(headers).is_some_and(|length| length <= MAX_BODY as u64) {
        return body::read(headers, body, MAX_BODY).await;
    }
    let _place = app.large_webhooks.try_acquire().map_err(|_| {
        let detail = "Too many large bodies are read at the moment. Nothing was done; please try again.";
        Problem::unavailable("too_many_large_bodies", detail, 2)
    })?;
    body::read(headers, body, MAX_WEBHOOK).await
}

/// 404: there is no such provider here.
fn not_configured() -> Problem {
    let detail = "There is nothing here. The api is described at /docs.";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
}

/// 401, whatever is wrong.
fn unauthorized() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized.")
}

#[cfg(test)]
mod tests;
