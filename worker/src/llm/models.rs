//! Asking the models in their order: again where one fails before its first word, then the next one.

use std::time::{Duration, Instant};

use serde_json::Value;
use shared::retry::Policy;
use tracing::{debug, warn};

use super::assembly::Completion;
use super::client::{Client, Running, Started};
use super::failure::Failure;
use super::wire::{Body, Message, StreamOptions};

/// The first wait between two tries, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(3));

/// All models of one server.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    client: Client,
}

/// A question to a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) messages: &'a [Message],
    pub(crate) tools: &'a [Value],
    /// Whether it may call them.
    pub(crate) may_call: bool,
}

/// A reply of one of the models that has begun.
pub(crate) struct Begun {
    /// Which one it is.
    pub(crate) model: String,
    pub(crate) reply: Reply,
}

/// What there is of it.
pub(crate) enum Reply {
    /// Text, to be read on.
    Speaking(Box<Running>),
    /// Calls alone.
    Calls(Completion),
}

impl Models {
    /// The models that `client` knows.
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Asks until one of them begins to speak.
    ///
    /// # Errors
    /// The failure of the last one.
    pub(crate) async fn ask(&self, question: Question<'_>) -> Result<Begun, Failure> {
        let mut last = Failure::Unreachable;
        for model in &self.client.settings().models {
            match self.ask_one(model, question).await {
                Ok(reply) => {
                    let model = model.clone();
                    return Ok(Begun { model, reply });
                }
                Err(failure) => {
                    warn!(model, code = failure.code(), "❌ Error: the model failed");
                    last = failure;
                }
            }
        }
        Err(last)
    }

    async fn ask_one(&self, model: &str, question: Question<'_>) -> Result<Reply, Failure> {
        let retry_for = self.client.settings().retry_for;
        let policy = Policy {
            first: WAITS.0,
            longest: WAITS.1,
            give_up_after: Some(retry_for),
        };
        let began = Instant::now();
        let mut waits = policy.waits();
        loop {
            let failure = match self.try_one(model, question).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let left = retry_for.saturating_sub(began.elapsed());
            let Some(wait) = waits.next().and_then(|wait| pause(failure, wait, left)) else {
                return Err(failure);
            };
            debug!(model, code = failure.code(), ?wait, "the model is asked again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_one(&self, model: &str, question: Question<'_>) -> Result<Reply, Failure> {
        let body = Body {
            model,
            messages: question.messages,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            tools: question.tools,
            tool_choice: (!question.may_call).then_some("none"),
        };
        match self.client.start(&body).await?.until_it_speaks().await? {
            Started::Speaking(running) => Ok(Reply::Speaking(Box::new(running))),
            Started::Silent(completion) => Ok(Reply::Calls(completion)),
        }
    }
}

/// How long to wait after a failure, where `wait` is our own idea of it and `left` our patience. Nothing where another try is in
/// vain, or the server asks for more patience than that.
fn pause(failure: Failure, wait: Duration, left: Duration) -> Option<Duration> {
    let wait = failure.retry_after().map_or(wait, |asked| asked.max(wait));
    (failure.may_pass() && wait <= left).then_some(wait)
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
            assert_eq!(pause(failure, second(1), second(3)), expected, "{failure:?}");
        }
        assert_eq!(
            pause(Failure::Silent, second(1), Duration::from_millis(999)),
            None
        );
    }
}
