//! What a webhook comes to: messages, statuses, and what nobody understands.

use bytes::Bytes;
use shared::envelope::Envelope;
use shared::ids::SessionKey;
use shared::whatsapp::Status;

/// Everything that was in one webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Messages of visitors, in the order in which they were written.
    pub messages: Vec<Envelope>,
    /// What became of messages of ours.
    pub statuses: Vec<Status>,
    /// What is kept for people to look at.
    pub dead: Vec<Dead>,
    /// What needs no answer: reactions, echoes, words about other numbers.
    pub ignored: usize,
    /// What the provider complains about, by its own table.
    pub complaints: Vec<i64>,
}

/// Something that cannot be worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// Why not.
    pub reason: Reason,
    /// Whose it is, where that is known: with this, an erasure finds it.
    pub session: Option<SessionKey>,
    /// The smallest part that holds it, as it came.
    pub payload: Bytes,
}

/// Why something cannot be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is no JSON.
    Unparseable,
    /// It is not built as anything that we know.
    UnknownShape,
    /// It is for a number that is not ours.
    NotOurNumber,
    /// It was written in a group: a reply to its writer alone would be out of place.
    Group,
}

impl Reason {
    /// The word that stands in the subject and in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unparseable => "unparseable",
            Self::UnknownShape => "unknown_shape",
            Self::NotOurNumber => "not_our_number",
            Self::Group => "group",
        }
    }
}

impl Dead {
    /// Something of which nobody knows whose it is.
    pub fn new(reason: Reason, payload: impl Into<Bytes>) -> Self {
        Self {
            reason,
            session: None,
            payload: payload.into(),
        }
    }
}

impl Contents {
    /// Something as a whole that cannot be worked on.
    pub fn dead(reason: Reason, payload: impl Into<Bytes>) -> Self {
        Self {
            dead: vec![Dead::new(reason, payload)],
            ..Self::default()
        }
    }

    /// Whether there is something to be published.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.statuses.is_empty() && self.dead.is_empty()
    }
}
