//! Phrases that are recognised in a text, as they are written in a lexicon.
//!
//! A pattern is a row of words. `a|b` is either word (`a_b` are two words in such a choice), `a?` may be missing, `bleed%` is any word that starts so, `*` stands
//! for up to three words whatever they are, `^` at the front is the start of a clause and `$` the end of one. A pattern
//! never reaches over the end of a sentence.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;

use crate::agents::offline::understanding::text::{Gap, Token};

/// How many words a `*` may stand for.
const GAP: usize = 3;

#[derive(Clone, Debug)]
enum Part {
    One(Vec<Choice>),
    Maybe(Vec<Choice>),
    Any,
}

/// One or more words that follow each other.
#[derive(Clone, Debug)]
struct Choice(Vec<Word>);

#[derive(Clone, Debug)]
enum Word {
    Whole(String),
    Start(String),
}

impl Choice {
    /// Where it ends if it stands at `at`.
    fn end(&self, tokens: &[Token], at: usize) -> Option<usize> {
        let here = tokens.get(at..at + self.0.len())?;
        let whole = here[..here.len() - 1]
            .iter()
            .all(|token| !token.gap.ends_sentence());
        (whole && self.0.iter().zip(here).all(|(word, token)| word.is(&token.word)))
            .then_some(at + self.0.len())
    }
}

impl Word {
    fn is(&self, word: &str) -> bool {
        match self {
            Word::Whole(whole) => whole == word,
            Word::Start(start) => word.starts_with(start.as_str()),
        }
    }
}

#[derive(Clone, Debug)]
struct Pattern {
    parts: Vec<Part>,
    at_start: bool,
    at_end: bool,
}

/// A list of patterns, of which any may match.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Vec<String>")]
pub(crate) struct Patterns {
    patterns: Vec<Pattern>,
    /// The patterns that begin with a word, by that word: a text of 64 KiB is searched in milliseconds.
    by_word: HashMap<String, Vec<usize>>,
    /// Those that begin with the start of a word, by its first letter.
    by_letter: HashMap<char, Vec<usize>>,
    /// Those that may begin with anything.
    others: Vec<usize>,
    /// What no word begins with is not looked up: most words of a text begin no pattern.
    beginnings: Beginnings,
}

/// The first two bytes that words have, as a set that may hold too many.
#[derive(Clone, Debug, Default)]
struct Beginnings([u64; 16]);

impl Beginnings {
    fn insert(&mut self, word: &Word) {
        match word {
            Word::Start(start) if start.len() < 2 => {
                let first = start.bytes().next().unwrap_or_default();
                (0..=u8::MAX).for_each(|second| self.put(first, second));
            }
            Word::Start(word) | Word::Whole(word) => {
                let (first, second) = two(word);
                self.put(first, second);
            }
        }
    }

    fn put(&mut self, first: u8, second: u8) {
        let (at, bit) = place(first, second);
        self.0[at] |= bit;
    }

    fn may_hold(&self, word: &str) -> bool {
        let (first, second) = two(word);
        let (at, bit) = place(first, second);
        self.0[at] & bit != 0
    }
}

fn two(word: &str) -> (u8, u8) {
    let bytes = word.as_bytes();
    let byte = |at| bytes.get(at).copied().unwrap_or_default();
    (byte(0), byte(1))
}

fn place(first: u8, second: u8) -> (usize, u64) {
    let hash = (usize::from(first) * 37) ^ usize::from(second);
    (hash / 64 % 16, 1 << (hash % 64))
}

impl From<Vec<String>> for Patterns {
    fn from(patterns: Vec<String>) -> Self {
        let mut all = Self::default();
        for (index, pattern) in patterns.iter().map(|pattern| Pattern::parse(pattern)).enumerate() {
            match pattern.first_words() {
                Some(words) => {
                    for word in words {
                        all.beginnings.insert(&word);
                        let known = match word {
                            Word::Whole(word) => all.by_word.entry(word).or_default(),
                            Word::Start(start) => all
                                .by_letter
                                .entry(start.chars().next().unwrap_or_default())
                                .or_default(),
                        };
                        // "can|can_not": one entry is enough.
                        if known.last() != Some(&index) {
                            known.push(index);
                        }
                    }
                }
                None => all.others.push(index),
            }
            all.patterns.push(pattern);
        }
        all
    }
}

impl Patterns {
    /// Where the first match is; the longest one, where several start there.
    pub(crate) fn find(&self, tokens: &[Token]) -> Option<Range<usize>> {
        (0..tokens.len()).find_map(|start| self.at(tokens, start).map(|end| start..end))
    }

    /// Whether any pattern matches anywhere.
    pub(crate) fn any(&self, tokens: &[Token]) -> bool {
        self.find(tokens).is_some()
    }

    /// Whether some word may begin a match: a quick no for most texts.
    pub(crate) fn may_match(&self, tokens: &[Token]) -> bool {
        tokens.iter().any(|token| self.may_begin(&token.word))
    }

    fn may_begin(&self, word: &str) -> bool {
        !self.others.is_empty() || self.beginnings.may_hold(word)
    }

