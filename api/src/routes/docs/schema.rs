//! What several operations have in common, and bodies that are described and not built here.

use serde::Serialize;
use utoipa::{IntoParams, IntoResponses, ToSchema};
use uuid::Uuid;

use crate::error::ProblemBody;

/// Headers of whoever sends a message.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes headers that are read elsewhere")]
pub struct SendHeaders {
    /// The device, 1 to 128 of `A-Za-z0-9._:-`. Without it, the cookie `device_id` counts.
    #[param(rename = "X-Device-ID")]
    device: Option<String>,
    /// The website's user; needs `X-User-Hash`.
    #[param(rename = "X-User-ID")]
    user: Option<String>,
    /// Hex HMAC-SHA256 of `X-User-ID` under the identity secret; made by the website's server.
    #[param(rename = "X-User-Hash")]
    hash: Option<String>,
    /// 1 to 255 visible ASCII characters. A repetition with the same key is the same message, answered once.
    #[param(rename = "Idempotency-Key")]
    key: Option<String>,
}

/// Headers of whoever reads.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes headers that are read elsewhere")]
pub struct ReadHeaders {
    /// The device, 1 to 128 of `A-Za-z0-9._:-`. Without it, the cookie `device_id` counts.
    #[param(rename = "X-Device-ID")]
    device: Option<String>,
    /// The website's user; needs `X-User-Hash`. Without it, the cookie of the last verified message counts.
    #[param(rename = "X-User-ID")]
    user: Option<String>,
    /// Hex HMAC-SHA256 of `X-User-ID` under the identity secret; made by the website's server.
    #[param(rename = "X-User-Hash")]
    hash: Option<String>,
}

/// What can be wrong with a message.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers that are made elsewhere")]
pub enum SendProblems {
    /// A field or header is not as it should be; `field` names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(ProblemBody),
    /// `X-User-ID` without the right `X-User-Hash`.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemBody),
    /// The body did not arrive in time.
    #[response(status = 408, content_type = "application/problem+json")]
    Timeout(ProblemBody),
    /// The `Idempotency-Key` stands for another message, or (`session_busy`) a reply runs and `if_busy` is `reject`.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
    /// The body is larger than 256 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// The body is not `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(ProblemBody),
    /// Too many messages of this conversation wait; see `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// The message was not accepted (`queue_unavailable`, `queue_full`, `too_many_connections`, `stopping`), or
    /// (`acceptance_unknown`) perhaps; see `Retry-After` and `idempotency_key`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// What can be wrong with a question.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers that are made elsewhere")]
pub enum ReadProblems {
    /// A parameter or header is not as it should be; `field` names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Bad(ProblemBody),
    /// `X-User-ID` without the right `X-User-Hash`.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemBody),
    /// What has to be read is away, or there are too many connections; see `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// The JSON of a `data:` line. A client that only appends `content` until `is_final` is always right, but for `reset`.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"content": "Hello! ", "timestamp": "2026-10-01T14:24:19.941641Z", "is_final": false}))]
pub struct StreamEvent {
    /// Text to append; may be empty.
    content: String,
    /// When it was said.
    #[schema(format = DateTime)]
    timestamp: String,
    /// Whether nothing follows.
    is_final: bool,
    /// What is going on, in a word: `queued` (see `ahead`), `waiting` (nobody has taken the message yet), `stopped` (final).
    #[schema(required = false)]
    status: Option<String>,
    /// How many messages of the session come before this one.
    #[schema(required = false)]
    ahead: Option<u32>,
    /// Short answers to offer as buttons.
    #[schema(required = false)]
    quick_replies: Vec<String>,
    /// Clear the text so far, before `content` is appended.
    #[schema(required = false)]
    reset: bool,
    /// Why there is no (whole) reply.
    #[schema(required = false)]
    error: Option<StreamError>,
    /// The answer was given without the database: it knows nothing of what was said before.
    #[schema(required = false)]
    degraded: bool,
    /// The id of the stored reply.
    #[schema(required = false)]
    message_id: Option<Uuid>,
}

/// Why there is no (whole) reply.
#[derive(Serialize, ToSchema)]
pub struct StreamError {
    /// Stable, in snake case.
    code: String,
    /// A sentence for people.
    message: String,
}

/// A stored message.
#[derive(Serialize, ToSchema)]
pub struct StoredMessage {
    /// Its id; the request id of an incoming one.
    id: Uuid,
    /// `incoming` or `outgoing`.
    #[schema(example = "incoming")]
    direction: String,
    /// Its text.
    content: String,
    /// Its attachments.
    media: Vec<StoredMedia>,
    /// `pending`, `answered` or `failed` for an incoming one; `complete`, `stopped` or `failed` for a reply.
    #[schema(example = "answered")]
    status: String,
    /// The message that a reply answers.
    reply_to: Option<Uuid>,
    /// When it was accepted, or stored.
    #[schema(format = DateTime)]
    created_at: String,
}

/// An attachment.
#[derive(Serialize, ToSchema)]
pub struct StoredMedia {
    /// `media` or `audio`.
    #[schema(example = "media")]
    kind: String,
    /// Its address.
    url: String,
}
