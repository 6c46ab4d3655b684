//! What a client made of one message: the events that it took, and what was wrong with them.

use shared::event::{EventData, RESET_STRIDE};
use shared::ids::{RequestId, SessionKey};
use tokio::time::Instant;

use crate::sse::SseEvent;

/// An event that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its `seq`.
    pub seq: u64,
    /// How much text there was after it, in bytes.
    pub end: usize,
    /// When it came.
    pub at: Instant,
}

/// One message from its sender's side.
#[derive(Clone, Debug)]
pub struct Heard {
    /// As the key makes it.
    pub request: RequestId,
    /// The `Idempotency-Key`.
    pub key: String,
    /// What was written.
    pub content: String,
    /// When it was first sent.
    pub posted: Option<Instant>,
    /// When an api first said 200.
    pub accepted: Option<Instant>,
    /// The events, in order.
    pub events: Vec<Taken>,
    /// The text assembled from them.
    pub text: String,
    /// The final event.
    pub last: Option<EventData>,
    /// POSTs, and GETs after a break.
    pub posts: u32,
    /// See above.
    pub reconnects: u32,
    /// Where the text was begun anew.
    pub resets: u32,
    /// What the visitor was told who wanted it to stop.
    pub stop: Option<String>,
    /// What no client should see.
    pub breaches: Vec<String>,
}

impl Heard {
    /// Nothing yet, of a message that `session` is about to send under `key`.
    pub fn new(session: SessionKey, key: String, content: String) -> Self {
        Self {
            request: RequestId::from_key(session, &key),
            key,
            content,
            posted: None,
            accepted: None,
            events: Vec::new(),
            text: String::new(),
            last: None,
            posts: 0,
            reconnects: 0,
            resets: 0,
            stop: None,
            breaches: Vec::new(),
        }
    }

    /// The `seq` of the last event, 0 before the first.
    pub fn seq(&self) -> u64 {
        self.events.last().map_or(0, |taken| taken.seq)
    }

    /// Notes something that no client should see.
    pub fn breach(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.breaches.contains(&what) {
            self.breaches.push(what);
        }
    }

    /// An api said 200.
    pub fn accept(&mut self) {
        self.accepted.get_or_insert_with(Instant::now);
    }

    /// When its last event came, where that was the final one.
    pub fn answered(&self) -> Option<Instant> {
        self.last.as_ref().and(self.events.last()).map(|last| last.at)
    }

    /// Takes an event as a browser does, and looks at what a browser does not.
    pub fn take(&mut self, event: SseEvent) {
        let SseEvent { id, data, .. } = event;
        let seq = self.seq();
        if id.request != self.request {
            self.breach(format!("event {id} of another request"));
        }
        let jump = data.extra.reset && id.seq.is_multiple_of(RESET_STRIDE) && id.seq > seq;
        if id.seq != seq + 1 && !jump {
            self.breach(format!("event {} after event {seq}", id.seq));
        }
        if self.last.is_some() {
            self.breach(format!("event {} after the final one", id.seq));
        }
        if data.extra.reset {
            self.text.clear();
            self.resets += 1;
        }
        self.text.push_str(&data.content);
        self.events.push(Taken {
            seq: id.seq,
            end: self.text.len(),
            at: Instant::now(),
        });
        if data.is_final {
            self.last = Some(data);
        }
    }
}
