//! The core of the relay: which events of a reply a reader shows, and when it has to look something up.

use std::time::Duration;

use shared::db::reply::StoredReply;
use shared::event::{Cursor, TokenEvent, Verdict};
use shared::journal;

/// A reader that hears nothing looks things up after this, and then after twice as long each time.
const FIRST_QUIET: Duration = Duration::from_secs(1);
/// The longest time without a look.
const LONGEST_QUIET: Duration = Duration::from_secs(15);

/// What a reader has shown of a reply, and what it waits for.
#[derive(Debug)]
pub struct Reader {
    /// The place in the reply as a whole, so that epochs count from its first event on, also for those who resume.
    cursor: Cursor,
    /// The client has everything up to this `seq`.
    shown: u64,
    finished: bool,
    /// The place in the journal of the last event that was taken; 0 = none.
    stream_seq: u64,
}

/// What follows from a live event.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Show this.
    Show(TokenEvent),
    /// The reply goes on, but the client has this event already.
    Known,
    /// Not an event of this reply as it counts.
    Nothing,
    /// Something is missing: look into the journal.
    LookUp,
}

/// What a page of the journal gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Show these.
    pub show: Vec<TokenEvent>,
    /// The reply went on.
    pub progress: bool,
    /// Something is missing in the journal, too.
    pub gap: bool,
}

impl Reader {
    /// A reader whose client has everything up to and including `shown` (0 = nothing).
    pub fn after(shown: u64) -> Self {
        Self {
            cursor: Cursor::after(0),
            shown,
            finished: false,
            stream_seq: 0,
        }
    }

    /// Whether the final event was taken.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// From where the journal has something new.
    pub fn journal_from(&self) -> u64 {
        self.stream_seq + 1
    }

    /// After a restart of NATS, places in the journal may mean something else.
    pub fn forget_places(&mut self) {
        self.stream_seq = 0;
    }

    /// Judges a live event, stored at `stream_seq` of the journal.
    pub fn live(&mut self, event: TokenEvent, stream_seq: u64) -> Step {
        if self.finished {
            return Step::Nothing;
        }
        match self.cursor.take(&event) {
            Verdict::Skip => Step::Nothing,
            Verdict::Gap => Step::LookUp,
            Verdict::Take => {
                self.stream_seq = stream_seq;
                self.finished = event.is_final;
                if event.seq > self.shown {
                    self.shown = event.seq;
                    Step::Show(event)
                } else {
                    Step::Known
                }
            }
        }
    }

    /// Takes what the journal has from [`Self::journal_from`] on.
    pub fn journal(&mut self, page: Vec<journal::Stored>) -> Found {
        if let Some(first) = page.first()
            && self.cursor == Cursor::after(0)
            && first.event.seq <= self.shown.saturating_add(1)
        {
            // What stood before it is gone, but the client has it.
            self.cursor = Cursor::after(first.event.seq.saturating_sub(1));
        }
        let mut found = Found::default();
        for stored in page {
            match self.live(stored.event, stored.stream_seq) {
                Step::Show(event) => {
                    found.progress = true;
                    found.show.push(event);
                }
                Step::Known => found.progress = true,
                Step::Nothing => {}
                Step::LookUp => found.gap = true,
            }
        }
        found
    }

    /// Takes the stored reply: what is still to be shown of it, which ends it.
    pub fn stored(&mut self, reply: &StoredReply) -> Vec<TokenEvent> {
        if self.finished {
            return Vec::new();
        }
        self.finished = true;
        let rest = reply.events_after(self.shown).collect();
        self.shown = self.shown.max(reply.last_seq());
        rest
    }
}

/// How long a reader waits before it looks for what it may have missed.
#[derive(Debug)]
pub struct Quiet(Duration);

impl Quiet {
    /// Something was just heard.
    pub fn new() -> Self {
        Self(FIRST_QUIET)
    }

    /// The next wait; each is twice as long as the one before, up to a limit.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(LONGEST_QUIET);
        wait
    }
}

impl Default for Quiet {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
