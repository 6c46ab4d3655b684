//! A request's body: read to its end, within a size and a time.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;

use crate::error::Problem;

/// How long a client may take to send a body.
const DEADLINE: Duration = Duration::from_secs(20);

/// The body, of `most` bytes at most.
///
/// # Errors
/// 400, 408 or 413.
pub async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("The body is larger than {} KiB.", most / 1024);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    };
    if announced(headers).is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(DEADLINE, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_large(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "unreadable_body",
            "The body broke off.",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "The body did not arrive in time.",
        )),
    }
}

/// How many bytes the client says that it will send.
pub fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}
