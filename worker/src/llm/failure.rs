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

    /// How long to wait before another try, where `wait` is our own idea of it and `left` our patience. Nothing where another try is
    /// in vain, or the server asks for more patience than that.
    pub(crate) fn pause(self, wait: Duration, left: Duration) -> Option<Duration> {
        let wait = self.retry_after().map_or(wait, |asked| asked.max(wait));
        (self.may_pass() && wait <= left).then_some(wait)
    }

    /// What the server asks to be waited.
    fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Status(_, after) => after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_waited_for_as_long_as_it_asks_and_patience_lasts() {
        let second = Duration::from_secs;
        for (failure, expected) in [
            (Failure::Status(429, Some(second(2))), Some(second(2))),
            (Failure::Status(503, Some(second(3))), Some(second(3))),
            (Failure::Status(429, Some(second(4))), None),
            (Failure::Status(429, Some(Duration::ZERO)), Some(second(1))),
            (Failure::Status(500, None), Some(second(1))),
            (Failure::Silent, Some(second(1))),
            (Failure::Status(401, None), None),
            (Failure::TooLong, None),
        ] {
            assert_eq!(failure.pause(second(1), second(3)), expected, "{failure:?}");
        }
        assert_eq!(Failure::Silent.pause(second(1), Duration::from_millis(999)), None);
    }
}
