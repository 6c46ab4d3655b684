//! The agents: who answers a turn. They take values and return values; nothing here writes to a database.

pub mod offline;
mod outcome;
mod reply;
mod turn;

pub use outcome::{AgentError, Consultation, Effect, Outcome};
pub use reply::{Asides, Reply};
pub use turn::{AlreadySent, IncomingMessage, PastMessage, Profile, Turn};

/// Someone who answers a turn: the manager and the agents behind it.
pub trait Agent: Send + Sync {
    /// The name under which a session is pinned to this agent (`conversation_states.active_agent`, 50 characters at most).
    fn name(&self) -> &'static str;

    /// Answers `turn` by saying text to `reply`, and returns what has to be stored.
    ///
    /// It must not write anywhere else: a turn that dies halfway is run again.
    fn run<'a>(
        &'a self,
        turn: &'a Turn,
        reply: &'a mut Reply,
    ) -> impl Future<Output = Result<Outcome, AgentError>> + Send + 'a;
}
