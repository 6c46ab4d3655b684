//! Telephone numbers and e-mail addresses.

use super::text::tidy;

/// Fewest and most digits of a telephone number, the latter from ITU-T E.164.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// RFC 5321 allows 254 characters; what is longer than this is no address that one reads back.
const MAX_EMAIL: usize = 80;

/// The contacts in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contacts {
    /// The last telephone number, as the visitor wrote it.
    pub(crate) phone: Option<String>,
    /// The last e-mail address.
    pub(crate) email: Option<String>,
    /// What was meant as a contact and is none.
    pub(crate) invalid: Option<Invalid>,
    /// The text with the contacts replaced by commas, of the same length.
    pub(crate) rest: String,
}

/// Why something is no contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// Too few digits.
    Short,
    /// Too many digits.
    Long,
    /// An e-mail address that is not complete.
    Email,
}

impl Contacts {
    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.phone.is_none() && self.email.is_none()
    }
}

/// A piece of text between white space, without the punctuation around it.
struct Chunk<'a> {
    text: &'a str,
    start: usize,
    /// Whether punctuation follows, so that a number cannot go on behind it.
    ends: bool,
}

/// Finds the contacts in a cleaned text.
pub(crate) fn find(raw: &str) -> Contacts {
    let mut found = Contacts {
        rest: raw.to_owned(),
        ..Contacts::default()
    };
    let chunks = chunks(raw);
    let mut at = 0;
    while let Some(chunk) = chunks.get(at) {
        let end = chunk.start + chunk.text.len();
        if chunk.text.contains('@') && chunk.text.len() > 1 {
            if is_email(chunk.text) {
                found.email = Some(chunk.text.to_owned());
            } else {
                found.invalid = Some(Invalid::Email);
            }
            blank(&mut found.rest, chunk.start, end);
            at += 1;
            continue;
        }
        let used = number_parts(&chunks[at..]);
        if used == 0 {
            at += 1;
            continue;
        }
        let last = &chunks[at + used - 1];
        let end = last.start + last.text.len();
        let number = &raw[chunk.start..end];
        match digits(number) {
            count if DIGITS.contains(&count) => found.phone = Some(tidy(number, 40)),
            count if count > *DIGITS.end() => found.invalid = Some(Invalid::Long),
            // "+44" alone was meant as a number, "12" may be anything.
            _ if number.starts_with('+') || number.starts_with("00") => found.invalid = Some(Invalid::Short),
            _ => {
                at += used;
                continue;
            }
        }
        blank(&mut found.rest, chunk.start, end);
        at += used;
    }
    if !found.is_empty() {
        found.invalid = None;
    }
    found
}

/// How many digits a text has.
pub(crate) fn digits(text: &str) -> usize {
    text.chars().filter(char::is_ascii_digit).count()
}

fn chunks(raw: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let mut offset = 0;
    for piece in raw.split_inclusive(char::is_whitespace) {
        let start = offset;
        offset += piece.len();
        let word = piece.trim_end();
        let text = word.trim_start_matches(['<', '"', '[', ':', ',', '\'', '،']);
        let start = start + word.len() - text.len();
        let text = text.trim_end_matches(['.', ',', ';', '!', '?', '>', '"', ']', ':', '\'', '،', '؛', '؟']);
        // "(+44)" is part of a number, "(a@b.c)" is an address in brackets.
        let (text, start) = match text.strip_prefix('(').filter(|text| text.contains('@')) {
            Some(inner) => (inner.trim_end_matches(')'), start + 1),
            None => (text, start),
        };
        if !text.is_empty() {
            let ends = start + text.len() < offset - (piece.len() - word.len()) || piece.ends_with('\n');
            chunks.push(Chunk { text, start, ends });
        }
    }
    chunks
}

