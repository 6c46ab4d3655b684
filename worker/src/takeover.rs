//! Going on where someone else stopped: what the journal holds of a reply, and how an agent continues it.

use shared::event::{Cursor, EventExtra, RESET_STRIDE, Verdict};
use shared::ids::{RequestId, SessionKey};
use shared::journal::{self, ReadError, Started, Stored};
use shared::nats::Nats;

use crate::agents::AlreadySent;

/// What stands between a reply that was cut off and one that starts anew.
const CUT: &str = "…\n\n";

/// What the journal cannot say of a reply by itself.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// The message's place in the queue.
    pub stream_seq: u64,
    /// So long ago, or so thoroughly, that an empty journal says nothing.
    pub forgotten: bool,
}

/// What has been sent of a reply so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The text.
    pub text: String,
    /// Where each event's text ends in it, in bytes.
    pub piece_ends: Vec<usize>,
    /// The first event's `seq`: 1, or where the text was begun anew.
    pub first_seq: u64,
    /// The stream sequence of the journal's last message of this reply, 0 where there is none.
    pub last_stream_seq: u64,
    /// A worker has written: it has to be kept from going on.
    pub is_anothers: bool,
    /// The reply is whole: the final event's own fields.
    pub finished: Option<EventExtra>,
    /// The journal has lost the beginning, or may have lost the end, so that nobody can go on: the next event tells readers to
    /// clear what they have.
    pub begins_anew: bool,
    /// What the agent noted last for whoever goes on.
    pub note: Option<String>,
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            text: String::new(),
            piece_ends: Vec::new(),
            first_seq: 1,
            last_stream_seq: 0,
            is_anothers: false,
            finished: None,
            begins_anew: false,
            note: None,
        }
    }
}

impl Sent {
    /// Reads the journal by the rule of all readers, for a worker that goes on under `epoch`.
    ///
    /// # Errors
    /// NATS did not answer in time.
    pub async fn read(
        nats: &Nats,
        session: SessionKey,
        request: RequestId,
        epoch: u64,
        past: Past,
    ) -> Result<Self, ReadError> {
        let journal = journal::events(nats, &nats.subjects.tokens(session, request), 0).await?;
        // After the journal: a server that restarts in between has a later start, and the journal is not less than it was.
        let started = journal::server_started(nats).await?;
        Ok(Self::of(&journal, epoch, past, started))
    }

    /// `started`: the start of the server that may have lost something.
    fn of(journal: &[Stored], epoch: u64, past: Past, started: Option<Started>) -> Self {
        let restarted = started.filter(|started| past.stream_seq <= started.queued_up_to);
        let mut sent = Self::default();
        let mut cursor = Cursor::after(0);
        // Whether readers may have seen more than what was taken so far: what was sent after it went to a server that is gone.
        let mut lost = restarted.is_some();
        for Stored {
            stream_seq,
            at,
            again,
            event,
        } in journal
        {
            sent.last_stream_seq = *stream_seq;
            sent.is_anothers |= event.epoch > 0;
            if sent.finished.is_none() && cursor.take(event) == Verdict::Take {
                // One that came again says nothing of those that came after it the first time.
                lost = restarted.is_some_and(|started| *at < started.at || *again);
                if event.reset {
                    sent = Self {
                        first_seq: event.seq,
                        last_stream_seq: *stream_seq,
                        is_anothers: true,
                        ..Self::default()
                    };
                }
                sent.note = event.note.clone().or(sent.note);
                let data = event.data().ok();
                if event.is_final {
                    sent.finished = Some(data.map(|data| data.extra).unwrap_or_default());
                } else {
                    sent.push(data.as_ref().map_or("", |data| &data.content));
                }
            }
        }
        let headless = sent.piece_ends.is_empty() && (!journal.is_empty() || past.forgotten);
        if sent.finished.is_none() && (headless || lost) {
            return Self {
                first_seq: epoch.saturating_mul(RESET_STRIDE),
                last_stream_seq: sent.last_stream_seq,
                is_anothers: sent.is_anothers,
                begins_anew: true,
                ..Self::default()
            };
        }
        sent
    }

    /// What the agent is told of it.
    pub fn already(&self) -> AlreadySent {
        AlreadySent {
            text: self.text.clone(),
            note: self.note.clone(),
        }
    }

    /// Adds an event's text.
    pub fn push(&mut self, content: &str) {
        self.text.push_str(content);
        self.piece_ends.push(self.text.len());
    }

    /// The `seq` of the next event.
    pub fn next_seq(&self) -> u64 {
        self.first_seq + self.piece_ends.len() as u64
    }
}

