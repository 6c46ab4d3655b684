//! The check on the way out: no doses, no diagnoses. A stream is not held back, but for words that could begin a forbidden phrase.
//!
//! It is the second line: what a model may say stands in its prompt. It knows the phrases of `prompts/forbidden.toml`.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use serde::Deserialize;

use super::spelling::{self, Spelling};

/// So many words may stand in the place of `~`.
const BETWEEN: usize = 4;

/// What ends a sentence.
const ENDS: [char; 5] = ['.', '!', '?', '؟', '\n'];

/// What ends a clause, and what only the part of it that a question or a negation reaches.
const BREAKS: [char; 6] = [';', '؛', ':', '…', '–', '—'];
const COMMAS: [char; 2] = [',', '،'];

/// A forbidden phrase, word by word.
type Pattern = Vec<Element>;

#[derive(Debug)]
enum Element {
    /// A few words, whatever they are.
    Between,
    /// One of these words, or any number in digits.
    Word { number: bool, words: Vec<Spelling> },
}

#[derive(Debug)]
struct Forbidden {
    doses: Vec<Pattern>,
    diagnoses: Vec<Pattern>,
    /// What makes none of a diagnosis behind it.
    conditions: Vec<Spelling>,
    unless: Vec<Spelling>,
    /// What neither reaches over.
    but: Vec<Spelling>,
}

static FORBIDDEN: LazyLock<Forbidden> = LazyLock::new(|| {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        words: HashMap<String, String>,
        conditions: String,
        unless: String,
        but: String,
        doses: Vec<String>,
        diagnoses: Vec<String>,
    }
    let file: File =
        toml::from_str(include_str!("prompts/forbidden.toml")).expect("a test reads the forbidden phrases");
    let patterns = |texts: &[String]| -> Vec<Pattern> {
        let of = |text: &String| text.split(' ').map(|text| element(text, &file.words)).collect();
        texts.iter().map(of).collect()
    };
    Forbidden {
        doses: patterns(&file.doses),
        diagnoses: patterns(&file.diagnoses),
        conditions: spelling::list(&file.conditions),
        unless: spelling::list(&file.unless),
        but: spelling::list(&file.but),
    }
});

fn element(text: &str, words: &HashMap<String, String>) -> Element {
    if text == "~" {
        return Element::Between;
    }
    let spellings = text.split('|').flat_map(|word| match word.strip_prefix('@') {
        Some(list) => spelling::list(&words[list]),
        None => vec![Spelling::read(word)],
    });
    Element::Word {
        number: text.split('|').any(|word| word == "#"),
        words: spellings.collect(),
    }
}

/// Checks one reply.
#[derive(Debug)]
pub(crate) struct Guard {
    /// What has been said of the present sentence.
    sentence: String,
    held: String,
    /// The rest of a sentence is being left out.
    cutting: bool,
    /// What is said instead; nothing once it was said.
    instead: String,
}

/// A run of digits or of letters.
struct Word {
    place: Range<usize>,
    number: bool,
    /// It stands in one phrase with the word before it.
    joined: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    No,
    /// It matches as far as it goes.
    Perhaps,
    Yes,
}

impl Guard {
    /// A guard behind a text that was said, which says `instead` in the place of the first forbidden sentence.
    pub(crate) fn after(said: &str, instead: &str) -> Self {
        Self {
            sentence: of_the_last_sentence(said).to_owned(),
            held: String::new(),
            cutting: false,
            instead: instead.to_owned(),
        }
    }

    /// What of the next piece can be said by now.
    pub(crate) fn next(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        self.release(false)
    }

    /// What is left at the end.
    pub(crate) fn end(&mut self) -> String {
        let out = self.release(true);
        self.forget();
        out
    }

    /// Forgets what was held back: it will be said again.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
        self.cutting = false;
    }

    fn release(&mut self, ended: bool) -> String {
        let mut out = String::new();
        loop {
            if self.cutting {
                let Some(end) = sentence_end(&self.held, ended) else {
                    // The dot is judged by what follows it.
                    let kept = self.held.len() - usize::from(self.held.ends_with('.'));
                    self.held.drain(..kept);
                    break;
                };
                self.held.drain(..end);
                self.cutting = false;
                self.sentence.clear();
            }
            let Some((start, found)) = self.find(ended) else {
                self.pass(self.held.len(), &mut out);
                break;
            };
            self.pass(start, &mut out);
            if found == Match::Perhaps {
                break;
            }
            // What was begun is broken off.
            if !self.sentence.trim().is_empty() {
                out.truncate(out.trim_end().len());
                out.push('…');
                if !self.instead.is_empty() {
                    out.push(' ');
                }
            } else if self.instead.is_empty() {
                out.truncate(out.trim_end().len());
            }
            out.push_str(&std::mem::take(&mut self.instead));
            self.cutting = true;
        }
        out
    }

    /// Lets the first bytes pass.
    fn pass(&mut self, bytes: usize, out: &mut String) {
        let text: String = self.held.drain(..bytes).collect();
        self.sentence.push_str(&text);
        self.sentence = of_the_last_sentence(&self.sentence).to_owned();
        out.push_str(&text);
    }

    /// Where the first phrase begins that is forbidden, or may become so.
    fn find(&self, ended: bool) -> Option<(usize, Match)> {
        let text = Held {
            text: &self.held,
            words: words(&self.held),
            ended,
        };
        (0..text.words.len()).find_map(|at| {
            let best = |patterns: &[Pattern]| {
                let matched = patterns.iter().map(|pattern| text.matches(pattern, at, true));
                matched.max().unwrap_or(Match::No)
            };
            let start = text.words[at].place.start;
            let mut found = best(&FORBIDDEN.doses);
            if found != Match::Yes {
                let diagnosis = best(&FORBIDDEN.diagnoses);
                if diagnosis > found && !self.supposes(start) {
                    found = diagnosis;
                }
            }
            (found != Match::No).then_some((start, found))
        })
    }

    /// Whether what is said up to here, in what is held, makes a supposition of what follows: a question, a condition, a negation.
    fn supposes(&self, here: usize) -> bool {
        let before = format!("{}{}", self.sentence, &self.held[..here]);
        let before = of_the_last_sentence(&before).to_lowercase();
        let clause = of_the_last_clause(&before);
        let part = clause.rsplit(COMMAS).next().unwrap_or_default();
        has(clause, &FORBIDDEN.conditions) || has(part, &FORBIDDEN.unless)
    }
}

