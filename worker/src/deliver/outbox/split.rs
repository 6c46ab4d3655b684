//! Splitting a text that is too long for one message: at a paragraph, a line, a sentence, a word; never within what a reader
//! sees as one character.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// What marks may take that are closed at the end of a part and opened again in the next: all of them at once.
const MARKS: usize = 6;

/// A text's length as the strictest of those who count it does: in units of UTF-16.
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The text in parts of `limit` [`units`] at most, in their order, without the white space at which it was cut.
pub fn split(text: &str, limit: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim().to_owned();
    while units(&rest) > limit {
        let (part, next) = cut(&rest, limit);
        parts.push(part);
        rest = next;
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// How good a place is to cut at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Word,
    Sentence,
    Line,
    Paragraph,
}

const BEST_FIRST: [Place; 4] = [Place::Paragraph, Place::Line, Place::Sentence, Place::Word];

/// The first part, and what follows it.
fn cut(text: &str, limit: usize) -> (String, String) {
    let spans = spans(text);
    let fits = fitting(text, limit);
    let places = places(text, fits);
    let outside: Vec<_> = places
        .iter()
        .copied()
        .filter(|(at, _)| !spans.iter().any(|span| span.is_within(*at)))
        .collect();
    if let Some(at) = best(&outside, fits) {
        return (
            text[..at].trim_end().to_owned(),
            text[at..].trim_start().to_owned(),
        );
    }
    // Within a mark, which is closed here and opened again.
    let fits = fitting(text, limit.saturating_sub(MARKS).max(1));
    let inside: Vec<_> = places.into_iter().filter(|(at, _)| *at <= fits).collect();
    let at = best(&inside, fits).unwrap_or(fits);
    let around: Vec<&str> = spans
        .iter()
        .filter(|span| span.is_within(at))
        .map(|span| span.mark)
        .collect();
    let (closed, opened) = (around.iter().rev().copied().collect::<String>(), around.concat());
    let (part, rest) = (text[..at].trim_end(), text[at..].trim_start());
    // Marks that enclose next to nothing are not worth it, and would be opened again for ever.
    if part.len() <= 2 * opened.len() || rest.len() + opened.len() >= text.len() {
        let at = fitting(text, limit);
        return (text[..at].to_owned(), text[at..].trim_start().to_owned());
    }
    (format!("{part}{closed}"), format!("{opened}{rest}"))
}

/// The last of the best places that does not leave a part half empty; else the last of the best ones.
fn best(places: &[(usize, Place)], fits: usize) -> Option<usize> {
    let last_of = |place: Place, from: usize| {
        let mut of_it = places
            .iter()
            .rev()
            .filter(|(at, found)| *found >= place && *at >= from);
        of_it.next().map(|(at, _)| *at)
    };
    [fits / 2, 1]
        .into_iter()
        .find_map(|from| BEST_FIRST.into_iter().find_map(|place| last_of(place, from)))
}

/// The largest end of a grapheme that leaves the text before it within `limit`; at least one character.
fn fitting(text: &str, limit: usize) -> usize {
    let up_to = |ends: &mut dyn Iterator<Item = (usize, &str)>| {
        let mut taken = 0;
        ends.map(|(at, piece)| {
            taken += units(piece);
            (at + piece.len(), taken)
        })
        .take_while(|(_, taken)| *taken <= limit)
        .last()
        .map(|(end, _)| end)
    };
    up_to(&mut text.grapheme_indices(true))
        // One grapheme of thousands of accents: nobody can read it anyway.
        .or_else(|| {
            up_to(
                &mut text
                    .char_indices()
                    .map(|(at, c)| (at, &text[at..at + c.len_utf8()])),
            )
        })
        .unwrap_or_else(|| text.chars().next().map_or(0, char::len_utf8))
}

/// Where white space begins, up to `fits`, or a sentence ends that needs none.
fn places(text: &str, fits: usize) -> Vec<(usize, Place)> {
    let mut places = Vec::new();
    let mut before: Option<char> = None;
    for (at, c) in text.char_indices().take_while(|(at, _)| *at <= fits) {
        let Some(last) = before.replace(c) else { continue };
        if c.is_whitespace() && !last.is_whitespace() {
            let rest = &text[at..];
            let space = &rest[..rest.len() - rest.trim_start().len()];
            places.push((
                at,
                match space.matches('\n').count() {
                    0 if ends_sentence(&text[..at]) => Place::Sentence,
                    0 => Place::Word,
                    1 => Place::Line,
                    _ => Place::Paragraph,
                },
            ));
        } else if "。！？".contains(last) && !"。！？」』）".contains(c) {
            places.push((at, Place::Sentence));
        }
    }
    places
}

fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '\'', '”', '’', '»', ')', ']', '*', '_', '~', '`'])
        .ends_with(['.', '!', '?', '…', ':', ';', '؟', '۔', '।', '。', '！', '？'])
}

