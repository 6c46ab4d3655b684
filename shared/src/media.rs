//! What a visitor attaches: links to pictures, documents or sound.

use serde::{Deserialize, Serialize};

/// What kind of thing a link points to, as the visitor declared it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// From `media_urls`: a picture or a document.
    Media,
    /// From `audio_urls`: a voice note.
    Audio,
}

/// One attachment. In `messages.media` they stand in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Picture, document or sound.
    pub kind: MediaKind,
    /// An http or https address, 2,048 characters at most.
    pub url: String,
}
