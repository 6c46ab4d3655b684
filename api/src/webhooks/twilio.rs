//! `/webhooks/twilio`: what Twilio sends, messages and statuses alike.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Uri, header};
use axum::response::{IntoResponse, Response};
use shared::whatsapp::{Senders, TwilioSender, signature};
use time::OffsetDateTime;
use url::form_urlencoded;
use uuid::Uuid;

use super::{not_configured, parse, publish, read, unauthorized};
use crate::error::{Problem, ProblemBody};
use crate::state::App;

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");

/// TwiML that says nothing: the reply comes when it is ready, through Twilio's API.
const NO_TWIML: &str = "<Response/>";

/// What Twilio sends: messages of visitors, and what became of ours.
///
/// The answer is empty TwiML, as soon as everything is on its stream; a reply goes out through Twilio's API.
#[utoipa::path(
    post, path = shared::whatsapp::TwilioSender::WEBHOOK, tag = "webhooks",
    request_body(content = Object, description = "Twilio's own fields.", content_type = "application/x-www-form-urlencoded"),
    params(
        ("X-Twilio-Signature" = String, Header,
            description = "The base64 HMAC-SHA1 of `PUBLIC_URL`, path, query and all fields, under `TWILIO_AUTH_TOKEN`."),
        ("delivery" = Option<uuid::Uuid>, Query, description = "Our own name of the message that a status is about."),
    ),
    responses(
        (status = 200, description = "Everything is taken.", body = String, content_type = "text/xml"),
        (status = 401, description = "The signature is not right.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "No number of Twilio is configured.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not everything could be taken: it has to be sent again.", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn receive(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if app.senders.twilio.is_empty() {
        return Err(not_configured());
    }
    let given = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let given = given.ok_or_else(unauthorized)?;
    let body = read(&app, &headers, body).await?;
    let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let trusted = trusted(&app.senders, &uri, &fields, given);
    if trusted.is_empty() {
        return Err(unauthorized());
    }
    let now = OffsetDateTime::now_utc();
    let contents = parse::twilio::read(&body, &fields, delivery(&uri), &trusted, now);
    publish::publish(&app, contents).await?;
    Ok(([(header::CONTENT_TYPE, "text/xml")], NO_TWIML).into_response())
}

/// The numbers whose account has signed this. One account must not speak for the number of another.
fn trusted<'s>(
    senders: &'s Senders,
    uri: &Uri,
    fields: &[(String, String)],
    given: &str,
) -> Vec<&'s TwilioSender> {
    // Host and scheme come from the settings: a proxy may have changed them, and a stranger can write any header.
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let signed = |sender: &&TwilioSender| {
        let url = format!("{}{path}", sender.public_url);
        signature::twilio::verify(&sender.auth_token, &url, fields, given)
    };
    senders.twilio.iter().filter(signed).collect()
}

/// `?delivery=`, as we wrote it into the address for statuses.
fn delivery(uri: &Uri) -> Option<Uuid> {
    let query = uri.query()?.as_bytes();
    let (_, value) = form_urlencoded::parse(query).find(|(key, _)| key == "delivery")?;
    Uuid::try_parse(&value).ok()
}
