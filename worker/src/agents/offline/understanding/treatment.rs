//! Treatments: the clinic's by their names and synonyms, others in the visitor's words.

use super::answer::without_filler;
use super::text::{Gap, Text, Token, tidy};
use super::vocabulary::{Name, Vocabulary};
use super::when;
use crate::agents::offline::language::Lexicon;

/// How much of a visitor's own words is taken, in characters and in words.
const MAX_CHARS: usize = 60;
const MAX_WORDS: usize = 6;

/// Words of so many letters are not read with slips of the pen in them, and none with more than so many.
const SHORT: usize = 6;
const MAX_SLIPS: usize = 2;

/// A treatment of the clinic in a text: which, and which words name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// Its place in `clinic.toml`.
    pub(crate) index: usize,
    /// The first word.
    pub(crate) start: usize,
    /// Behind the last word.
    pub(crate) end: usize,
    /// Whether the visitor says that it is not wanted: "not implants".
    pub(crate) refused: bool,
}

/// The clinic's treatments that `tokens` name, in order.
pub(crate) fn mentions(tokens: &[Token], words: &Vocabulary<'_>, lexicon: &Lexicon) -> Vec<Mention> {
    let names = &words.treatments;
    let mut found: Vec<Mention> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let longest = names
            .iter()
            .filter(|(_, name)| reads(&tokens[at..], name))
            .max_by_key(|(_, name)| name.len())
            .map(|(index, name)| (*index, at + name.len()));
        let other = at > 0
            && tokens[at - 1].gap == Gap::Space
            && lexicon.treatments.other.contains(&tokens[at - 1].word);
        let Some((index, end)) = longest.filter(|_| !other) else {
            at += 1;
            continue;
        };
        let from = tokens[..at]
            .iter()
            .rposition(|token| token.gap != Gap::Space)
            .map_or(0, |before| before + 1);
        let refused = lexicon
            .treatments
            .not
            .all(&tokens[from..at])
            .last()
            .is_some_and(|not| at - from - not.end <= 2)
            || tokens[end - 1].gap == Gap::Space && lexicon.treatments.not_behind.at(tokens, end).is_some();
        found.push(Mention {
            index,
            start: at,
            end,
            refused,
        });
        at = end;
    }
    found
}

fn reads(tokens: &[Token], name: &[Name]) -> bool {
    let Some(here) = tokens.get(..name.len()) else {
        return false;
    };
    let named = name.iter().zip(here).all(|(name, token)| same(&token.word, name));
    named && here.iter().rev().skip(1).all(|token| token.gap == Gap::Space)
}

/// The same word, or one with a slip of the pen in it.
fn same(word: &str, name: &Name) -> bool {
    if name.open {
        return word.starts_with(&name.word);
    }
    if word == name.word {
        return true;
    }
    // A letter has four bytes at most: what is that much longer has other letters, too.
    if name.chars <= SHORT || word.len().abs_diff(name.word.len()) > 4 * MAX_SLIPS {
        return false;
    }
    let chars = word.chars().count();
    let slips = match chars.min(name.chars) {
        0..=SHORT => return false,
        7..=9 => 1,
        _ => MAX_SLIPS,
    };
    chars.abs_diff(name.chars) <= slips && distance(word, &name.word) <= slips
}

/// How many letters differ (Levenshtein).
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// A treatment that the clinic does not list, where the text says that one is wanted: "help with a knee replacement".
pub(crate) fn wanted(text: &Text, tokens: &[Token], lexicon: &Lexicon) -> Option<String> {
    lexicon
        .treatments
        .wants
        .all(tokens)
        .into_iter()
        .find_map(|found| {
            let goes_on = tokens[found.end - 1].gap == Gap::Space;
            let from = found.start.saturating_sub(2);
            let refused = lexicon.treatments.not.any(&tokens[from..found.end]);
            (goes_on && !refused)
                .then(|| own_words(text, &tokens[found.end..], lexicon))
                .flatten()
                .filter(|words| !is_time(words, text, &tokens[found.end..], lexicon))
        })
        .or_else(|| wanted_before(text, tokens, lexicon))
}

/// Whether `words`, found in `tokens`, are a time: "I'd rather have the day after tomorrow" names no treatment.
fn is_time(words: &str, text: &Text, tokens: &[Token], lexicon: &Lexicon) -> bool {
    when::find(text, tokens, &lexicon.when).is_some_and(|when| when.words.contains(words))
}

/// The same in a language where the verb stands behind: "diz protezi istiyorum".
fn wanted_before(text: &Text, tokens: &[Token], lexicon: &Lexicon) -> Option<String> {
    let words = &lexicon.treatments;
    words.wants_behind.all(tokens).into_iter().find_map(|found| {
        let before = &tokens[..found.start];
        let from = before
            .iter()
            .rposition(|token| token.gap != Gap::Space || words.ends.contains(&token.word))
            .map_or(0, |at| at + 1);
        let end = before[from..]
            .iter()
            .rposition(|token| !words.generic.contains(&token.word))
            .map_or(from, |at| from + at + 1);
        let near = found.start.saturating_sub(end) <= 2 && end - from <= MAX_WORDS;
        let time = when::find(text, &before[from..], &lexicon.when).is_some();
        (near && !time)
            .then(|| own_words(text, without_filler(&before[from..end], lexicon), lexicon))
            .flatten()
    })
}

