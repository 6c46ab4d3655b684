//! The few sentences that visitors read where the model has failed, in the language that they write.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::agents::Turn;

/// The sentences of one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sentences {
    pub(crate) by_rules: String,
    pub(crate) interrupted: String,
    pub(crate) medical: String,
}

static SENTENCES: LazyLock<HashMap<String, Sentences>> = LazyLock::new(|| {
    toml::from_str(include_str!("prompts/sentences.toml"))
        .expect("a test reads the sentences of every language")
});

/// Words that tell a language from the others.
const WORDS: [(&str, &[&str]); 2] = [
    (
        "tr",
        &[
            "merhaba",
            "bir",
            "ve",
            "için",
            "istiyorum",
            "ne",
            "evet",
            "hayır",
            "selam",
            "var",
            "mı",
            "mi",
            "fiyat",
            "randevu",
            "teşekkürler",
        ],
    ),
    (
        "de",
        &[
            "ich", "und", "bitte", "möchte", "hallo", "guten", "ja", "nein", "danke", "wie", "ist", "was",
            "kostet", "einen", "der", "die", "das",
        ],
    ),
];

/// The sentences for whoever wrote this turn's messages.
pub(crate) fn sentences(turn: &Turn) -> &'static Sentences {
    let earlier = turn.history.iter().filter(|message| message.incoming);
    let texts = turn
        .requests
        .iter()
        .map(|request| request.content.as_str())
        .chain(earlier.rev().map(|message| message.body.as_str()));
    let found = texts.take(4).find_map(language);
    let known = turn.user.language.as_deref().and_then(|tag| tag.get(..2));
    SENTENCES
        .get(found.or(known).unwrap_or("en"))
        .unwrap_or_else(|| &SENTENCES["en"])
}

/// The language of a text, where it shows.
fn language(text: &str) -> Option<&'static str> {
    if text
        .chars()
        .any(|character| ('\u{0600}'..='\u{06ff}').contains(&character))
    {
        return Some("ar");
    }
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|character: char| !character.is_alphabetic()).collect();
    let counted =
        WORDS.map(|(language, known)| (words.iter().filter(|word| known.contains(word)).count(), language));
    let (count, language) = counted.into_iter().max_by_key(|(count, _)| *count)?;
    match count {
        0 if words.iter().any(|word| word.len() > 2) => Some("en"),
        0 => None,
        _ => Some(language),
    }
}

#[cfg(test)]
mod tests {
    use super::{SENTENCES, language};

    #[test]
    fn every_language_has_its_sentences_and_is_known_by_its_words() {
        for (text, expected) in [
            ("Hello, how much is it?", Some("en")),
            ("Merhaba, fiyat ne kadar?", Some("tr")),
            ("Guten Tag, was kostet das?", Some("de")),
            ("مرحبا", Some("ar")),
            ("ok", None),
        ] {
            assert_eq!(language(text), expected, "{text}");
            assert!(SENTENCES.contains_key(expected.unwrap_or("en")));
        }
    }
}
