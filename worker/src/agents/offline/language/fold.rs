//! One form for words that are written in several ways: "sac ekimi" is "saç ekimi", "moechte" is "möchte", "والشعر" is "شعر".
//!
//! Texts and lexicons go through the same folding, so it may be coarse; what a visitor wrote is echoed and stored as it
//! is. English is not folded.

use std::borrow::Cow;

/// Arabic words that an article tells from others: "today" from "day", "Sunday" and "Monday" from "one" and "two".
const WITH_ARTICLE: [&str; 3] = ["اليوم", "الاحد", "الاثنين"];

/// Whether the words of a language are folded.
pub(crate) fn folds(tag: &str) -> bool {
    tag != "en"
}

/// Folds every word of `text`, which is in lower case; what stands between the words stays.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains('\'') && !has_digraph(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !is_letter(c)).unwrap_or(rest.len());
        if end == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let word = &rest[..end];
        out.push_str(&fold_word(word));
        rest = without_ending(word, &rest[end..]);
    }
    Cow::Owned(out)
}

/// Whether a text has what stands for an umlaut where there is no key for it.
fn has_digraph(text: &str) -> bool {
    let pairs = text.as_bytes().windows(2);
    pairs
        .into_iter()
        .any(|pair| pair[1] == b'e' && matches!(pair[0], b'a' | b'o' | b'u'))
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || ('\u{0300}'..='\u{036f}').contains(&c)
}

/// "İstanbul'da", "geht's": the ending goes; not that of a number, which says what it is, nor of a name as "O'Neill".
fn without_ending<'a>(word: &str, rest: &'a str) -> &'a str {
    let ends = word.chars().count() >= 3 && !word.ends_with(|c: char| c.is_ascii_digit());
    match rest.strip_prefix('\'').filter(|_| ends) {
        Some(behind) => match behind.find(|c| !is_letter(c)).unwrap_or(behind.len()) {
            0 => rest,
            end => &behind[end..],
        },
        None => rest,
    }
}

fn fold_word(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            'ä' | 'à' | 'á' | 'â' => folded.push('a'),
            'ö' | 'ó' | 'ô' => folded.push('o'),
            'ü' | 'ú' | 'û' => folded.push('u'),
            'é' | 'è' => folded.push('e'),
            'ı' | 'î' => folded.push('i'),
            'ş' => folded.push('s'),
            'ç' => folded.push('c'),
            'ğ' => folded.push('g'),
            'ß' => folded.push_str("ss"),
            'أ' | 'إ' | 'آ' | 'ٱ' => folded.push('ا'),
            'ة' => folded.push('ه'),
            'ؤ' => folded.push('و'),
            'ئ' => folded.push('ي'),
            // Accents on their own, Arabic vowel signs, and the stroke that only makes a word longer.
            '\u{0300}'..='\u{036f}' | '\u{064b}'..='\u{0652}' | '\u{0670}' | '\u{0640}' => {}
            c => folded.push(c),
        }
    }
    if folded.chars().next().is_some_and(is_arabic) {
        return without_prefix(&folded).to_owned();
    }
    if !has_digraph(&folded) {
        return folded;
    }
    folded.replace("ae", "a").replace("oe", "o").replace("ue", "u")
}

/// An Arabic word without "and", "the", "for the" and "with the" at its front.
fn without_prefix(word: &str) -> &str {
    let length = |word: &str| word.chars().count();
    let word = match word.strip_prefix('و') {
        // Of the short ones only "and not", which turns around what follows as "not" does.
        Some(behind) if length(word) >= 5 || matches!(behind, "لا" | "ما" | "مش") => behind,
        _ => word,
    };
    if WITH_ARTICLE.contains(&word) {
        return word;
    }
    [("بال", 6), ("لل", 5), ("ال", 5)]
        .into_iter()
        .filter(|(_, least)| length(word) >= *least)
        .find_map(|(prefix, _)| word.strip_prefix(prefix))
        .unwrap_or(word)
}

/// Whether a character belongs to the Arabic script.
pub(crate) fn is_arabic(c: char) -> bool {
    matches!(c, '\u{0600}'..='\u{06ff}' | '\u{0750}'..='\u{077f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn ways_to_write_a_word_become_one() {
        for (one, other) in [
            ("saç ekimi istiyorum", "sac ekimi istiyorum"),
            ("i\u{307}stanbul'da", "istanbul"),
            ("ağrı", "agri"),
            ("möchte", "moechte"),
            ("möchte", "mo\u{308}chte"),
            ("straße", "strasse"),
            ("geht's", "geht"),
            ("غداً", "غدا"),
            ("أريد", "اريد"),
            ("زراعة الشعر", "زراعه شعر"),
            ("والشعر", "شعر"),
            ("للأسنان", "اسنان"),
            ("ولا", "لا"),
            ("شـــكرا", "شكرا"),
        ] {
            assert_eq!(fold(one), fold(other), "{one}");
        }
        for (one, other) in [
            ("اليوم", "يوم"),
            ("الأحد", "واحد"),
            ("الاثنين", "اثنين"),
            ("على", "علي"),
            ("3'te", "3"),
        ] {
            assert_ne!(fold(one), fold(other), "{one}");
        }
        assert_eq!(fold("^nein|doch_nicht * 3'te?"), "^nein|doch_nicht * 3'te?");
        assert_eq!(fold("o'neill"), "o'neill");
    }
}