fn has(text: &str, known: &[Spelling]) -> bool {
    let mut words = text.split(|character: char| !character.is_alphabetic());
    words.any(|word| known.iter().any(|known| known.is(word)))
}

/// What stands behind the last "but" or the like.
fn of_the_last_clause(sentence: &str) -> &str {
    let clause = sentence.rsplit(BREAKS).next().unwrap_or_default();
    let clause = clause.rsplit(" - ").next().unwrap_or_default();
    let is_but = |word: &Word| {
        let word = &clause[word.place.clone()];
        FORBIDDEN.but.iter().any(|known| known.is(word))
    };
    let but = words(clause).into_iter().rfind(is_but);
    but.map_or(clause, |but| &clause[but.place.end..])
}

fn of_the_last_sentence(text: &str) -> &str {
    text.rsplit(ENDS).next().unwrap_or_default()
}

/// Where the sentence ends, behind its last character. A dot at the very end may be a decimal point.
fn sentence_end(text: &str, ended: bool) -> Option<usize> {
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let end = at + character.len_utf8();
        match character {
            '!' | '?' | '؟' => return Some(end),
            '\n' => return Some(at),
            '.' => match characters.peek() {
                Some((_, next)) if next.is_ascii_digit() => {}
                Some(_) => return Some(end),
                None if ended => return Some(end),
                None => return None,
            },
            _ => {}
        }
    }
    ended.then_some(text.len())
}

fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for (at, character) in text.char_indices() {
        let end = at + character.len_utf8();
        let number = character.is_numeric();
        if !number && !character.is_alphabetic() {
            // "1,900" and "2.5" are one number.
            let joins =
                matches!(character, '.' | ',') && text[end..].starts_with(|next: char| next.is_numeric());
            match words.last_mut() {
                Some(last) if joins && last.number && last.place.end == at => last.place.end = end,
                _ => {}
            }
            continue;
        }
        match words.last_mut() {
            Some(last) if last.place.end == at && last.number == number => last.place.end = end,
            last => {
                let joined = last.is_some_and(|last| is_gap(&text[last.place.end..at]));
                words.push(Word {
                    place: at..end,
                    number,
                    joined,
                });
            }
        }
    }
    words
}

/// Whether two words with this between them stand in one phrase: "400 **mg**" is written, too.
fn is_gap(between: &str) -> bool {
    !between.contains(ENDS) && !between.contains([',', ';', ':', '،', '؛'])
}

/// What is held, in words.
struct Held<'t> {
    text: &'t str,
    words: Vec<Word>,
    ended: bool,
}

impl Held<'_> {
    /// Whether the words from `at` on match `pattern`, of which they are the `first` or follow on others.
    fn matches(&self, pattern: &[Element], at: usize, first: bool) -> Match {
        let Some((element, rest)) = pattern.split_first() else {
            return Match::Yes;
        };
        if matches!(element, Element::Between) {
            let joined = self.words[at.min(self.words.len())..].iter();
            let skippable = joined.take(BETWEEN).take_while(|word| word.joined).count();
            let ends = (0..=skippable).map(|skipped| self.matches(rest, at + skipped, false));
            return ends.max().unwrap_or(Match::No);
        }
        let Some(word) = self.words.get(at) else {
            let last = self.words.last().map_or(0, |word| word.place.end);
            let behind = &self.text[last..];
            // What follows "4." may be a digit.
            let open = is_gap(behind) || (behind == "." && self.words.last().is_some_and(|word| word.number));
            return if self.ended || !open {
                Match::No
            } else {
                Match::Perhaps
            };
        };
        if !first && !word.joined {
            return Match::No;
        }
        let Element::Word { number, words } = element else {
            return Match::No;
        };
        if word.number {
            return if *number {
                self.matches(rest, at + 1, false)
            } else {
                Match::No
            };
        }
        // A capital İ has a dot of its own in lower case.
        let said = self.text[word.place.clone()]
            .to_lowercase()
            .replace('\u{307}', "");
        let goes_on = word.place.end == self.text.len() && !self.ended;
        let is = words.iter().any(|spelling| match spelling {
            Spelling::Whole(_) => !goes_on && spelling.is(&said),
            Spelling::Beginning(_) => spelling.is(&said),
        });
        if is {
            return self.matches(rest, at + 1, false);
        }
        if goes_on && words.iter().any(|spelling| spelling.may_be(&said)) {
            return Match::Perhaps;
        }
        Match::No
    }
}

#[cfg(test)]
mod tests;
