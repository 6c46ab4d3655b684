//! Going on where someone else stopped: what the journal holds of a reply, and how an agent continues it.

use shared::event::{Cursor, Verdict};
use shared::ids::{RequestId, SessionKey};
use shared::journal::{self, ReadError};
use shared::nats::Nats;

/// What stands between a reply that was cut off and one that starts anew.
const CUT: &str = "…\n\n";

/// What has been sent of a reply so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The text.
    pub text: String,
    /// Where each event's text ends in it, in bytes.
    pub piece_ends: Vec<usize>,
    /// The last event's `seq`.
    pub last_seq: u64,
    /// The stream sequence of the journal's last message of this reply, 0 where there is none.
    pub last_stream_seq: u64,
}

impl Sent {
    /// Reads the journal by the rule of all readers.
    ///
    /// # Errors
    /// NATS did not answer in time.
    pub async fn read(nats: &Nats, session: SessionKey, request: RequestId) -> Result<Self, ReadError> {
        let mut sent = Self::default();
        let mut cursor = Cursor::after(0);
        for stored in journal::events(nats, &nats.subjects.tokens(session, request), 0).await? {
            sent.last_stream_seq = stored.stream_seq;
            if cursor.take(&stored.event) == Verdict::Take {
                let content = stored.event.data().map(|data| data.content).unwrap_or_default();
                sent.push(&content);
                sent.last_seq = stored.event.seq;
            }
        }
        Ok(sent)
    }

    /// Adds an event's text.
    pub fn push(&mut self, content: &str) {
        self.text.push_str(content);
        self.piece_ends.push(self.text.len());
        self.last_seq += 1;
    }
}

/// Leaves out of an agent's text what has been sent already.
///
/// An agent that says the same again continues without a seam. One that says something else is cut off with an ellipsis
/// and a blank line, and starts anew.
#[derive(Debug)]
pub struct Continuation {
    already: String,
    matched: usize,
}

impl Continuation {
    /// `already` has been sent.
    pub fn of(already: &str) -> Self {
        Self {
            already: already.to_owned(),
            matched: 0,
        }
    }

    /// What of the agent's next `piece` is to be sent.
    pub fn next(&mut self, piece: &str) -> String {
        let rest = &self.already[self.matched..];
        if let Some(new) = piece.strip_prefix(rest) {
            self.matched = self.already.len();
            return new.to_owned();
        }
        if rest.starts_with(piece) {
            self.matched += piece.len();
            return String::new();
        }
        format!("{}{piece}", self.cut())
    }

    /// What is to be sent when the agent has nothing more to say.
    pub fn end(&mut self) -> String {
        if self.matched == self.already.len() {
            String::new()
        } else {
            self.cut()
        }
    }

    /// Closes what was sent, and takes up what the agent has said since its start.
    fn cut(&mut self) -> String {
        let anew = format!("{CUT}{}", &self.already[..self.matched]);
        self.already.clear();
        self.matched = 0;
        anew
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(already: &str, pieces: &[&str]) -> String {
        let mut continuation = Continuation::of(already);
        let mut sent = already.to_owned();
        for piece in pieces {
            sent.push_str(&continuation.next(piece));
        }
        sent.push_str(&continuation.end());
        sent
    }

    #[test]
    fn an_agent_that_says_the_same_continues_without_a_seam() {
        let whole = "Grüß dich, Jürgen!";
        for cut in (0..=whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
            assert_eq!(said(&whole[..cut], &["Grüß ", "dich, ", "Jürgen!"]), whole);
        }
    }

    #[test]
    fn an_agent_that_says_something_else_starts_anew() {
        assert_eq!(said("Hello! I", &["Hello! ", "We"]), "Hello! I…\n\nHello! We");
        assert_eq!(said("Hello! I", &["Good ", "day"]), "Hello! I…\n\nGood day");
        assert_eq!(said("Hello! I", &["Hello!"]), "Hello! I…\n\nHello!");
    }
}
