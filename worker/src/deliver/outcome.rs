//! What can become of a message that is sent.

use std::time::Duration;

use shared::db::delivery::Verdict;

/// How sending ended. No variant holds anything that a visitor or a provider wrote, but for the provider's name of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider has it, under this name.
    Accepted(String),
    /// The provider does not want it.
    Refused(Refusal),
    /// It never left us.
    NotSent {
        /// Why.
        code: &'static str,
        /// What follows.
        verdict: Verdict,
    },
    /// The provider may have it, or not.
    Unknown {
        /// Why.
        code: &'static str,
    },
}

/// A provider's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it means.
    pub verdict: Verdict,
    /// The provider's code, or `http_` and the status.
    pub code: String,
    /// How long the provider asks to be left alone.
    pub retry_after: Option<Duration>,
}