/// How many chunks make a number; one that ends is the last. Nothing behind it is looked at: "1, 1, 1, …" is read once.
fn number_parts(chunks: &[Chunk<'_>]) -> usize {
    let mut parts = 0;
    for chunk in chunks.iter().take_while(|chunk| is_number_part(chunk.text)) {
        parts += 1;
        if chunk.ends {
            break;
        }
    }
    parts
}

/// Whether a chunk can be part of a telephone number; dates and times cannot.
fn is_number_part(text: &str) -> bool {
    let allowed = text.chars().all(|c| c.is_ascii_digit() || "+()-./".contains(c));
    let plus_first = text.chars().skip(1).all(|c| c != '+') || text.starts_with("(+");
    allowed && plus_first && (digits(text) > 0 || text == "-") && !is_date(text)
}

fn is_date(text: &str) -> bool {
    ['-', '.', '/'].iter().any(|separator| {
        let lengths: Vec<usize> = text.split(*separator).map(str::len).collect();
        text.chars().all(|c| c.is_ascii_digit() || c == *separator)
            && matches!(
                lengths.as_slice(),
                [4, 1..=2, 1..=2] | [1..=2, 1..=2, 2 | 4] | [1..=2, 1..=2]
            )
    })
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let word = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    let local_fits = !local.is_empty() && local.chars().all(word) && !local.starts_with('.');
    let labels: Vec<&str> = domain.split('.').collect();
    let label = |label: &&str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    let top = labels
        .last()
        .is_some_and(|top| top.chars().count() >= 2 && top.chars().all(char::is_alphabetic));
    text.len() <= MAX_EMAIL && local_fits && labels.len() >= 2 && labels.iter().all(label) && top
}

/// Puts commas over a span, so that the words around it are not read as one phrase.
fn blank(text: &mut String, start: usize, end: usize) {
    text.replace_range(start..end, &",".repeat(end - start));
}

#[cfg(test)]
mod tests {
    use super::{Invalid, find};

    #[test]
    fn numbers_are_found_and_kept_as_written() {
        let cases = [
            ("call me on +44 20 7946 0958 next Tuesday", "+44 20 7946 0958"),
            ("+44 20 7946 0958", "+44 20 7946 0958"),
            ("(0212) 555-01-00.", "(0212) 555-01-00"),
            ("+90 (212) 555 01 00, tomorrow", "+90 (212) 555 01 00"),
            ("my number is 5551234 at 14:30", "5551234"),
            ("0049 151 23456789", "0049 151 23456789"),
            ("212.555.4433", "212.555.4433"),
            ("5551234 5pm", "5551234"),
            ("555 1234, 12/05", "555 1234"),
            ("2027-05-12 14:30 or 0532 123 45 67", "0532 123 45 67"),
            ("tel:+905321234567", "+905321234567"),
        ];
        for (text, phone) in cases {
            let text = text.replace("tel:", "tel: ");
            assert_eq!(find(&text).phone.as_deref(), Some(phone), "{text}");
        }
    }

    #[test]
    fn dates_and_small_numbers_are_no_numbers() {
        for text in [
            "12",
            "2027-05-12 14:30",
            "12.05.2027",
            "12/05",
            "I am 35",
            "at 14:30",
            "",
            "1,900",
            "3-5 days",
        ] {
            let found = find(text);
            assert_eq!((found.phone, found.invalid), (None, None), "{text}");
        }
    }

    #[test]
    fn addresses_are_found_and_broken_ones_named() {
        for (text, email) in [
            ("mail me: jane.doe+x@example.co.uk!", "jane.doe+x@example.co.uk"),
            ("(jane@example.com)", "jane@example.com"),
            ("<jane@example.com>", "jane@example.com"),
        ] {
            assert_eq!(find(text).email.as_deref(), Some(email), "{text}");
        }
        for text in [
            "jane@",
            "jane@example",
            "@example.com",
            "a b@c,d",
            "jane@@example.com",
        ] {
            let found = find(text);
            assert_eq!(
                (found.email, found.invalid),
                (None, Some(Invalid::Email)),
                "{text}"
            );
        }
        assert_eq!(find("+44").invalid, Some(Invalid::Short));
        assert_eq!(find("1234567890123456").invalid, Some(Invalid::Long));
    }

    #[test]
    fn a_number_behind_the_longest_list_is_found() {
        let found = find(&format!("{}+44 20 7946 0958", "1, ".repeat(21_000)));
        assert_eq!(found.phone.as_deref(), Some("+44 20 7946 0958"));
    }

    #[test]
    fn the_rest_has_the_length_of_the_text() {
        let text = "Ali é +44 20 7946 0958 a@b.co ok";
        let rest = find(text).rest;
        assert_eq!(rest.len(), text.len());
        assert!(
            !rest.contains('@') && !rest.contains('4') && rest.ends_with(" ok"),
            "{rest}"
        );
    }
}