/// Leaves out of an agent's text what has been sent already.
///
/// An agent that says the same again continues without a seam. One that says something else is cut off with an ellipsis
/// and a blank line, and starts anew. One that declares that it goes on says only what is new.
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

    /// The agent says only what follows what was sent.
    pub fn goes_on(&mut self) {
        self.matched = self.already.len();
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
    use shared::event::{EventData, TokenEvent};
    use time::{Duration, OffsetDateTime};

    use super::*;

    const NOTHING_FORGOTTEN: Past = Past {
        stream_seq: 7,
        forgotten: false,
    };

    /// On a server that has not restarted.
    fn of(journal: &[Stored], epoch: u64) -> Sent {
        Sent::of(journal, epoch, NOTHING_FORGOTTEN, None)
    }

    /// A journal of (epoch, seq, text), one event a minute from the first on; a seq at the epoch's stride is a reset.
    fn journal(events: &[(u64, u64, &str)]) -> Vec<Stored> {
        let stored = |(index, (epoch, seq, text)): (usize, &(u64, u64, &str))| {
            let mut data = EventData::text((*text).to_owned(), OffsetDateTime::UNIX_EPOCH);
            data.extra.reset = *seq == epoch * RESET_STRIDE;
            Stored {
                stream_seq: 10 + index as u64,
                at: OffsetDateTime::UNIX_EPOCH + Duration::minutes(1 + index as i64),
                again: false,
                event: TokenEvent::new(*epoch, *seq, &data),
            }
        };
        events.iter().enumerate().map(stored).collect()
    }

    #[test]
    fn what_was_sent_is_read_as_readers_read_it() {
        let events = [
            (1, 1, "Hel"),
            (1, 2, "lo"),
            (2, 3, ""),
            (1, 3, " I was late"),
            (2, 4, "!"),
        ];
        let sent = of(&journal(&events), 3);
        assert_eq!(
            (sent.text.as_str(), sent.next_seq(), sent.last_stream_seq),
            ("Hello!", 5, 14)
        );
        assert_eq!(sent.piece_ends, [3, 5, 5, 6]);
        assert!(!sent.begins_anew);
    }

    #[test]
    fn a_reply_whose_beginning_is_lost_begins_anew_at_a_place_of_its_own() {
        let lost = journal(&[(1, 3, "lo"), (1, 4, "!")]);
        let sent = of(&lost, 2);
        assert_eq!(
            (sent.begins_anew, sent.next_seq(), sent.last_stream_seq),
            (true, 2 * RESET_STRIDE, 11)
        );
        let forgotten = Past {
            forgotten: true,
            ..NOTHING_FORGOTTEN
        };
        assert!(!of(&[], 2).begins_anew, "nothing had been sent");
        assert!(
            Sent::of(&[], 2, forgotten, None).begins_anew,
            "nobody knows what had been sent"
        );

        let anew = journal(&[
            (1, 3, "lo"),
            (2, 2 * RESET_STRIDE, ""),
            (2, 2 * RESET_STRIDE + 1, "Hello"),
        ]);
        let sent = of(&anew, 3);
        assert_eq!(
            (sent.text.as_str(), sent.first_seq, sent.next_seq()),
            ("Hello", 2 * RESET_STRIDE, 2 * RESET_STRIDE + 2)
        );
    }

    #[test]
    fn a_reply_whose_end_may_be_lost_begins_anew_and_no_other_does() {
        let said = journal(&[(1, 1, "Hel"), (1, 2, "lo"), (1, 3, "!")]);
        let started = |minute, queued_up_to| {
            let at = OffsetDateTime::UNIX_EPOCH + Duration::minutes(minute);
            Some(Started { at, queued_up_to })
        };
        let anew = |journal: &[Stored], started| Sent::of(journal, 2, NOTHING_FORGOTTEN, started).begins_anew;
        assert!(
            !anew(&said, started(2, 7)),
            "its last event came after the restart"
        );
        assert!(
            anew(&said, started(4, 7)),
            "what came after its last event may be lost"
        );
        assert!(anew(&[], started(4, 7)), "all of it may be lost");
        assert!(!anew(&[], started(4, 6)), "it came after the restart");

        let mut again = said.clone();
        again[2].again = true;
        assert!(
            anew(&again, started(2, 7)),
            "its worker was not done with sending again"
        );
        assert!(!anew(&again, started(-1, 6)), "the server had not restarted");
        again.extend(journal(&[(1, 1, ""), (1, 2, ""), (1, 3, ""), (1, 4, " ")]).split_off(3));
        assert!(!anew(&again, started(2, 7)), "it was done");

        let sent = Sent::of(&said, 2, NOTHING_FORGOTTEN, started(4, 7));
        assert_eq!(
            (sent.text.as_str(), sent.next_seq(), sent.last_stream_seq),
            ("", 2 * RESET_STRIDE, 12)
        );
        let mut whole = said;
        whole[2].event.is_final = true;
        assert!(!anew(&whole, started(4, 7)), "nothing comes after a final event");
    }

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
    fn an_agent_that_goes_on_is_not_compared() {
        let mut continuation = Continuation::of("Hello! I");
        continuation.goes_on();
        assert_eq!(continuation.next(" am here."), " am here.");
        assert_eq!(continuation.end(), "");
    }

    #[test]
    fn an_agent_that_says_something_else_starts_anew() {
        assert_eq!(said("Hello! I", &["Hello! ", "We"]), "Hello! I…\n\nHello! We");
        assert_eq!(said("Hello! I", &["Good ", "day"]), "Hello! I…\n\nGood day");
        assert_eq!(said("Hello! I", &["Hello!"]), "Hello! I…\n\nHello!");
    }
}
