//! Asking the models in their order: again where one fails before its first word, then the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use shared::retry::Policy;
use tracing::{debug, warn};

use super::assembly::Completion;
use super::circuit::Circuit;
use super::client::{Client, Running, Started};
use super::failure::Failure;
use super::wire::{Body, Message, StreamOptions};

/// The first wait between two tries, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(3));

/// All models of one server.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    client: Client,
    /// Of each model, in their order.
    circuits: Arc<[Circuit]>,
}

/// A question to a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) messages: &'a [Message],
    pub(crate) tools: &'a [Value],
    /// Whether it may call them.
    pub(crate) may_call: bool,
    /// Whether silence is an answer: nothing may be missing from what was said.
    pub(crate) may_be_silent: bool,
}

/// A reply of one of the models that has begun.
pub(crate) struct Begun {
    /// The place of the model.
    pub(crate) place: usize,
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
        let settings = client.settings();
        let circuits = settings.models.iter().map(|_| Circuit::new(settings.rest));
        let circuits = circuits.collect();
        Self { client, circuits }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.circuits.len()
    }

    /// The name of one.
    pub(crate) fn name(&self, place: usize) -> &str {
        &self.client.settings().models[place]
    }

    /// How long a model that says nothing is asked again.
    pub(crate) fn patience(&self) -> Duration {
        self.client.settings().retry_for
    }

    /// Notes what became of a reply that had begun: that something was said, or that it failed before that. Beginning is not
    /// enough, since a model that only thinks and then breaks off answers nobody.
    pub(crate) fn note(&self, place: usize, failure: Option<Failure>) {
        self.circuits[place].note(failure.is_some_and(Failure::is_the_models), Instant::now());
    }

    /// Asks those from `first` on until one begins to answer; what becomes of that is to be noted.
    ///
    /// # Errors
    /// The failure of the last one.
    pub(crate) async fn ask(&self, question: Question<'_>, first: usize) -> Result<Begun, Failure> {
        let mut last = Failure::Unreachable;
        for place in first..self.count() {
            let (model, circuit) = (self.name(place), &self.circuits[place]);
            if !circuit.admits(Instant::now()) {
                debug!(model, "the model is left alone");
                last = Failure::Resting;
                continue;
            }
            match self.ask_one(model, circuit, question).await {
                Ok(reply) => return Ok(Begun { place, reply }),
                Err(failure) => {
                    self.note(place, Some(failure));
                    warn!(model, code = failure.code(), "❌ Error: the model failed");
                    last = failure;
                }
            }
        }
        Err(last)
    }

    async fn ask_one(
        &self,
        model: &str,
        circuit: &Circuit,
        question: Question<'_>,
    ) -> Result<Reply, Failure> {
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
            // Others may have found it to be down meanwhile.
            if circuit.is_open() {
                return Err(failure);
            }
            let left = retry_for.saturating_sub(began.elapsed());
            let Some(wait) = waits.next().and_then(|wait| failure.pause(wait, left)) else {
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
        match self.client.start(&body).await?.until_it_speaks().await {
            Ok(Started::Speaking(running)) => Ok(Reply::Speaking(Box::new(running))),
            Ok(Started::Silent(completion)) => Ok(Reply::Calls(completion)),
            Err(Failure::Empty) if question.may_be_silent => Ok(Reply::Calls(Completion::default())),
            Err(failure) => Err(failure),
        }
    }
}