/// What a pair of marks encloses, the marks included.
struct Span {
    range: Range<usize>,
    mark: &'static str,
}

impl Span {
    fn is_within(&self, at: usize) -> bool {
        self.range.start < at && at < self.range.end
    }
}

/// All pairs of marks, outer ones first.
fn spans(text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if let Some(code) = rest.strip_prefix("```")
            && let Some(length) = code.find("```")
        {
            let end = at + 3 + length + 3;
            spans.push(Span {
                range: at..end,
                mark: "```",
            });
            at = end;
            continue;
        }
        let mark = match c {
            '*' => "*",
            '_' => "_",
            '~' => "~",
            '`' => "`",
            _ => "",
        };
        let closes = spans
            .iter()
            .any(|span| span.mark == mark && span.range.end == at + c.len_utf8());
        let before = text[..at].chars().next_back();
        let opens = !mark.is_empty() && !closes && !before.is_some_and(char::is_alphanumeric);
        if opens && let Some(end) = closing(rest, c).map(|end| at + end) {
            spans.push(Span { range: at..end, mark });
            if c == '`' {
                at = end;
                continue;
            }
        }
        at += c.len_utf8();
    }
    spans
}

/// Where the pair ends that `rest` begins with.
fn closing(rest: &str, mark: char) -> Option<usize> {
    let line = rest.split('\n').next().unwrap_or_default();
    let mut before = mark;
    for (at, c) in line.char_indices().skip(1) {
        let next = line[at + c.len_utf8()..].chars().next();
        if c == mark
            && at > 1
            && !before.is_whitespace()
            && !next.is_some_and(|next| next.is_alphanumeric() || next == mark)
        {
            return Some(at + c.len_utf8());
        }
        if at == 1 && (c.is_whitespace() || c == mark) {
            return None;
        }
        before = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn it_cuts_at_a_paragraph_then_a_line_a_sentence_a_word() {
        for (text, limit, parts) in [
            (
                "One two three.\n\nFour. Five",
                20,
                ["One two three.", "Four. Five"],
            ),
            (
                "First line here\nsecond. More",
                24,
                ["First line here", "second. More"],
            ),
            (
                "One sentence here. Another one",
                24,
                ["One sentence here.", "Another one"],
            ),
            (
                "nothing but a few words in a row",
                24,
                ["nothing but a few words", "in a row"],
            ),
            // A paragraph so short would leave the part nearly empty.
            (
                "Hi.\n\nThis one is a longer one",
                24,
                ["Hi.\n\nThis one is a", "longer one"],
            ),
            (
                "abcdefghijklmnopqrstuvwxyz",
                20,
                ["abcdefghijklmn", "opqrstuvwxyz"],
            ),
        ] {
            assert_eq!(split(text, limit), parts, "{text}");
        }
    }

    #[test]
    fn neither_a_grapheme_nor_a_mark_is_torn() {
        // A family is 11 units and one grapheme; a flag is four.
        let family = "👨‍👩‍👧‍👦";
        let parts = split(&family.repeat(5), 25);
        assert!(
            parts.iter().all(|part| part.replace(family, "").is_empty()),
            "{parts:?}"
        );
        assert_eq!(parts.concat(), family.repeat(5));

        assert_eq!(
            split("some words *and four bold ones* then more", 30),
            ["some words", "*and four bold ones* then more"]
        );
        // Where it has to be, the mark is closed and opened again.
        let parts = split("*one two three four five six seven eight nine ten*", 30);
        assert_eq!(parts, ["*one two three four five*", "*six seven eight nine ten*"]);
        let parts = split("```\nline one\nline two\nline three\n```", 28);
        assert_eq!(parts, ["```\nline one\nline two```", "```line three\n```"]);
    }

    #[test]
    fn nothing_is_lost_and_every_part_fits_whatever_the_text() {
        let pieces = [
            "word",
            "a",
            "é",
            "👨‍👩‍👧",
            "🇹🇷",
            "العربية",
            "。",
            "* ",
            "_",
            "*b*",
            " ",
            "\n",
            "\n\n",
            ". ",
            "e\u{301}\u{302}",
            "https://a.example/long/path",
            "~x",
            "12",
            "! ",
            "`c`",
            "```",
        ];
        let mut random = StdRng::seed_from_u64(7);
        for round in 0..600 {
            let text: String = (0..random.random_range(0..120))
                .map(|_| pieces[random.random_range(0..pieces.len())])
                .collect();
            let limit = random.random_range(16..90);
            let parts = split(&text, limit);
            for part in &parts {
                assert!(
                    !part.trim().is_empty() && units(part) <= limit,
                    "{round}: {part:?} of {limit}"
                );
            }
            // But for white space and marks, which may be closed and opened again.
            let bare = |text: &str| text.replace(|c: char| c.is_whitespace() || "*_~`".contains(c), "");
            assert_eq!(bare(&parts.concat()), bare(&text), "{round}");
        }
    }
}
