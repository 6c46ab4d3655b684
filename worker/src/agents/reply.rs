//! Where an agent's text goes, word by word.

use std::time::Duration;

use tokio::sync::mpsc;

use super::AgentError;

/// The reply being said. What is said here reaches the journal in order and cannot be taken back.
pub struct Reply {
    pieces: mpsc::Sender<String>,
    token_delay: Duration,
}

impl Reply {
    /// A reply whose pieces go to `pieces`; `token_delay` is waited between words, to read like someone typing.
    pub fn new(pieces: mpsc::Sender<String>, token_delay: Duration) -> Self {
        Self { pieces, token_delay }
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
