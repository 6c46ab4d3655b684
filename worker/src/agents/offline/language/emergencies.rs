//! How emergencies are told of in one language, read from its `emergency.toml`.

use std::collections::HashSet;

use serde::Deserialize;

use super::pattern::Patterns;

/// The words of the rules for emergencies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Emergencies {
    /// A body in danger.
    pub(crate) danger: Patterns,
    /// Somebody who may take their life.
    pub(crate) despair: Patterns,
    /// Words that turn around what follows them: "no chest pain".
    pub(crate) negates: HashSet<String>,
    /// Words that end the reach of those.
    pub(crate) asserts: HashSet<String>,
    /// What turns around what stands before it in the same clause: "göğüs ağrım yok".
    pub(crate) negates_behind: Patterns,
    /// Words between two clauses: "but".
    pub(crate) but: HashSet<String>,
    /// Words at the front of a condition: "if".
    pub(crate) conditions: HashSet<String>,
    /// Where something new is said within a clause, which what was said before it does not take back: "… and now".
    pub(crate) turns: Patterns,
    /// A manner of speaking, which is no emergency: "to die for".
    pub(crate) idioms: Patterns,
    /// A clause that reads like one of these is none either, unless somebody speaks of taking their own life.
    pub(crate) calm: Patterns,
    /// Nor is one that asks in general, unless `present` says that it happens now.
    pub(crate) asked: Patterns,
    pub(crate) present: Patterns,
    /// Where somebody speaks of taking their own life, and not of what happens to others.
    pub(crate) oneself: Patterns,
}
