//! The check on the way out: no doses, no diagnoses. A stream is not held back, but for words that could begin a forbidden phrase.

use std::ops::Range;
use std::sync::LazyLock;

use serde::Deserialize;

/// A forbidden phrase, word by word.
type Pattern = Vec<Element>;

#[derive(Debug)]
enum Element {
    Number,
    Word(Vec<String>),
}

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        patterns: Vec<String>,
    }
    let file: File =
        toml::from_str(include_str!("prompts/forbidden.toml")).expect("a test reads the forbidden phrases");
    file.patterns
        .iter()
        .map(|pattern| pattern.split(' ').map(element).collect())
        .collect()
});

fn element(text: &str) -> Element {
    match text {
        "#" => Element::Number,
        words => Element::Word(words.split('|').map(str::to_owned).collect()),
    }
}

/// Checks one reply.
#[derive(Debug)]
pub(crate) struct Guard {
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
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    No,
    /// It matches as far as it goes.
    Perhaps,
    Yes,
}

impl Guard {
    /// A guard that says `instead` in the place of the first forbidden sentence.
    pub(crate) fn new(instead: &str) -> Self {
        Self {
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
        self.held.clear();
        self.cutting = false;
        out
    }

    fn release(&mut self, ended: bool) -> String {
        let mut out = String::new();
        loop {
            if self.cutting {
                let Some(end) = sentence_end(&self.held, ended) else {
                    // The dot is judged by what follows it.
                    let kept = self.held.len() - usize::from(self.held.ends_with('.'));
                    self.held.drain(..kept);
                    return out;
                };
                self.held.drain(..end);
                self.cutting = false;
            }
            let words = words(&self.held);
            let found = (0..words.len()).find_map(|start| {
                let matched = PATTERNS
                    .iter()
                    .map(|pattern| matches(pattern, &words[start..], &self.held, ended));
                let best = matched.max_by_key(|matched| *matched as u8).unwrap_or(Match::No);
                (best != Match::No).then_some((words[start].place.start, best))
            });
            match found {
                None => {
                    out.push_str(&std::mem::take(&mut self.held));
                    return out;
                }
                Some((start, Match::Yes)) => {
                    out.push_str(self.held[..start].trim_end());
                    out.push('…');
                    if !self.instead.is_empty() {
                        out.push(' ');
                        out.push_str(&std::mem::take(&mut self.instead));
                    }
                    self.held.drain(..start);
                    self.cutting = true;
                }
                Some((start, _)) => {
                    out.extend(self.held.drain(..start));
                    return out;
                }
            }
        }
    }
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
            _ => words.push(Word {
                place: at..end,
                number,
            }),
        }
    }
    words
}

fn matches(pattern: &[Element], words: &[Word], text: &str, ended: bool) -> Match {
    for (index, element) in pattern.iter().enumerate() {
        let Some(word) = words.get(index) else {
            let last = words.last().map_or(0, |word| word.place.end);
            return if ended || !is_gap(&text[last..]) {
                Match::No
            } else {
                Match::Perhaps
            };
        };
        if index > 0 && !is_gap(&text[words[index - 1].place.end..word.place.start]) {
            return Match::No;
        }
        let open = word.place.end == text.len() && !ended;
        let said = text[word.place.clone()].to_lowercase();
        match element {
            Element::Number if !word.number => return Match::No,
            Element::Number => {}
            Element::Word(_) if word.number => return Match::No,
            Element::Word(words) if open => {
                let begins = words.iter().any(|word| word.starts_with(&said));
                return if begins { Match::Perhaps } else { Match::No };
            }
            Element::Word(words) if !words.contains(&said) => return Match::No,
            Element::Word(_) => {}
        }
    }
    Match::Yes
}

/// Whether two words with this between them stand together.
fn is_gap(between: &str) -> bool {
    between
        .chars()
        .all(|character| character == '-' || (character.is_whitespace() && character != '\n'))
}

#[cfg(test)]
mod tests {
    use super::{Guard, PATTERNS};

    fn said(pieces: &[&str]) -> (Vec<String>, String) {
        let mut guard = Guard::new("Ask a doctor.");
        let mut out: Vec<String> = pieces.iter().map(|piece| guard.next(piece)).collect();
        out.push(guard.end());
        let whole = out.concat();
        (out, whole)
    }

    #[test]
    fn doses_and_diagnoses_are_left_out_however_they_are_cut() {
        assert!(!PATTERNS.is_empty());
        let text = "Hello. Take ibuprofen 400 mg every 4.5 hours, or 2 tablets. Then rest!";
        let expected = "Hello. Take ibuprofen… Ask a doctor. Then rest!";
        assert_eq!(said(&[text]).1, expected);
        let characters: Vec<String> = text.chars().map(String::from).collect();
        let characters: Vec<&str> = characters.iter().map(String::as_str).collect();
        assert_eq!(
            said(&characters).1.replace(" …", "…"),
            expected,
            "the space is out by then"
        );
        for dose in [
            "Nehmen Sie 2 Tabletten",
            "günde 2 hap alın",
            "خذ 500 ملغ",
            "take 1,000mg",
            "take two pills",
            "You probably have an infection",
        ] {
            assert!(said(&[dose]).1.contains("Ask a doctor."), "{dose}");
        }
    }

    #[test]
    fn other_numbers_pass_and_other_words_do_not_even_wait() {
        let fine = "Prices start from €1,900; it takes 6 to 8 hours, and 2-3 days. You can call 112. Two specialists.";
        assert_eq!(said(&[fine]).1, fine);
        let (pieces, _) = said(&["Hello", " there", ", from", " 400", " euros"]);
        assert_eq!(pieces, ["Hello", " there", ", from", " ", "400 euros", ""]);
    }
}
