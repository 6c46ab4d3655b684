//! A visitor's text, split into words once and folded once, however many languages read it.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::fold::folds;
use super::lexicon::{Lexicon, folded};
use crate::agents::offline::understanding::text::Text;

/// What a visitor says in a turn.
pub(crate) struct Said {
    plain: Text,
    folded: OnceCell<Text>,
}

impl Said {
    pub(crate) fn new(said: &str) -> Self {
        Self {
            plain: Text::new(said),
            folded: OnceCell::new(),
        }
    }

    /// With its words as they were written.
    pub(crate) fn plain(&self) -> &Text {
        &self.plain
    }

    /// With its words in the form of `lexicon`.
    pub(crate) fn read_by(&self, lexicon: &Lexicon) -> Cow<'_, Text> {
        let text = if folds(lexicon.tag) {
            self.folded.get_or_init(|| folded(self.plain.clone()))
        } else {
            &self.plain
        };
        if lexicon.has_ordinals(text) {
            return Cow::Owned(lexicon.with_ordinals(text.clone()));
        }
        Cow::Borrowed(text)
    }
}
