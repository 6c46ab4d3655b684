//! In which language a reply is: by its script, or by the small words that each language has and the others have not.

const WORDS: [(&str, &[&str]); 3] = [
    (
        "en",
        &[
            "the", "is", "you", "your", "i", "we", "for", "to", "and", "of", "it", "or", "with", "what",
            "can", "are", "have", "which", "thank", "when", "how", "at",
        ],
    ),
    (
        "tr",
        &[
            "bir",
            "ve",
            "için",
            "ile",
            "mi",
            "mı",
            "mu",
            "mü",
            "bu",
            "size",
            "sizi",
            "ne",
            "hangi",
            "musunuz",
            "misiniz",
            "mısınız",
            "var",
            "lütfen",
            "veya",
            "ederim",
            "günü",
            "ya",
            "da",
            "de",
            "teşekkürler",
            "olarak",
            "size",
            "adınızı",
            "not",
            "ettim",
        ],
    ),
    (
        "de",
        &[
            "die", "der", "das", "sie", "ist", "ich", "und", "für", "wir", "ihre", "ihr", "ihnen", "ein",
            "eine", "mit", "oder", "zu", "was", "wie", "wann", "nicht", "habe", "haben", "von", "den",
            "dank", "gern",
        ],
    ),
];

/// The tag of the language; `None` where the text does not tell.
#[must_use]
pub fn of(text: &str) -> Option<&'static str> {
    let letters = text.chars().filter(|character| character.is_alphabetic());
    let (all, arabic) = letters.fold((0, 0), |(all, arabic), letter| {
        (
            all + 1,
            arabic + usize::from(('\u{0600}'..='\u{06ff}').contains(&letter)),
        )
    });
    if arabic * 2 > all {
        return Some("ar");
    }
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|character: char| !character.is_alphabetic()).collect();
    let mut counted =
        WORDS.map(|(tag, known)| (words.iter().filter(|word| known.contains(word)).count(), tag));
    counted.sort_unstable();
    let [.., (second, _), (first, tag)] = counted;
    (first > second).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_reply_tells_its_language_also_with_foreign_names_in_it() {
        for (text, expected) in [
            ("Thank you, محمد. Which treatment is it about?", Some("en")),
            ("Vielen Dank, Şükrü. Wann passt es Ihnen?", Some("de")),
            ("Teşekkür ederim, Hans. Size nasıl ulaşabiliriz?", Some("tr")),
            ("شكراً، Anna. متى يناسبك؟", Some("ar")),
            ("€1,900", None),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }
}
