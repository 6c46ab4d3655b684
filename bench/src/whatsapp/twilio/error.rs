//! How Twilio refuses: a body, and the HTTP status that belongs to each code.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What a code says.
fn words(code: i64) -> &'static str {
    match code {
        20003 => "Authenticate",
        20404 => "The requested resource was not found",
        20429 => "Too Many Requests",
        21211 => "Invalid 'To' Phone Number",
        21602 => "Message body is required.",
        21603 => "A 'From' phone number is required.",
        21604 => "A 'To' phone number is required.",
        21609 => "The 'StatusCallback' URL is not a valid URL.",
        21617 => "The concatenated message body exceeds the 1600 character limit",
        21910 => "Invalid From and To pair. From and To should be of the same channel",
        63007 => "Twilio could not find a Channel with the specified From address",
        63016 => {
            "Failed to send freeform message because you are outside the allowed window. If you are using WhatsApp, \
             please use a Message Template."
        }
        63018 => "Rate limit exceeded for Channel",
        _ => "An error that the simulator has no words for",
    }
}

fn status(code: i64) -> StatusCode {
    match code {
        20003 => StatusCode::UNAUTHORIZED,
        20404 => StatusCode::NOT_FOUND,
        429 | 20429 | 63018 => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// The answer with a code; 429 stands for Twilio's 20429.
pub fn refusal(code: i64) -> Response {
    let number = if code == 429 { 20429 } else { code };
    let status = status(code);
    let body = json!({
        "code": number,
        "message": words(number),
        "more_info": format!("https://www.twilio.com/docs/errors/{number}"),
        "status": status.as_u16(),
    });
    (status, Json(body)).into_response()
}
