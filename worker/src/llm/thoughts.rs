//! Leaving out what a model thinks aloud. Most servers put thoughts into a field of their own, which is not read; some leave them in
//! the text, between tags.

/// What thoughts begin and end with.
const TAGS: [(&str, &str); 4] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
];

/// Drops thoughts from a text that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Thoughts {
    /// What may be the beginning of a tag.
    held: String,
    /// What ends the thought that was begun.
    until: Option<&'static str>,
}

impl Thoughts {
    /// What of the next piece is no thought.
    pub(crate) fn next(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let mut out = String::new();
        while let Some(at) = self.held.find('<') {
            let before: String = self.held.drain(..at).collect();
            if self.until.is_none() {
                out.push_str(&before);
            }
            let tags: &[(&str, Option<&'static str>)] = match self.until {
                Some(end) => &[(end, None)],
                // An end without a beginning is no text either.
                None => &TAGS
                    .map(|(begin, end)| [(begin, Some(end)), (end, None)])
                    .concat(),
            };
            if let Some((tag, until)) = tags.iter().find(|(tag, _)| self.held.starts_with(tag)) {
                self.held.drain(..tag.len());
                self.until = *until;
            } else if tags.iter().any(|(tag, _)| tag.starts_with(&*self.held)) {
                return out;
            } else {
                self.held.drain(..1);
                if self.until.is_none() {
                    out.push('<');
                }
            }
        }
        if self.until.is_none() {
            out.push_str(&self.held);
        }
        self.held.clear();
        out
    }

    /// What is left at the end.
    pub(crate) fn end(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        if self.until.is_some() { String::new() } else { held }
    }
}

#[cfg(test)]
mod tests {
    use super::Thoughts;

    #[test]
    fn thoughts_are_left_out_however_they_are_cut_and_nothing_else_waits() {
        for (text, expected) in [
            ("<think>1 < 2, </thin</think>Hi", "Hi"),
            ("Hi <thinking>no</thinking>there</think>!", "Hi there!"),
            ("a < b <thing> <", "a < b <thing> <"),
            ("<think>and never ends", ""),
        ] {
            for size in 1..=text.len() {
                let mut thoughts = Thoughts::default();
                let pieces = text
                    .as_bytes()
                    .chunks(size)
                    .map(|piece| std::str::from_utf8(piece).unwrap());
                let mut said: String = pieces.map(|piece| thoughts.next(piece)).collect();
                said.push_str(&thoughts.end());
                assert_eq!(said, expected, "in pieces of {size}");
            }
        }
        let mut thoughts = Thoughts::default();
        assert_eq!(
            ["Hi ", "th", "ere"].map(|piece| thoughts.next(piece)),
            ["Hi ", "th", "ere"]
        );
    }
}
