//! A model's text as it may be sent and stored.

use crate::agents::offline::joint::is_invisible;

/// Cleans a text that comes in pieces: no invisible characters but line breaks, no white space at its ends.
#[derive(Debug, Default)]
pub(crate) struct Clean {
    /// White space that is not said before something follows it.
    held: String,
    spoke: bool,
}

impl Clean {
    /// Goes on behind a text that was begun, whose first white space counts.
    pub(crate) fn within() -> Self {
        Self {
            spoke: true,
            ..Self::default()
        }
    }

    /// What of the next piece can be said.
    pub(crate) fn next(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len());
        for character in piece.chars() {
            match character {
                '\n' | ' ' | '\t' => {
                    if self.spoke || !out.is_empty() {
                        self.held.push(if character == '\t' { ' ' } else { character });
                    }
                }
                // NUL cannot be stored, others would be read by terminals, or come between the words that the guard looks for.
                character if is_invisible(character) => {}
                character => {
                    out.push_str(&std::mem::take(&mut self.held));
                    out.push(character);
                }
            }
        }
        self.spoke |= !out.is_empty();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Clean;

    #[test]
    fn control_characters_and_outer_white_space_are_gone_and_nothing_else_waits() {
        let mut clean = Clean::default();
        let pieces = [
            "\n ",
            "He\0l",
            "lo",
            " ",
            "\u{1b}[31mthere\r",
            "\n\n",
            "o\u{200b}k\u{7}\u{85}\u{202e}",
            " \n",
        ];
        let said: Vec<String> = pieces.iter().map(|piece| clean.next(piece)).collect();
        assert_eq!(said, ["", "Hel", "lo", "", " [31mthere", "", "\n\nok", ""]);
        assert_eq!(Clean::within().next(" there"), " there");
    }
}
