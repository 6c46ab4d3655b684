//! Where an agent's text goes, word by word.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::AgentError;

/// The reply being said. What is said here reaches the journal in order and cannot be taken back.
pub struct Reply {
    pieces: mpsc::Sender<String>,
    token_delay: Duration,
    asides: Asides,
}

/// What an agent tells the turn besides its text.
#[derive(Clone, Debug, Default)]
pub struct Asides(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    goes_on: bool,
    note: Option<String>,
}

impl Asides {
    /// Whether a note waits for the next event.
    pub fn has_note(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note
            .is_some()
    }

    /// Whether the agent says only what follows what was sent.
    pub fn goes_on(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).goes_on
    }

    /// The note that goes with the next event.
    pub fn take_note(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note.take()
    }

    fn change(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Reply {
    /// A reply whose pieces go to `pieces`; `token_delay` is waited between words, to read like someone typing.
    pub fn new(pieces: mpsc::Sender<String>, token_delay: Duration) -> Self {
        Self {
            pieces,
            token_delay,
            asides: Asides::default(),
        }
    }

    /// Where the turn hears what is not text.
    pub fn asides(&self) -> Asides {
        self.asides.clone()
    }

    /// Declares that what is said from now on follows what had been sent before this run, instead of repeating it. To be called
    /// before the first piece, or not at all.
    pub fn goes_on(&mut self) {
        self.asides.change(|told| told.goes_on = true);
    }

    /// Notes something for a worker that goes on with this reply: it is journalled with the next text, or with none at all, and
    /// comes back in [`AlreadySent::note`](super::AlreadySent), the last one only. Readers do not see it. Printable ASCII.
    pub fn note(&mut self, note: String) {
        debug_assert!(note.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        self.asides.change(|told| told.note = Some(note));
    }

    /// Notes something, as [`Reply::note`], that cannot wait for the next text where readers have some already: it is journalled
    /// now, with an event that says nothing.
    ///
    /// # Errors
    /// `Cancelled` when the turn is over.
    pub async fn note_at_once(&mut self, note: String) -> Result<(), AgentError> {
        self.note(note);
        self.piece("").await
    }

    /// Says `text` word by word; the pieces concatenate to `text` exactly.
    ///
    /// # Errors
    /// `Cancelled` when the turn is over.
    pub async fn say(&mut self, text: &str) -> Result<(), AgentError> {
        for (index, word) in text.split_inclusive(char::is_whitespace).enumerate() {
            if index > 0 && !self.token_delay.is_zero() {
                tokio::time::sleep(self.token_delay).await;
            }
            self.piece(word).await?;
        }
        Ok(())
    }

    /// Says one piece as it is, but for NUL, which PostgreSQL cannot store.
    ///
    /// # Errors
    /// `Cancelled` when the turn is over.
    pub async fn piece(&mut self, piece: &str) -> Result<(), AgentError> {
        self.pieces
            .send(piece.replace('\0', ""))
            .await
            .map_err(|_| AgentError::Cancelled)
    }
}
