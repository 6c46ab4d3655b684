//! What is understood in one language: word lists and patterns, read from its `lexicon.toml`.

use std::collections::HashSet;

use serde::Deserialize;

use super::pattern::Patterns;
use super::when_words::WhenWords;

/// Everything that is recognised in a language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lexicon {
    pub(crate) filler: HashSet<String>,
    pub(crate) answers: Answers,
    pub(crate) intents: Intents,
    pub(crate) fields: Fields,
    pub(crate) topics: Topics,
    pub(crate) names: Names,
    pub(crate) treatments: TreatmentWords,
    pub(crate) contact: ContactWords,
    pub(crate) when: WhenWords,
}

/// Yes, no, and what lies between.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answers {
    pub(crate) yes: Patterns,
    pub(crate) no: Patterns,
    pub(crate) weak_yes: Patterns,
    pub(crate) grant: Patterns,
    pub(crate) dont_know: Patterns,
    pub(crate) nothing: Patterns,
}

/// What a visitor wants from the conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Intents {
    pub(crate) booking: Patterns,
    /// A booking is asked for in so many words, also within a question about something else.
    pub(crate) book: Patterns,
    pub(crate) resume: Patterns,
    pub(crate) another: Patterns,
    pub(crate) human: Patterns,
    pub(crate) restart: Patterns,
    pub(crate) cancel: Patterns,
    pub(crate) withdraw: Patterns,
    pub(crate) thanks: Patterns,
    pub(crate) bye: Patterns,
    pub(crate) greeting: Patterns,
    pub(crate) abuse: Patterns,
    pub(crate) injection: Patterns,
    pub(crate) agree_also: Patterns,
    pub(crate) correction: Patterns,
    pub(crate) wanting: Patterns,
    pub(crate) know: Patterns,
}

/// How a visitor names one of the details, to change it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    pub(crate) name: Patterns,
    pub(crate) treatment: Patterns,
    pub(crate) contact: Patterns,
    pub(crate) time: Patterns,
    pub(crate) everything: Patterns,
}

/// What a visitor asks about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topics {
    pub(crate) asks: Patterns,
    pub(crate) price: Patterns,
    pub(crate) duration: Patterns,
    pub(crate) recovery: Patterns,
    pub(crate) treatments: Patterns,
    pub(crate) about: Patterns,
    pub(crate) hours: Patterns,
    pub(crate) address: Patterns,
    pub(crate) phone: Patterns,
    pub(crate) email: Patterns,
    pub(crate) website: Patterns,
    pub(crate) languages: Patterns,
    pub(crate) identity: Patterns,
    pub(crate) who: Patterns,
    pub(crate) privacy: Patterns,
    pub(crate) medical: Patterns,
    pub(crate) status: Patterns,
    pub(crate) capabilities: Patterns,
    pub(crate) smalltalk: Patterns,
    pub(crate) joke: Patterns,
}

/// How names are given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Names {
    pub(crate) strong: Patterns,
    pub(crate) weak: Patterns,
    pub(crate) correcting: Patterns,
    pub(crate) family: Patterns,
    pub(crate) first: Patterns,
    pub(crate) after: Patterns,
    pub(crate) titles: HashSet<String>,
    pub(crate) particles: HashSet<String>,
    pub(crate) never: HashSet<String>,
}

/// How treatments are asked for that the clinic does not list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TreatmentWords {
    pub(crate) wants: Patterns,
    pub(crate) generic: HashSet<String>,
    pub(crate) ends: HashSet<String>,
    pub(crate) not: Patterns,
    pub(crate) other: HashSet<String>,
}

/// How telephone numbers and addresses are announced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactWords {
    pub(crate) announces: Patterns,
}
