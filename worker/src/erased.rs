//! An agent behind a pointer, so that the turn does not care which one it is.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::agents::{Agent, AgentError, Outcome, Reply, Turn};

/// Any [`Agent`].
pub trait AnyAgent: Send + Sync {
    /// As [`Agent::run`].
    fn run_any<'a>(
        &'a self,
        turn: &'a Turn,
        reply: &'a mut Reply,
    ) -> BoxFuture<'a, Result<Outcome, AgentError>>;
}

impl<A: Agent> AnyAgent for A {
    fn run_any<'a>(
        &'a self,
        turn: &'a Turn,
        reply: &'a mut Reply,
    ) -> BoxFuture<'a, Result<Outcome, AgentError>> {
        self.run(turn, reply).boxed()
    }
}
