//! The languages of the offline engine: what is understood (`lexicon.toml`, `emergency.toml`) and what is said
//! (`messages.toml`). Another language is another folder and a line in [`languages`].

mod detect;
mod emergencies;
mod fold;
mod lexicon;
mod messages;
mod pattern;
mod said;
mod when_words;

use std::sync::LazyLock;

pub(crate) use detect::detect;
pub(crate) use emergencies::Emergencies;
pub(crate) use fold::fold;
pub(crate) use lexicon::Lexicon;
pub(crate) use messages::{Messages, fill};
pub(crate) use pattern::Patterns;
pub(crate) use said::Said;
use serde::de::DeserializeOwned;
use toml::Value;
pub(crate) use when_words::WhenWords;

/// One language.
pub(crate) struct Language {
    /// Its BCP 47 tag.
    pub(crate) tag: &'static str,
    pub(crate) lexicon: Lexicon,
    pub(crate) emergencies: Emergencies,
    pub(crate) messages: Messages,
}

macro_rules! language {
    ($tag:literal) => {
        Language::parse(
            $tag,
            include_str!(concat!($tag, "/lexicon.toml")),
            include_str!(concat!($tag, "/emergency.toml")),
            include_str!(concat!($tag, "/messages.toml")),
        )
        .unwrap_or_else(|error| panic!("the tests read every language, but {} says: {error}", $tag))
    };
}

static LANGUAGES: LazyLock<Vec<Language>> =
    LazyLock::new(|| vec![language!("en"), language!("tr"), language!("ar"), language!("de")]);

impl Language {
    fn parse(
        tag: &'static str,
        lexicon: &str,
        emergencies: &str,
        messages: &str,
    ) -> Result<Self, toml::de::Error> {
        let mut lexicon: Lexicon = read(lexicon, tag)?;
        lexicon.tag = tag;
        Ok(Self {
            tag,
            lexicon,
            emergencies: read(emergencies, tag)?,
            messages: toml::from_str(messages)?,
        })
    }
}

/// Reads a file of words, in the form in which texts are compared with them.
fn read<T: DeserializeOwned>(text: &str, tag: &str) -> Result<T, toml::de::Error> {
    let mut words: Value = toml::from_str(text)?;
    if fold::folds(tag) {
        fold_all(&mut words);
    }
    words.try_into()
}

fn fold_all(value: &mut Value) {
    match value {
        Value::String(text) => *text = fold(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(fold_all),
        Value::Table(table) => table.iter_mut().for_each(|(_, value)| fold_all(value)),
        _ => {}
    }
}

/// All of them, English first.
pub(crate) fn languages() -> impl Iterator<Item = &'static Language> {
    LANGUAGES.iter()
}

/// The language of a BCP 47 tag such as "de" or "de-AT".
pub(crate) fn by_tag(tag: &str) -> Option<&'static Language> {
    let tag = tag.split(['-', '_']).next().unwrap_or_default();
    languages().find(|language| language.tag.eq_ignore_ascii_case(tag))
}

/// English, which is spoken where nothing says otherwise.
pub(crate) fn english() -> &'static Language {
    &LANGUAGES[0]
}

#[cfg(test)]
mod tests;