    /// Where the last match starts.
    pub(crate) fn last_start(&self, tokens: &[Token]) -> Option<usize> {
        (0..tokens.len()).rfind(|start| self.at(tokens, *start).is_some())
    }

    /// All matches, which do not overlap.
    pub(crate) fn all(&self, tokens: &[Token]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut start = 0;
        while start < tokens.len() {
            match self.at(tokens, start) {
                Some(end) => {
                    found.push(start..end);
                    start = end.max(start + 1);
                }
                None => start += 1,
            }
        }
        found
    }

    /// The end of the longest match that starts at `start`.
    pub(crate) fn at(&self, tokens: &[Token], start: usize) -> Option<usize> {
        let word = &tokens.get(start)?.word;
        if !self.may_begin(word) {
            return None;
        }
        let clause = start == 0 || tokens[start - 1].gap != Gap::Space;
        let by_word = self.by_word.get(word);
        let by_letter = word.chars().next().and_then(|letter| self.by_letter.get(&letter));
        by_word
            .into_iter()
            .chain(by_letter)
            .flatten()
            .chain(&self.others)
            .map(|index| &self.patterns[*index])
            .filter(|pattern| clause || !pattern.at_start)
            .filter_map(|pattern| pattern.follow(&pattern.parts, tokens, start, start))
            .max()
    }
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let at_start = text.starts_with('^');
        let at_end = text.ends_with('$');
        let parts = text
            .trim_start_matches('^')
            .trim_end_matches('$')
            .split_whitespace()
            .map(|part| match part {
                "*" => Part::Any,
                part => match part.strip_suffix('?') {
                    Some(part) => Part::Maybe(choices(part)),
                    None => Part::One(choices(part)),
                },
            })
            .collect();
        Self {
            parts,
            at_start,
            at_end,
        }
    }

    /// The words with which a match begins; `None` where it may begin with anything.
    fn first_words(&self) -> Option<Vec<Word>> {
        let Some(Part::One(choices)) = self.parts.first() else {
            return None;
        };
        let first = |choice: &Choice| match choice.0.first() {
            Some(Word::Start(start)) if start.is_empty() => None,
            word => word.cloned(),
        };
        choices.iter().map(first).collect()
    }

    /// Matches `parts` from the token `at` on, of a match that began at `start`; the end of the match.
    fn follow(&self, parts: &[Part], tokens: &[Token], start: usize, at: usize) -> Option<usize> {
        let Some((part, rest)) = parts.split_first() else {
            let ends = at > start && tokens[at - 1].gap != Gap::Space;
            return (at > start && (!self.at_end || ends)).then_some(at);
        };
        let joined = at == start || !tokens[at - 1].gap.ends_sentence();
        let here = |choices: &[Choice]| {
            let ends = choices
                .iter()
                .filter(|_| joined)
                .filter_map(|choice| choice.end(tokens, at));
            ends.filter_map(|end| self.follow(rest, tokens, start, end)).max()
        };
        match part {
            Part::One(choices) => here(choices),
            Part::Maybe(choices) => here(choices).or_else(|| self.follow(rest, tokens, start, at)),
            Part::Any => (at..=(at + GAP).min(tokens.len()))
                .take_while(|&to| {
                    to == at || (joined && !tokens[at..to - 1].iter().any(|token| token.gap.ends_sentence()))
                })
                .find_map(|to| self.follow(rest, tokens, start, to)),
        }
    }
}

fn choices(part: &str) -> Vec<Choice> {
    let word = |word: &str| match word.strip_suffix('%') {
        Some(start) => Word::Start(start.to_owned()),
        None => Word::Whole(word.to_owned()),
    };
    part.split('|')
        .map(|choice| Choice(choice.split('_').map(word).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Patterns;
    use crate::agents::offline::understanding::text::Text;

    #[test]
    fn patterns_match_as_described() {
        let cases = [
            ("how much", "And how much is it?", true),
            ("how much", "How? Much better", false),
            ("chest pain%", "the chest pains are back", true),
            ("can't|cannot * breathe", "I can't really breathe", true),
            ("can't|cannot * breathe", "I can't. He may breathe", false),
            (
                "can't|cannot * breathe",
                "I can't see one two three breathe",
                false,
            ),
            ("no thank|thanks you?", "no thanks", true),
            ("it's|it_is|this_is an emergency", "this is an emergency", true),
            ("it's|it_is|this_is an emergency", "it. Is an emergency", false),
            ("^no", "I have no idea", false),
            ("^no", "well, no idea", true),
            ("^cancel$", "cancel", true),
            ("^cancel$", "cancel my pain", false),
        ];
        for (pattern, text, expected) in cases {
            let patterns = Patterns::from(vec![pattern.to_owned()]);
            assert_eq!(
                patterns.any(&Text::new(text).tokens),
                expected,
                "{pattern} in {text}"
            );
        }
    }

    #[test]
    fn the_longest_match_counts_and_matches_do_not_overlap() {
        let patterns = Patterns::from(vec!["no".to_owned(), "no no? thanks".to_owned()]);
        let text = Text::new("no thanks no");
        assert_eq!(patterns.all(&text.tokens), [0..2, 2..3]);
    }
}
