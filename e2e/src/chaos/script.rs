//! What visitors say: each conversation with a word that nobody else knows.

use rand::RngExt;
use rand::rngs::StdRng;

/// How each visitor's own word begins.
const TOKEN: &str = "Tok";

/// Pairs of a vowel and a consonant after that: what cannot be said is not taken for a name.
const SYLLABLES: usize = 5;

/// How a visitor writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Waits for each reply, and books a consultation.
    Polite,
    /// Writes the next message before the last one is answered, here and there.
    Hasty,
}

/// One conversation, before it is held.
#[derive(Clone, Debug)]
pub struct Script {
    /// The visitor's own word: a name, as far as the agent is concerned.
    pub token: String,
    /// How it is said.
    pub manner: Manner,
    /// What is said, in order.
    pub lines: Vec<String>,
    /// Consultations that it leads to, if every line is answered.
    pub consultations: i64,
}

/// A conversation of the lane `lane`, the `number`th there: one in two is hasty.
pub fn write(rng: &mut StdRng) -> Script {
    let mut one_of = |letters: &[u8]| char::from(letters[rng.random_range(0..letters.len())]);
    let syllables = (0..SYLLABLES).flat_map(|_| [one_of(b"aeiou"), one_of(b"bdfgklmnprstvz")]);
    let token = format!("{TOKEN}{}", syllables.collect::<String>());
    if rng.random_ratio(1, 2) {
        let lines = [
            format!("Hello, my name is Jane {token}"),
            "What are your opening hours?".to_owned(),
            format!("What does a hair transplant cost? ({token})"),
            "Which treatments do you offer?".to_owned(),
            format!("Where are you? It is {token} who asks"),
            "Thank you".to_owned(),
        ];
        return Script {
            token,
            manner: Manner::Hasty,
            lines: lines.into(),
            consultations: 0,
        };
    }
    let lines = [
        "Hello".to_owned(),
        format!(
            "My name is Jane {token} and I need help with hair transplant, call me on +44 20 7946 0958 next Tuesday afternoon"
        ),
        "yes".to_owned(),
        "yes".to_owned(),
        "What are your opening hours?".to_owned(),
        "Thank you".to_owned(),
    ];
    Script {
        token,
        manner: Manner::Polite,
        lines: lines.into(),
        consultations: 1,
    }
}

/// The words of visitors in a text, as they were written or in lower case.
pub fn tokens(text: &str) -> impl Iterator<Item = String> {
    let text = text.to_lowercase();
    let begins: Vec<_> = text
        .match_indices(&TOKEN.to_lowercase())
        .map(|(at, _)| at)
        .collect();
    begins.into_iter().filter_map(move |at| {
        let word = text.get(at..at + TOKEN.len() + 2 * SYLLABLES)?;
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase())
            .then(|| word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_visitors_word_is_found_wherever_it_is_said() {
        let token = write(&mut StdRng::seed_from_u64(1)).token;
        let text = format!(
            "Tokyo, {token}! Write to {}@example.com. Tok",
            token.to_lowercase()
        );
        let found: Vec<_> = tokens(&text).collect();
        assert_eq!(found, [token.to_lowercase(), token.to_lowercase()]);
    }
}
