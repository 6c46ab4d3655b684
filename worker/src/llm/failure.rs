//! Why a model did not answer. No variant holds anything that a server or a visitor wrote.

use std::time::Duration;

/// A failure, before or after the first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection.
    Unreachable,
    /// A status other than 200, and the wait that it asks for.
    Status(u16, Option<Duration>),
    /// Nothing came for too long.
    Silent,
    /// The stream broke or ended in the middle.
    Broken,
    /// Something else than chunks of a reply, or an error among them.
    Unreadable,
    /// The reply was empty.
    Empty,
    /// More bytes than any reply has.
    TooLong,
    /// The reply took too long in all.
    TooSlow,
    /// The model is known to be down, and was not asked.
    Resting,
}

impl Failure {
    /// A stable code for logs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "model_unreachable",
            Self::Status(429, _) => "model_rate_limited",
            Self::Status(401 | 403, _) => "model_key_refused",
            Self::Status(404, _) => "model_not_found",
            Self::Status(500.., _) => "model_server_error",
            Self::Status(..) => "model_request_refused",
            Self::Silent => "model_silent",
            Self::Broken => "model_stream_broken",
            Self::Unreadable => "model_unreadable",
            Self::Empty => "model_said_nothing",
            Self::TooLong => "model_too_long",
            Self::TooSlow => "model_too_slow",
            Self::Resting => "model_resting",
        }
    }

    /// Whether the same model may do better in a moment.
    pub(crate) fn may_pass(self) -> bool {
        match self {
            Self::Status(status, _) => matches!(status, 408 | 425 | 429 | 500..),
            Self::TooLong | Self::TooSlow | Self::Resting => false,
            _ => true,
        }
    }

    /// Whether it says something of the model and not of what was asked.
    pub(crate) fn is_the_models(self) -> bool {
        match self {
            Self::Status(status, _) => matches!(status, 401 | 403 | 404 | 408 | 425 | 429 | 500..),
            Self::Empty | Self::TooLong | Self::TooSlow | Self::Resting => false,
            Self::Unreachable | Self::Silent | Self::Broken | Self::Unreadable => true,
        }
    }

    /// What the server asks to be waited.
    pub(crate) fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Status(_, after) => after,
            _ => None,
        }
    }
}
