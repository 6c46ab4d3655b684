//! `/webhooks/whatsapp`: Meta's handshake, and what it sends.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::whatsapp::{MetaSender, Senders, signature};
use time::OffsetDateTime;
use url::form_urlencoded;

use super::{not_configured, parse, publish, read, unauthorized};
use crate::error::{Problem, ProblemBody};
use crate::state::App;

const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

/// Meta's handshake, when the webhook's address is entered there.
#[utoipa::path(
    get, path = super::META, tag = "webhooks",
    params(
        ("hub.mode" = String, Query, description = "`subscribe`."),
        ("hub.challenge" = String, Query, description = "What the answer repeats."),
        ("hub.verify_token" = String, Query, description = "`META_VERIFY_TOKEN`."),
    ),
    responses(
        (status = 200, description = "The challenge, and nothing else.", body = String, content_type = "text/plain"),
        (status = 403, description = "Another token.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No number of Meta is configured.", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn handshake(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    if app.senders.meta.is_empty() {
        return Err(not_configured());
    }
    let query = query.unwrap_or_default();
    let given = |name: &str| {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    };
    let (mode, token) = (given("hub.mode"), given("hub.verify_token"));
    if mode.as_deref() != Some("subscribe") || !knows(&app.senders, token.as_deref().unwrap_or_default()) {
        let detail = "This is not the verify token.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong_verify_token", detail));
    }
    let challenge = given("hub.challenge").ok_or_else(|| {
        let detail = "hub.challenge is missing.";
        Problem::bad("hub.challenge", "bad_parameter", detail)
    })?;
    // It repeats what it was given: nothing may take it for a page.
    let plain = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    Ok((plain, challenge.into_owned()).into_response())
}

fn knows(senders: &Senders, token: &str) -> bool {
    let is_ours = |sender: &MetaSender| signature::is_same(&sender.verify_token, token);
    senders.meta.iter().any(is_ours)
}

/// What Meta sends: messages of visitors, and what became of ours.
///
/// 200 says that everything is on its stream; Meta repeats the rest, for up to seven days.
#[utoipa::path(
    post, path = super::META, tag = "webhooks",
    request_body(content = Object, description = "Meta's own format, up to 3 MiB.", content_type = "application/json"),
    params(("X-Hub-Signature-256" = String, Header,
        description = "`sha256=` and the hex HMAC-SHA256 of the body as it is sent, under `META_APP_SECRET`.")),
    responses(
        (status = 200, description = "Everything is taken."),
        (status = 401, description = "The signature is not right.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "No number of Meta is configured.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not everything could be taken: it has to be sent again.", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn receive(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    if app.senders.meta.is_empty() {
        return Err(not_configured());
    }
    let given = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let given = given.ok_or_else(unauthorized)?;
    let body = read(&app, &headers, body).await?;
    let trusted = trusted(&app.senders, &body, given);
    if trusted.is_empty() {
        return Err(unauthorized());
    }
    let contents = parse::meta::read(&body, &trusted, OffsetDateTime::now_utc());
    publish::publish(&app, contents).await?;
    Ok(StatusCode::OK)
}

/// The numbers whose app has signed this. One app must not speak for the number of another.
pub(super) fn trusted<'s>(senders: &'s Senders, body: &[u8], given: &str) -> Vec<&'s MetaSender> {
    let mut apps: Vec<(&MetaSender, bool)> = Vec::new();
    for sender in &senders.meta {
        let known = apps
            .iter()
            .find(|(other, _)| other.app_secret == sender.app_secret);
        let signed = known.map_or_else(
            || signature::meta::verify(&sender.app_secret, body, given),
            |(_, signed)| *signed,
        );
        apps.push((sender, signed));
    }
    let signed = apps.into_iter().filter(|(_, signed)| *signed);
    signed.map(|(sender, _)| sender).collect()
}
