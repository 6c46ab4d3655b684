//! A visitor's text as words: cleaned of what must not be stored or echoed, with the breaks between the words.

/// What stands between a word and the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gap {
    /// Nothing that divides.
    Space,
    /// A comma, a colon, a bracket, a dash.
    Comma,
    /// The end of a sentence, of a line, or of the text.
    Stop,
    /// A question mark.
    Question,
}

impl Gap {
    /// Whether a sentence ends here.
    pub(crate) fn ends_sentence(self) -> bool {
        self >= Gap::Stop
    }
}

/// A word with its place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// In lower case.
    pub(crate) word: String,
    /// Byte offset of its first character.
    pub(crate) start: usize,
    /// Byte offset behind its last character.
    pub(crate) end: usize,
    /// What follows it.
    pub(crate) gap: Gap,
}

/// A text and its words.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    /// The cleaned text.
    pub(crate) raw: String,
    /// Its words.
    pub(crate) tokens: Vec<Token>,
}

impl Text {
    /// Cleans `raw` and splits it.
    pub(crate) fn new(raw: &str) -> Self {
        let raw = clean(raw);
        let tokens = tokenise(&raw);
        Self { raw, tokens }
    }

    /// The text of some words as the visitor wrote it.
    pub(crate) fn slice(&self, tokens: &[Token]) -> &str {
        match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => &self.raw[first.start..last.end],
            _ => "",
        }
    }

    /// In which line of the text a word stands, counted from zero.
    pub(crate) fn line(&self, token: &Token) -> usize {
        self.raw[..token.start].matches('\n').count()
    }

    /// The words of each sentence.
    pub(crate) fn sentences(&self) -> impl Iterator<Item = &[Token]> {
        self.tokens.split_inclusive(|token| token.gap.ends_sentence())
    }
}

/// Whether a character is a control character, or a zero-width or bidirectional one that could make a text look like another one.
pub(crate) fn is_invisible(c: char) -> bool {
    let zero_width = matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{061c}');
    zero_width || c.is_control()
}

/// Drops control and invisible characters, and brings quotes, dashes and digits into one form.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' => Some('\n'),
            // Tabs and the like divide words; NBSP and its kind do so, too.
            c if c.is_whitespace() => Some(' '),
            c if is_invisible(c) => None,
            '\u{2018}' | '\u{2019}' | '\u{02bc}' | '`' | '\u{00b4}' => Some('\''),
            '\u{201c}' | '\u{201d}' => Some('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
            '\u{0660}'..='\u{0669}' => char::from_digit(c as u32 - 0x0660, 10),
            '\u{06f0}'..='\u{06f9}' => char::from_digit(c as u32 - 0x06f0, 10),
            c => Some(c),
        })
        .collect()
}

fn tokenise(raw: &str) -> Vec<Token> {
    let chars: Vec<(usize, char)> = raw.char_indices().collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if !is_word(chars[at].1) {
            divide(tokens.last_mut(), &chars, at);
            at += 1;
            continue;
        }
        let from = at;
        while at < chars.len() && (is_word(chars[at].1) || joins(&chars, at)) {
            at += 1;
        }
        let end = chars.get(at).map_or(raw.len(), |(offset, _)| *offset);
        let start = chars[from].0;
        tokens.push(Token {
            word: raw[start..end].to_lowercase(),
            start,
            end,
            gap: Gap::Space,
        });
    }
    if let Some(last) = tokens.last_mut() {
        last.gap = last.gap.max(Gap::Stop);
    }
    tokens
}

/// Lets the character at `at`, which belongs to no word, widen the gap behind the last word.
fn divide(last: Option<&mut Token>, chars: &[(usize, char)], at: usize) {
    let Some(last) = last else { return };
    let gap = match chars[at].1 {
        '?' | '؟' => Gap::Question,
        // "Dr. Smith", "e.g. this"
        '.' if matches!(last.word.as_str(), "dr" | "mr" | "mrs" | "ms" | "prof" | "st") => Gap::Space,
        '.' | '!' | ';' | '\n' | '…' | '。' | '؛' => Gap::Stop,
        ',' | ':' | '(' | ')' | '[' | ']' | '"' | '،' | '/' | '|' | '<' | '>' => Gap::Comma,
        // A dash between words, not a hyphen within one.
        '-' if at > 0 && chars[at - 1].1 == ' ' => Gap::Comma,
        _ => Gap::Space,
    };
    last.gap = last.gap.max(gap);
}

fn is_word(c: char) -> bool {
    // The second range holds the combining accents, which belong to the letter before them.
    c.is_alphanumeric() || ('\u{0300}'..='\u{036f}').contains(&c) || c == '\u{200c}' || c == '\u{200d}'
}

/// Whether the character at `at` joins its neighbours to one word: "O'Brien", "Anne-Marie", "14:30", "12/05".
fn joins(chars: &[(usize, char)], at: usize) -> bool {
    let (Some((_, before)), Some((_, after))) =
        (at.checked_sub(1).and_then(|i| chars.get(i)), chars.get(at + 1))
    else {
        return false;
    };
    match chars[at].1 {
        '\'' | '-' => is_word(*before) && is_word(*after),
        ':' | '/' | '.' => before.is_ascii_digit() && after.is_ascii_digit(),
        _ => false,
    }
}

/// Cuts `text` to at most `max` characters and puts its white space in order: what may be echoed or stored.
pub(crate) fn tidy(text: &str, max: usize) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    match out.char_indices().nth(max) {
        Some((end, _)) => out[..end].trim_end().to_owned(),
        None => out,
    }
}

#[cfg(test)]
mod tests {
    use super::{Gap, Text, clean, tidy};

    #[test]
    fn words_keep_their_inner_marks_and_know_what_follows() {
        let text = Text::new("I\u{2019}m Anne-Marie O'Brien, at 14:30 on 12/05.\nReally? Dr. No - yes");
        let words: Vec<_> = text.tokens.iter().map(|t| t.word.as_str()).collect();
        let expected = "i'm anne-marie o'brien at 14:30 on 12/05 really dr no yes";
        assert_eq!(words, expected.split(' ').collect::<Vec<_>>());
        let gaps: Vec<_> = text.tokens.iter().map(|t| t.gap).collect();
        use Gap::{Comma, Question, Space, Stop};
        assert_eq!(
            gaps,
            [
                Space, Space, Comma, Space, Space, Space, Stop, Question, Space, Comma, Stop
            ]
        );
    }

    #[test]
    fn what_must_not_be_echoed_is_gone() {
        assert_eq!(clean("a\u{0}b\u{202e}c\u{7}\td\u{a0}e\u{feff}"), "abc d e");
        assert_eq!(clean("٠٥٣٢"), "0532");
        assert_eq!(tidy("  many   spaces\nhere  ", 11), "many spaces");
    }

    #[test]
    fn every_text_can_be_split() {
        for text in ["", "😀😀", "'", "-", "..", "é", "?!", "İstanbul", "a\u{301}b"] {
            let text = Text::new(text);
            for token in &text.tokens {
                assert!(!text.raw[token.start..token.end].is_empty());
            }
        }
    }
}
