//! What an agent returns: new state, effects, the agent that the session is pinned to, or why it failed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::media::Media;

/// The result of a turn. The commit stores it together with the reply, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The session's new state, a JSON object.
    pub state: Value,
    /// The agent that the session is pinned to from now on.
    pub active_agent: String,
    /// The language that the visitor writes in as a BCP 47 tag, where it is known: `users.language`.
    pub language: Option<String>,
    /// What else is to be written.
    pub effects: Vec<Effect>,
    /// Short answers that a page can offer as buttons; empty where the question is open.
    pub quick_replies: Vec<String>,
}

/// Something that the commit writes on behalf of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Effect {
    /// The user answered the consent question: a row in `consents`.
    Consent {
        /// Which wording was answered.
        text_version: String,
        /// Yes or no.
        given: bool,
    },
    /// The user's name, after consent: `users.name`.
    Name {
        /// As the user wrote it.
        name: String,
    },
    /// The confirmed request for a consultation: a row in `consultations`.
    Consultation(Consultation),
}

/// A request for a consultation, as confirmed by the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consultation {
    /// Full name.
    pub name: String,
    /// A treatment of `clinic.toml` by its name there, or the visitor's own words.
    pub treatment: String,
    /// Telephone number or e-mail address.
    pub contact: String,
    /// When the user wants to talk, in the user's words and with the date where it could be understood.
    pub preferred_time: String,
    /// Everything that the user attached in this session.
    pub media: Vec<Media>,
    /// A few lines for the clinic's staff.
    pub summary: String,
}

/// Why a turn failed. The error carries the decision.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It may go well the next time: run the turn again after a while. The code is safe to show and to log.
    #[error("{code} (to be tried again)")]
    Retry {
        /// A stable code in snake case.
        code: &'static str,
    },
    /// It will not go well: end the request as failed.
    #[error("{code}")]
    Fail {
        /// A stable code in snake case.
        code: &'static str,
    },
    /// Whoever listens is gone: the turn was cancelled.
    #[error("the turn was cancelled")]
    Cancelled,
}
