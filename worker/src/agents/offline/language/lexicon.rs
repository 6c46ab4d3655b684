//! What is understood in one language: word lists and patterns, read from its `lexicon.toml`.

use std::collections::HashSet;

use serde::Deserialize;

use super::fold::{fold, folds};
use super::pattern::Patterns;
use super::when_words::WhenWords;
use crate::agents::offline::understanding::text::{Gap, Text};

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
    /// A visitor's text with its words in the form of this lexicon.
    pub(crate) fn read(&self, said: &str) -> Text {
        let mut text = Text::new(said);
        for token in &mut text.tokens {
            token.word = self.form(&token.word);
        }
        if self.when.ordinal_dot {
            self.read_ordinals(&mut text);
        }
        text
    }

    /// A word or a phrase in lower case as it is compared.
    pub(crate) fn form(&self, words: &str) -> String {
        if folds(self.tag) {
            fold(words)
        } else {
            words.to_owned()
        }
    }

    /// "am 12. Mai", "den 12.": a dot that ends no sentence.
    fn read_ordinals(&self, text: &mut Text) {
        for at in 0..text.tokens.len() {
            let token = &text.tokens[at];
            let number = token.word.bytes().all(|byte| byte.is_ascii_digit()) && token.word.len() <= 2;
            let date = token.word.contains('.');
            if !(number || date) || !text.raw[token.end..].starts_with('.') {
                continue;
            }
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
    }
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
