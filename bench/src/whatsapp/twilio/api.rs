//! The routes of Twilio's API that the clinic calls.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;
use time::OffsetDateTime;

use super::TwilioAccount;
use super::error;
use super::message::sid;
use super::server::Twilio;
use crate::whatsapp::fault::{Fault, Target};
use crate::whatsapp::line;
use crate::whatsapp::record::Accepted;

/// The longest request that is read; what is read is kept, so this bounds the memory.
const MAX_BODY: usize = 64 << 10;

/// The longest body of a message, in characters.
const LONGEST: usize = 1_600;

/// All routes.
pub fn router(twilio: Arc<Twilio>) -> Router {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", post(messages))
        .route(
            "/2010-04-01/Accounts/{account}/Messages/{message}/Media/{media}",
            get(media),
        )
        .route("/twilio-media/{link}", get(file))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(twilio)
}

/// The refusal of a request without the account's credentials, or for another account.
fn unauthorized(account: &TwilioAccount, sid: &str, headers: &HeaderMap) -> Option<Response> {
    let right = STANDARD.encode(format!("{}:{}", account.account_sid, account.auth_token));
    let header = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if header.and_then(|value| value.strip_prefix("Basic ")) != Some(right.as_str()) {
        return Some(error::refusal(20003));
    }
    (sid != account.account_sid).then(|| error::refusal(20404))
}

async fn messages(
    State(twilio): State<Arc<Twilio>>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = unauthorized(twilio.account(), &account, &headers) {
        twilio.line().refuse("", None, 20003);
        return refusal;
    }
    let fields: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    match validate(twilio.account(), &fields) {
        Ok(accepted) => line::take(&twilio, accepted).await,
        Err(code) => {
            twilio.line().refuse("", None, code);
            error::refusal(code)
        }
    }
}

/// Looks at a message as Twilio does.
fn validate(account: &TwilioAccount, fields: &HashMap<String, String>) -> Result<Accepted, i64> {
    let field = |name: &str| {
        fields
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    let from = field("From").ok_or(21603)?;
    let to = field("To").ok_or(21604)?;
    let body = field("Body").ok_or(21602)?;
    let (Some(from), Some(to)) = (from.strip_prefix("whatsapp:"), to.strip_prefix("whatsapp:")) else {
        return Err(21910);
    };
    if from != account.from {
        return Err(63007);
    }
    let digits = to.strip_prefix('+').ok_or(21211)?;
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(21211);
    }
    if body.chars().count() > LONGEST {
        return Err(21617);
    }
    let callback = field("StatusCallback");
    if callback.is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        return Err(21609);
    }
    Ok(Accepted {
        id: sid("SM"),
        to: digits.to_owned(),
        text: body.to_owned(),
        buttons: Vec::new(),
        kind: "text".to_owned(),
        context: None,
        our_id: callback.and_then(delivery),
        told: true,
        at: OffsetDateTime::now_utc(),
        body: json!(fields),
    })
}

/// The parameter `delivery` of a callback's address.
fn delivery(url: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(name, _)| name == "delivery")
        .map(|(_, value)| value.into_owned())
}

/// As the real one it does not send the file but the way to it, elsewhere, where the credentials do not belong.
async fn media(
    State(twilio): State<Arc<Twilio>>,
    Path((account, _, media)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = unauthorized(twilio.account(), &account, &headers) {
        return refusal;
    }
    let id = media.strip_prefix("ME").unwrap_or(&media);
    let line = twilio.line();
    match line.strike(Target::Media, id).await {
        Fault::None => {}
        fault => return line::failed(fault, error::refusal).await,
    }
    if line.media.file(id).is_none() {
        return error::refusal(20404);
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    // Another name of this machine is another host.
    let elsewhere = host.replacen("127.0.0.1", "localhost", 1);
    let location = format!("http://{elsewhere}/twilio-media/{}", line.media.link(id));
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
}

async fn file(State(twilio): State<Arc<Twilio>>, Path(link): Path<String>, headers: HeaderMap) -> Response {
    if headers.contains_key(header::AUTHORIZATION) {
        return (StatusCode::BAD_REQUEST, "Only one auth mechanism allowed").into_response();
    }
    match twilio.line().media.linked(&link) {
        Some(file) => ([(header::CONTENT_TYPE, file.mime_type)], file.bytes).into_response(),
        None => (StatusCode::FORBIDDEN, "Request has expired").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_twilio_refuses_is_refused() {
        let sample = [
            ("From", "whatsapp:+14155238886"),
            ("To", "whatsapp:+16505551234"),
            ("Body", "Hello"),
            (
                "StatusCallback",
                "https://clinic.example/webhooks/twilio?delivery=our-id",
            ),
        ];
        let check = |name: &str, value: &str| {
            let mut fields: HashMap<String, String> = sample
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            fields.insert(name.to_owned(), value.to_owned());
            validate(&TwilioAccount::sample(), &fields).map(|accepted| (accepted.to, accepted.our_id))
        };
        let taken = ("16505551234".to_owned(), Some("our-id".to_owned()));
        assert_eq!(check("New", "1"), Ok(taken.clone()));
        assert_eq!(check("Body", &"ü".repeat(1_600)), Ok(taken));
        let refused = [
            ("Body", "", 21602),
            ("Body", &"x".repeat(1_601), 21617),
            ("From", "", 21603),
            ("From", "+14155238886", 21910),
            ("From", "whatsapp:+1415000000", 63007),
            ("To", "", 21604),
            ("To", "whatsapp:16505551234", 21211),
            ("StatusCallback", "/webhooks/twilio", 21609),
        ];
        for (name, value, code) in refused {
            assert_eq!(check(name, value), Err(code), "{name}={value}");
        }
    }
}
