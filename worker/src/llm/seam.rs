//! Where a reply goes on that was cut off: what the model repeats of it is left out.

/// Joins a continuation to the text before it.
#[derive(Debug)]
pub(crate) struct Seam {
    before: String,
    /// The whole sentences of it.
    sentences: Vec<String>,
    /// The beginning of the sentence in which it was cut off; may be empty.
    cut: String,
    held: String,
    open: bool,
}

/// What the beginning of a continuation is.
enum Beginning {
    /// A repetition of so many bytes.
    Repeated(usize),
    /// Perhaps one: more is needed.
    Open,
    /// Something new.
    New,
}

impl Seam {
    /// The seam behind `before`.
    pub(crate) fn after(before: &str) -> Self {
        let parts = before.split_inclusive(['.', '!', '?', '؟', '\n']);
        let mut sentences: Vec<String> = parts.map(|part| part.trim().to_owned()).collect();
        let cut = match sentences.last() {
            Some(last) if !last.ends_with(['.', '!', '?', '؟']) && !before.ends_with('\n') => {
                sentences.pop().unwrap_or_default()
            }
            _ => String::new(),
        };
        sentences.retain(|sentence| !sentence.is_empty());
        Self {
            before: before.to_owned(),
            sentences,
            cut,
            held: String::new(),
            open: false,
        }
    }

    /// What of the next piece is new.
    pub(crate) fn next(&mut self, piece: &str) -> String {
        if self.open {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        let mut repeated = false;
        loop {
            let text = self.held.trim_start();
            let space = self.held.len() - text.len();
            match self.beginning(text) {
                Beginning::Open => return String::new(),
                Beginning::Repeated(bytes) => {
                    let in_cut = !self
                        .sentences
                        .iter()
                        .any(|sentence| sentence.len() == bytes && text.starts_with(sentence));
                    self.held.drain(..space + bytes);
                    repeated = true;
                    if in_cut {
                        self.open = true;
                        return std::mem::take(&mut self.held);
                    }
                }
                Beginning::New => {
                    self.open = true;
                    let rest = std::mem::take(&mut self.held);
                    return if repeated || rest.starts_with(char::is_whitespace) || !self.needs_space(&rest) {
                        rest
                    } else {
                        format!(" {rest}")
                    };
                }
            }
        }
    }

    fn beginning(&self, text: &str) -> Beginning {
        if text.is_empty() {
            return Beginning::Open;
        }
        // The sentence that was cut off, from any of its words on: the longest repetition first.
        let starts = self
            .cut
            .char_indices()
            .filter(|(at, _)| *at == 0 || self.cut[..*at].ends_with(char::is_whitespace))
            .map(|(at, _)| &self.cut[at..]);
        let mut open = self.sentences.iter().any(|sentence| sentence.starts_with(text));
        for repeated in starts {
            if let Some(rest) = text.strip_prefix(repeated) {
                // "a" does not repeat the beginning of "arrange".
                if rest.starts_with(|next: char| !next.is_alphanumeric()) || repeated == self.cut {
                    return Beginning::Repeated(repeated.len());
                }
                open |= rest.is_empty();
            }
            open |= repeated.starts_with(text);
        }
        if let Some(sentence) = self.sentences.iter().find(|sentence| text.starts_with(*sentence)) {
            return Beginning::Repeated(sentence.len());
        }
        if open { Beginning::Open } else { Beginning::New }
    }

    /// Servers trim what a model says, and tokens seldom end within a word.
    fn needs_space(&self, rest: &str) -> bool {
        let ends = |character: char| character.is_alphanumeric() || ".,;:!?؟،)".contains(character);
        self.before.ends_with(ends) && rest.starts_with(char::is_alphanumeric)
    }
}

#[cfg(test)]
mod tests {
    use super::Seam;

    fn joined(before: &str, pieces: &[&str]) -> String {
        let mut seam = Seam::after(before);
        let rest: String = pieces.iter().map(|piece| seam.next(piece)).collect();
        format!("{before}{rest}")
    }

    #[test]
    fn what_is_repeated_is_left_out_and_what_is_new_is_not() {
        let cases: [(&str, &[&str], &str); 9] = [
            (
                "Hello! I will",
                &[" arrange", " that."],
                "Hello! I will arrange that.",
            ),
            (
                "Hello! I will",
                &["arrange", " that."],
                "Hello! I will arrange that.",
            ),
            (
                "Hello! I will",
                &["I", " will", " arrange", " that."],
                "Hello! I will arrange that.",
            ),
            (
                "Hello! I will",
                &["will arrange that."],
                "Hello! I will arrange that.",
            ),
            (
                "Hello! I will",
                &["Hello", "! I will arrange", " that."],
                "Hello! I will arrange that.",
            ),
            (
                "Hello! I will",
                &["Hello! I'm", " Anna."],
                "Hello! I will I'm Anna.",
            ),
            ("Hello.", &["Hello.", " What next?"], "Hello. What next?"),
            ("Hello.", &["What next?"], "Hello. What next?"),
            ("It is a", &["a", "n", " apple"], "It is a an apple"),
        ];
        for (before, pieces, expected) in cases {
            assert_eq!(joined(before, pieces), expected, "{before} + {pieces:?}");
        }
    }
}
