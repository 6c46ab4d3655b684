//! Words as the lists in `prompts` have them: as they stand, or `a*` for any word that begins so.

/// A word of a list.
#[derive(Clone, Debug)]
pub(crate) enum Spelling {
    Whole(String),
    Beginning(String),
}

/// The words of a list.
pub(crate) fn list(words: &str) -> Vec<Spelling> {
    words.split_whitespace().map(Spelling::read).collect()
}

impl Spelling {
    /// Reads a word of a list.
    pub(crate) fn read(word: &str) -> Self {
        match word.strip_suffix('*') {
            Some(beginning) => Self::Beginning(beginning.to_owned()),
            None => Self::Whole(word.to_owned()),
        }
    }

    /// Whether `word` is meant.
    pub(crate) fn is(&self, word: &str) -> bool {
        match self {
            Self::Whole(whole) => word == whole,
            Self::Beginning(beginning) => word.starts_with(beginning),
        }
    }

    /// Whether a word that goes on may become this one.
    pub(crate) fn may_be(&self, word: &str) -> bool {
        let (Self::Whole(text) | Self::Beginning(text)) = self;
        text.starts_with(word)
    }
}
