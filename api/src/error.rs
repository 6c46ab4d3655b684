//! What a client reads when something is wrong: `application/problem+json` (RFC 9457) with a stable code, and no internals.

use std::ops::Deref;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::ids::RequestId;
use utoipa::ToSchema;

/// The media type of every error body.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// An error on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<ProblemBody>);

/// An error body. `code` is for programs and stable; `title` and `detail` are for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`: `code` says more than a link would.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "status")]
    #[schema(value_type = u16)]
    pub status: StatusCode,
    /// What is wrong, in snake case.
    pub code: String,
    /// What is wrong, as a sentence.
    pub detail: String,
    /// The field, parameter or header that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The message that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub request_id: Option<RequestId>,
    /// Send the same body again with this `Idempotency-Key`, and it will be answered once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

fn status<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Deref for Problem {
    type Target = ProblemBody;

    fn deref(&self) -> &ProblemBody {
        &self.0
    }
}

impl Problem {
    /// A problem with a status, a code and a sentence.
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemBody {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            code: code.into(),
            detail: detail.into(),
            field: None,
            request_id: None,
            idempotency_key: None,
            retry_after: None,
        }))
    }

    /// 400: `field` is not as it should be.
    pub fn bad(field: impl Into<String>, code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail).field(field)
    }

    /// 503 with `Retry-After` (seconds).
    pub fn unavailable(code: &str, detail: &str, seconds: u32) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(seconds)
    }

    /// 500: a bug; what it is stays inside.
    pub fn internal() -> Self {
        let detail = "Something went wrong.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// 503: NATS is away.
    pub fn no_queue() -> Self {
        let detail = "Messages cannot be accepted at the moment. Nothing was sent; please try again.";
        Self::unavailable("queue_unavailable", detail, 2)
    }

    /// 503: PostgreSQL is away, and the answer is there alone.
    pub fn no_storage() -> Self {
        let detail = "Stored messages cannot be read at the moment. Please try again.";
        Self::unavailable("storage_unavailable", detail, 2)
    }

    /// Names the field, parameter or header that is wrong.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Says when to come back, in seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Names the message that it is about.
    pub fn about(mut self, request: RequestId) -> Self {
        self.0.request_id = Some(request);
        self
    }

    /// Names the key that makes a repetition safe.
    pub fn repeat_with(mut self, key: &str) -> Self {
        self.0.idempotency_key = Some(key.to_owned());
        self
    }

    /// The response, for what happens too often to have a line in the log each time.
    pub fn unlogged(self) -> Response {
        let body = serde_json::to_vec(&*self.0).expect("strings and numbers always serialise");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            let request = self.request_id.map(|id| id.to_string());
            tracing::error!(code = %self.code, status = self.status.as_u16(), request, "❌ Error");
        }
        self.unlogged()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_its_members_and_no_empty_ones() {
        let problem =
            serde_json::to_value(&*Problem::bad("content", "empty_message", "Say something.")).unwrap();
        assert_eq!(
            problem,
            serde_json::json!({
                "type": "about:blank", "title": "Bad Request", "status": 400, "code": "empty_message",
                "detail": "Say something.", "field": "content",
            })
        );
    }

    #[test]
    fn it_is_sent_as_a_problem_and_says_when_to_come_back() {
        let response = Problem::no_queue().into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
