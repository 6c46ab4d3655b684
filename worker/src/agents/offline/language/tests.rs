//! No language lacks a word of another one.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{by_tag, languages};

const MESSAGES: [(&str, &str); 4] = [
    ("en", include_str!("en/messages.toml")),
    ("tr", include_str!("tr/messages.toml")),
    ("ar", include_str!("ar/messages.toml")),
    ("de", include_str!("de/messages.toml")),
];

/// The placeholders of a sentence, in order of the alphabet.
fn placeholders(text: &str) -> BTreeSet<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        .collect()
}

#[test]
fn every_language_has_every_sentence_with_the_same_placeholders() {
    assert_eq!(languages().count(), MESSAGES.len(), "and every language loads");
    let read = |text: &str| text.parse::<Table>().expect("TOML");
    let english = read(MESSAGES[0].1);
    for (tag, text) in MESSAGES {
        let messages = read(text);
        let keys = |table: &Table| table.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(keys(&messages), keys(&english), "{tag}");
        for (key, sentence) in &english {
            match (sentence, &messages[key]) {
                (Value::String(sentence), Value::String(translated)) => {
                    assert_eq!(placeholders(translated), placeholders(sentence), "{tag}: {key}");
                    assert!(!translated.trim().is_empty(), "{tag}: {key} is empty");
                    assert_eq!(
                        translated.matches('{').count(),
                        translated.matches('}').count(),
                        "{tag}: {key}"
                    );
                }
                (Value::Array(names), Value::Array(translated)) => {
                    assert_eq!(names.len(), translated.len(), "{tag}: {key}");
                }
                (Value::Table(names), Value::Table(translated)) => {
                    assert_eq!(keys(names), keys(translated), "{tag}: {key}");
                }
                (expected, found) => panic!("{tag}: {key} is {found:?}, and in English {expected:?}"),
            }
        }
    }
}

/// Whether a sentence has words of its own between its placeholders.
fn has_words(text: &str) -> bool {
    let own: usize = text
        .split('{')
        .map(|part| part.rsplit('}').next().unwrap_or(part).trim().len())
        .sum();
    own > 4
}

#[test]
fn no_language_says_a_sentence_of_another_one() {
    let english: Table = MESSAGES[0].1.parse().expect("TOML");
    for (tag, text) in &MESSAGES[1..] {
        let messages: Table = text.parse().expect("TOML");
        let same: Vec<_> = messages
            .iter()
            .filter(|(key, value)| value.as_str().is_some_and(has_words) && english[*key] == **value)
            .collect();
        assert!(same.is_empty(), "{tag}: {same:?}");
    }
}

#[test]
fn a_tag_names_a_language() {
    let tag = |tag| by_tag(tag).map(|language| language.tag);
    assert_eq!(
        (tag("de-AT"), tag("TR"), tag("ar_EG")),
        (Some("de"), Some("tr"), Some("ar"))
    );
    assert_eq!((tag("fr"), tag("")), (None, None));
}
