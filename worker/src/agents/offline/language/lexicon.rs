//! What is understood in one language: word lists and patterns, read from its `lexicon.toml`.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;

use super::fold::{fold, folds};
use super::pattern::Patterns;
use super::when_words::WhenWords;
use crate::agents::offline::understanding::text::{Gap, Text, Token};

/// Everything that is recognised in a language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lexicon {
    /// Words by which the language is known.
    pub(crate) hints: Patterns,
    pub(crate) filler: HashSet<String>,
    pub(crate) answers: Answers,
    pub(crate) intents: Intents,
    pub(crate) fields: Fields,
    pub(crate) topics: Topics,
    pub(crate) names: Names,
    pub(crate) treatments: TreatmentWords,
    pub(crate) contact: ContactWords,
    pub(crate) when: WhenWords,
    /// The tag of the language.
    #[serde(skip)]
    pub(crate) tag: &'static str,
}

impl Lexicon {
    /// A text with its words in the form of this lexicon.
    pub(crate) fn read(&self, text: &str) -> Text {
        let text = Text::new(text);
        self.with_ordinals(if folds(self.tag) { folded(text) } else { text })
    }

    /// A word or a phrase in lower case as it is compared.
    pub(crate) fn form(&self, words: &str) -> String {
        if folds(self.tag) {
            fold(words).into_owned()
        } else {
            words.to_owned()
        }
    }

    /// Whether some dot of a text may end no sentence.
    pub(crate) fn has_ordinals(&self, text: &Text) -> bool {
        self.when.ordinal_dot && text.tokens.iter().any(|token| before_a_dot(text, token))
    }

    /// "am 12. Mai", "den 12.": a dot that ends no sentence.
    pub(crate) fn with_ordinals(&self, mut text: Text) -> Text {
        if !self.when.ordinal_dot {
            return text;
        }
        for at in 0..text.tokens.len() {
            let token = &text.tokens[at];
            if !before_a_dot(&text, token) {
                continue;
            }
            let number = is_day(token);
            let next = text.tokens.get(at + 1);
            let month = next.is_some_and(|next| self.when.month(&next.word).is_some());
            let small = next.is_some_and(|next| text.raw[next.start..].starts_with(char::is_lowercase));
            let named = at > 0 && self.when.day_before.contains(&text.tokens[at - 1].word);
            let token = &mut text.tokens[at];
            if number && (month || small || named) {
                token.word.push('.');
            }
            if month || small {
                token.gap = Gap::Space;
            }
        }
        text
    }
}

/// A text with its words folded.
pub(crate) fn folded(mut text: Text) -> Text {
    for token in &mut text.tokens {
        if let Cow::Owned(word) = fold(&token.word) {
            token.word = word;
        }
    }
    text
}

/// Whether a dot stands behind a token that may be a day of a month or the beginning of a date.
fn before_a_dot(text: &Text, token: &Token) -> bool {
    (is_day(token) || token.word.contains('.')) && text.raw[token.end..].starts_with('.')
}

fn is_day(token: &Token) -> bool {
    token.word.len() <= 2 && token.word.bytes().all(|byte| byte.is_ascii_digit())
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
    /// Words that may stand right behind a name: "John and …".
    pub(crate) follows: HashSet<String>,
    /// Words before a name that corrects another one, besides fillers: "no, Jon".
    pub(crate) behind: HashSet<String>,
    /// Endings that names do not have.
    pub(crate) unlike: Vec<String>,
    /// Whether a capital letter tells a name: not where all nouns have one.
    pub(crate) capitals_tell: bool,
    /// Whether the capital letter of "i" is "İ".
    pub(crate) dotted_i: bool,
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
    /// What the visitor wants stands before it: "diz protezi istiyorum".
    pub(crate) wants_behind: Patterns,
    /// Behind a treatment it says that it is not wanted.
    pub(crate) not_behind: Patterns,
}

/// How telephone numbers and addresses are announced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactWords {
    pub(crate) announces: Patterns,
}
