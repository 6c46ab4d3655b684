//! How Meta refuses: a body, and the HTTP status that belongs to each code.
//!
//! Numbers and words are those of Meta's page of error codes for the Cloud API.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The title and the details of a code.
pub fn words(code: i64) -> (&'static str, &'static str) {
    match code {
        0 => ("AuthException", "We were unable to authenticate the app user."),
        1 => ("API Unknown", "Invalid request or possible server error."),
        2 => (
            "API Service",
            "Temporary due to downtime or due to being overloaded.",
        ),
        3 => ("API Method", "Capability or permissions issue."),
        4 => (
            "API Too Many Calls",
            "The app has reached its API call rate limit.",
        ),
        10 => (
            "Permission Denied",
            "Permission is either not granted or has been removed.",
        ),
        100 => (
            "Invalid parameter",
            "The request included one or more unsupported or misspelled parameters.",
        ),
        190 => ("Access token has expired", "Your access token has expired."),
        80007 => (
            "Rate limit issues",
            "The WhatsApp Business Account has reached its rate limit.",
        ),
        130_429 => ("Rate limit hit", "Cloud API message throughput has been reached."),
        130_472 => (
            "User's number is part of an experiment",
            "Message was not sent as part of an experiment.",
        ),
        131_000 => (
            "Something went wrong",
            "Message failed to send due to an unknown error.",
        ),
        131_009 => (
            "Parameter value is not valid",
            "One or more parameter values are invalid.",
        ),
        131_026 => ("Message undeliverable", "Unable to deliver message."),
        131_047 => (
            "Re-engagement message",
            "More than 24 hours have passed since the recipient last replied to the sender number.",
        ),
        131_048 => (
            "Spam rate limit hit",
            "Message failed to send because there are restrictions on this phone number.",
        ),
        131_049 => (
            "This message was not delivered to maintain healthy ecosystem engagement.",
            "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
        ),
        131_051 => (
            "Unsupported message type",
            "Message type is currently not supported.",
        ),
        131_056 => (
            "(Business Account, Consumer Account) pair rate limit hit",
            "Message failed to send because there were too many messages sent from this phone number to the same phone \
             number in a short period of time.",
        ),
        132_001 => (
            "Template name does not exist in the translation",
            "The template does not exist.",
        ),
        _ => (
            "Something went wrong",
            "An error that the simulator has no words for.",
        ),
    }
}

/// The HTTP status of a code.
fn status(code: i64) -> StatusCode {
    match code {
        0 | 190 => StatusCode::UNAUTHORIZED,
        2 => StatusCode::SERVICE_UNAVAILABLE,
        3 | 131_000 => StatusCode::INTERNAL_SERVER_ERROR,
        4 | 80007 | 130_429 => StatusCode::TOO_MANY_REQUESTS,
        10 | 200..=299 => StatusCode::FORBIDDEN,
        132_001 => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// The answer with a code, and its own details.
pub fn refusal(code: i64) -> Response {
    refusal_with(code, words(code).1)
}

/// The answer with a code, and details.
pub fn refusal_with(code: i64, details: &str) -> Response {
    let error = json!({"error": {
        "message": format!("(#{code}) {}", words(code).0),
        "type": "OAuthException",
        "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": details},
        "fbtrace_id": format!("A{}", hex::encode(rand::random::<[u8; 11]>())),
    }});
    (status(code), Json(error)).into_response()
}
