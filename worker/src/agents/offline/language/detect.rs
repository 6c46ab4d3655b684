//! In which language a message is written: by its script, or by words that one language has and the others do not.

use super::fold::is_arabic;
use super::{Language, Said, languages};
use crate::agents::offline::conversation::{Ask, Conversation};
use crate::agents::offline::understanding::text::{Text, Token};

/// How much of a message is looked at, in words.
const MAX_WORDS: usize = 400;

/// The language of a message where it is clear, given the one that the conversation is in.
///
/// A conversation keeps its language until a message is clearly in another one: a name, "ok", a number or the name of a
/// treatment changes nothing.
pub(crate) fn detect(
    said: &Said,
    current: Option<&Language>,
    conversation: &Conversation,
) -> Option<&'static Language> {
    let words = beginning(said.plain())
        .iter()
        .filter(|token| is_word(token))
        .count();
    let scores: Vec<(usize, &'static Language)> = languages()
        .map(|language| (score(said, language, current, conversation), language))
        .collect();
    let best = scores
        .iter()
        .map(|(score, _)| *score)
        .max()
        .filter(|best| *best > 0)?;
    // "Hotel, bitte": two languages with the same score say nothing.
    let mut leading = scores.iter().filter(|(score, _)| *score == best);
    let (_, language) = *leading.next()?;
    if leading.next().is_some() {
        return None;
    }
    let Some(current) = current else {
        return Some(language);
    };
    let known = scores
        .iter()
        .find(|(_, language)| language.tag == current.tag)
        .map_or(0, |(score, _)| *score);
    let name = conversation.asked == Some(Ask::Name);
    let clear = match known {
        0 if name => best >= 2 || words == 1,
        0 => best * 4 >= words,
        known => best > known * 2 && best >= 3,
    };
    (clear || language.tag == current.tag).then_some(language)
}

/// As much of a message as is looked at.
fn beginning(text: &Text) -> &[Token] {
    &text.tokens[..text.tokens.len().min(MAX_WORDS)]
}

fn score(said: &Said, language: &Language, current: Option<&Language>, conversation: &Conversation) -> usize {
    let text = said.read_by(&language.lexicon);
    let tokens = beginning(&text);
    // "van der Berg" is no German.
    let particle = |token: &Token| {
        current.is_some_and(|current| {
            current.tag != language.tag && current.lexicon.names.particles.contains(&token.word)
        })
    };
    let hints: usize = language
        .lexicon
        .hints
        .all(tokens)
        .into_iter()
        .filter(|hit| !tokens[hit.clone()].iter().all(particle))
        .count();
    // A name may be in any script, an address, too.
    let name = conversation.asked == Some(Ask::Name) && current.is_some();
    let letters: usize = tokens
        .iter()
        .filter(|token| !name && language.writes(&text.raw[token.start..token.end], current))
        .count();
    hints + letters
}

fn is_word(token: &Token) -> bool {
    token.word.chars().any(char::is_alphabetic)
}

impl Language {
    /// Whether a word has letters that only this language has: in the middle of a conversation, only a script counts.
    fn writes(&self, word: &str, current: Option<&Language>) -> bool {
        match self.tag {
            "ar" => word.chars().any(is_arabic),
            "tr" if current.is_none() => word.contains(['ı', 'ğ', 'ş', 'İ', 'Ş']),
            "de" if current.is_none() => word.contains(['ä', 'ß', 'Ä']),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::by_tag;
    use super::{Conversation, Said, detect};
    use crate::agents::offline::conversation::Ask;

    fn tag(said: &str, current: Option<&str>, asked: Option<Ask>) -> Option<&'static str> {
        let conversation = Conversation {
            asked,
            ..Conversation::default()
        };
        detect(&Said::new(said), current.and_then(by_tag), &conversation).map(|language| language.tag)
    }

    #[test]
    fn short_messages_tell_their_language() {
        for (said, expected) in [
            ("evet", "tr"),
            ("Merhaba", "tr"),
            ("randevu almak istiyorum", "tr"),
            ("sac ekimi ne kadar", "tr"),
            ("teşekkürler", "tr"),
            ("göğüs ağrım var", "tr"),
            ("ja", "de"),
            ("nein danke", "de"),
            ("Hallo", "de"),
            ("Guten Tag", "de"),
            ("Ich möchte einen Termin", "de"),
            ("was kostet das?", "de"),
            ("übermorgen um 15 Uhr", "de"),
            ("نعم", "ar"),
            ("مرحبا", "ar"),
            ("كم السعر؟", "ar"),
            ("hello", "en"),
            ("I want to book an appointment", "en"),
            ("how much is it?", "en"),
            ("my name is محمد", "en"),
            ("Hi, my name is Şükrü and I need help", "en"),
        ] {
            assert_eq!(tag(said, None, None), Some(expected), "{said}");
        }
        for said in [
            "ok",
            "😀",
            "+44 20 7946 0958",
            "",
            "botox",
            "implant",
            "John Doe",
            "a@b.co",
            "asdf",
        ] {
            assert_eq!(tag(said, None, None), None, "{said}");
        }
    }

    #[test]
    fn a_conversation_keeps_its_language_until_another_one_is_clear() {
        for (said, current) in [
            ("ok", "de"),
            ("Hollywood smile", "de"),
            ("Şükrü Öztürk", "en"),
            ("John Smith", "tr"),
            ("info@klinik.de", "en"),
            ("yes", "tr"),
            ("super", "tr"),
        ] {
            let kept = tag(said, Some(current), None);
            assert!(kept.is_none() || kept == Some(current), "{said}: {kept:?}");
        }
        for said in [
            "محمد",
            "Hans von der Heide",
            "Jan van der Berg",
            "Can Yılmaz",
            "محمد أحمد علي",
        ] {
            assert_eq!(tag(said, Some("en"), Some(Ask::Name)), None, "{said}");
        }
        for (said, current, expected) in [
            ("Can we speak English please?", "de", "en"),
            ("ich verstehe kein Englisch", "en", "de"),
            ("Türkçe konuşabilir miyiz?", "en", "tr"),
            ("evet", "en", "tr"),
            ("هل تتكلم العربية؟", "en", "ar"),
            ("How much is a hair transplant?", "ar", "en"),
        ] {
            assert_eq!(tag(said, Some(current), None), Some(expected), "{said}");
        }
    }
}