/// The name of a treatment at the start of `tokens`, in the visitor's words; `None` where it names nothing.
pub(crate) fn own_words(text: &Text, tokens: &[Token], lexicon: &Lexicon) -> Option<String> {
    let words = &lexicon.treatments;
    let skip = tokens
        .iter()
        .take_while(|token| words.generic.contains(&token.word))
        .count();
    // "a second opinion on my knee": what is said before the thing itself goes; but not over a break.
    let tokens = if tokens[..skip].iter().any(|token| token.gap != Gap::Space) {
        &[]
    } else {
        &tokens[skip..]
    };
    let mut end = 0;
    for token in tokens {
        if words.ends.contains(&token.word) || end == MAX_WORDS {
            break;
        }
        end += 1;
        if token.gap != Gap::Space {
            break;
        }
    }
    let tokens = &tokens[..end];
    let letters = tokens
        .iter()
        .any(|token| token.word.chars().any(char::is_alphabetic));
    let says_something = tokens
        .iter()
        .any(|token| !words.generic.contains(&token.word) && !is_noise(&token.word));
    let link = tokens
        .iter()
        .any(|token| token.word.starts_with("http") || token.word == "www");
    (letters && says_something && !link).then(|| tidy(text.slice(tokens), MAX_CHARS))
}

/// A word that nobody means: "asdfgh", "zzzz".
pub(crate) fn is_noise(word: &str) -> bool {
    if !word.is_ascii() || word.len() < 4 {
        return false;
    }
    let letters: Vec<char> = word.chars().filter(char::is_ascii_alphabetic).collect();
    let vowels = letters.iter().filter(|c| "aeiouy".contains(**c)).count();
    let longest_run = word
        .split(|c| "aeiouy'-".contains(c))
        .map(str::len)
        .max()
        .unwrap_or(0);
    let one_letter = letters.len() > 3 && letters.iter().all(|c| *c == letters[0]);
    let row = ["asdf", "sdfg", "qwer", "zxcv", "hjkl", "dfgh"]
        .iter()
        .any(|row| word.contains(row));
    !letters.is_empty() && (vowels == 0 || longest_run >= 6 || one_letter || row)
}

#[cfg(test)]
mod tests {
    use shared::clinic::Clinic;

    use super::{Text, Vocabulary, distance, is_noise, mentions, wanted};
    use crate::agents::offline::language::english;

    #[test]
    fn the_clinics_treatments_are_known_by_many_names() {
        let clinic = Clinic::shipped();
        let words = Vocabulary::new(&clinic, &english().lexicon);
        let cases = [
            ("I need help with hair transplant", "hair transplant"),
            ("Hair-loss? I am balding", "hair transplant"),
            ("a hair transplent please", "hair transplant"),
            ("a nose job", "rhinoplasty"),
            ("rhinoplsty", "rhinoplasty"),
            ("implants", "dental implants"),
            ("hair implants", "hair transplant"),
            ("I meant veneers, not implants", "dental veneers"),
            ("veneers instead of implants", "dental veneers"),
            ("not the nose job but veneers", "dental veneers"),
            ("hair transplant and rhinoplasty", "hair transplant+rhinoplasty"),
            ("Hollywood smile", "dental veneers"),
            ("knee replacement", ""),
            ("breast implants", ""),
            ("my hair is fine", ""),
        ];
        for (text, expected) in cases {
            let found: Vec<_> = mentions(&Text::new(text).tokens, &words, &english().lexicon)
                .iter()
                .filter(|mention| !mention.refused)
                .map(|mention| clinic.treatments[mention.index].name.clone())
                .collect();
            assert_eq!(found.join("+"), expected, "{text}");
        }
    }

    #[test]
    fn other_treatments_are_taken_in_the_visitors_words() {
        let cases = [
            ("I need help with a knee replacement", Some("knee replacement")),
            (
                "I'd like to book a consultation for Botox and fillers",
                Some("Botox"),
            ),
            ("interested in liposuction next Tuesday", Some("liposuction")),
            ("I want a tummy tuck, please", Some("tummy tuck")),
            ("I need help with my medical consultation", None),
            ("Hello, I want to schedule an appointment", None),
            ("I'd like an online consultation please", None),
            ("I need help", None),
            ("I want to talk to a doctor", None),
            ("I want to know", None),
            ("I'm looking for information", None),
        ];
        for (text, expected) in cases {
            let text = Text::new(text);
            let found = wanted(&text, &text.tokens, &english().lexicon);
            assert_eq!(found.as_deref(), expected, "{}", text.raw);
        }
    }

    #[test]
    fn noise_is_told_from_words() {
        for word in ["asdfgh", "zzzz", "qwertz", "xkcdk", "hhhhh"] {
            assert!(is_noise(word), "{word}");
        }
        for word in ["botox", "knee", "rhythm", "strength", "lipo", "abc", "facelift"] {
            assert!(!is_noise(word), "{word}");
        }
        assert_eq!(
            (
                distance("jon", "john"),
                distance("", "ab"),
                distance("abc", "abc")
            ),
            (1, 2, 0)
        );
    }
}
