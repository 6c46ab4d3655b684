//! The languages of the offline engine: what is understood (`lexicon.toml`) and what is said (`messages.toml`).

mod lexicon;
mod messages;
mod pattern;
mod when_words;

use std::sync::LazyLock;

pub(crate) use lexicon::Lexicon;
pub(crate) use messages::{Messages, fill};
pub(crate) use pattern::Patterns;
pub(crate) use when_words::WhenWords;

/// One language.
pub(crate) struct Language {
    pub(crate) lexicon: Lexicon,
    pub(crate) messages: Messages,
}

impl Language {
    fn parse(lexicon: &str, messages: &str) -> Result<Self, toml::de::Error> {
        Ok(Self {
            lexicon: toml::from_str(lexicon)?,
            messages: toml::from_str(messages)?,
        })
    }
}

/// English.
pub(crate) fn english() -> &'static Language {
    static ENGLISH: LazyLock<Language> = LazyLock::new(|| {
        Language::parse(include_str!("en/lexicon.toml"), include_str!("en/messages.toml"))
            .expect("the tests read the files of every language")
    });
    &ENGLISH
}
