//! Token events: what a worker journals and a reader shows, and the one rule by which readers take them.

use std::fmt;
use std::str::FromStr;

use async_nats::HeaderMap;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::RequestId;

/// The header that places an event: `<epoch>:<seq>`, then `:final` and `:reset` where it is one.
///
/// It stands beside the payload, so that the payload is the `data` line of the stream, to the byte.
pub const EVENT_HEADER: &str = "Frontdesk-Event";

/// The header of an event that its worker has sent before: what it sent after it may be missing.
pub const AGAIN_HEADER: &str = "Frontdesk-Again";

/// The header of what the agent wants to be told where another worker goes on with its reply; no reader looks at it.
pub const NOTE_HEADER: &str = "Frontdesk-Note";

/// A `reset` event stands at `epoch` times this: the one permitted jump.
pub const RESET_STRIDE: u64 = 1_000_000;

/// The payload of an event, the JSON of an SSE `data` line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventData {
    /// Text to append; empty in status and final events.
    pub content: String,
    /// When it was said, RFC 3339 in UTC, to the microsecond (not every client reads more digits).
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
    /// Whether nothing follows.
    pub is_final: bool,
    /// Fields that only some events have.
    #[serde(flatten)]
    pub extra: EventExtra,
    /// What [`NOTE_HEADER`] is to say: printable ASCII.
    #[serde(skip)]
    pub note: Option<String>,
}

/// Fields that only some events have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventExtra {
    /// What is going on, in a word: `queued`, `waiting`, `stopped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How many messages of the session come before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<u32>,
    /// Short answers to offer as buttons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quick_replies: Vec<String>,
    /// Clear what you have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// Why there is no (whole) reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<EventError>,
    /// The answer was given without the database: it knows nothing of what was said before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub degraded: bool,
    /// `messages.id` of the stored reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Uuid>,
}

/// The reason in a final event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventError {
    /// Stable, in snake case.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

impl EventError {
    /// The error of a request whose conversation was erased before it was answered.
    pub fn erased() -> Self {
        Self {
            code: "erased".into(),
            message: "This conversation has been erased.".into(),
        }
    }

    /// The error of a request that was given up.
    pub fn failed(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: "This message could not be answered. Please send it again.".into(),
        }
    }
}

impl EventData {
    /// An event that says `content`.
    pub fn text(content: String, timestamp: OffsetDateTime) -> Self {
        Self {
            content,
            timestamp: timestamp.truncate_to_microsecond(),
            is_final: false,
            extra: EventExtra::default(),
            note: None,
        }
    }

    /// An event that says what is going on: `queued` with the number of messages before this one, `waiting`.
    pub fn status(status: &str, ahead: Option<u32>, timestamp: OffsetDateTime) -> Self {
        let mut event = Self::text(String::new(), timestamp);
        event.extra.status = Some(status.to_owned());
        event.extra.ahead = ahead;
        event
    }

    /// The last event.
    pub fn last(extra: EventExtra, timestamp: OffsetDateTime) -> Self {
        Self {
            content: String::new(),
            timestamp: timestamp.truncate_to_microsecond(),
            is_final: true,
            extra,
            note: None,
        }
    }

    /// The last event of a request that gets no reply. Where its conversation was erased, nothing of it may stay on a screen either.
    pub fn ended(error: EventError, timestamp: OffsetDateTime) -> Self {
        let extra = EventExtra {
            reset: error == EventError::erased(),
            error: Some(error),
            ..EventExtra::default()
        };
        Self::last(extra, timestamp)
    }

    /// The bytes of the `data` line.
    pub fn to_payload(&self) -> Bytes {
        serde_json::to_vec(self)
            .expect("strings, numbers and a time always serialise")
            .into()
    }
}

/// An event in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEvent {
    /// The lease epoch of the worker that said it.
    pub epoch: u64,
    /// 1, 2, 3 … within the request.
    pub seq: u64,
    /// Whether it ends the reply.
    pub is_final: bool,
    /// Whether it starts the text anew.
    pub reset: bool,
    /// The JSON of [`EventData`].
    pub payload: Bytes,
    /// The value of [`NOTE_HEADER`].
    pub note: Option<String>,
}

impl TokenEvent {
    /// Puts `data` in its place.
    pub fn new(epoch: u64, seq: u64, data: &EventData) -> Self {
        Self {
            epoch,
            seq,
            is_final: data.is_final,
            reset: data.extra.reset,
            payload: data.to_payload(),
            note: data.note.clone(),
        }
    }

    /// The value of [`EVENT_HEADER`].
    pub fn header(&self) -> String {
        let last = if self.is_final { ":final" } else { "" };
        let reset = if self.reset { ":reset" } else { "" };
        format!("{}:{}{last}{reset}", self.epoch, self.seq)
    }

    /// Reads a message of the journal; `None` where it is not one of ours.
    pub fn read(headers: Option<&HeaderMap>, payload: Bytes) -> Option<Self> {
        let mut parts = headers?.get(EVENT_HEADER)?.as_str().split(':');
        let epoch = parts.next()?.parse().ok()?;
        let seq = parts.next()?.parse().ok()?;
        let marks: Vec<_> = parts.collect();
        Some(Self {
            epoch,
            seq,
            is_final: marks.contains(&"final"),
            reset: marks.contains(&"reset"),
            payload,
            note: headers?.get(NOTE_HEADER).map(|note| note.as_str().to_owned()),
        })
    }

    /// The payload, read.
    ///
    /// # Errors
    /// The payload is not the JSON of an event.
    pub fn data(&self) -> serde_json::Result<EventData> {
        serde_json::from_slice(&self.payload)
    }
}

/// What a reader does with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next one: show it.
    Take,
    /// Seen already, or said by a worker that had lost its lease: drop it.
    Skip,
    /// Something before it is missing: look into the journal.
    Gap,
}

/// A reader's place in a reply, and the one rule: the next `seq`, from an epoch not below the highest seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    next: u64,
    epoch: u64,
}

impl Cursor {
    /// A reader that has everything up to and including `seq` (0 = nothing).
    pub fn after(seq: u64) -> Self {
        Self {
            next: seq + 1,
            epoch: 0,
        }
    }

    /// The `seq` to come.
    pub fn next(self) -> u64 {
        self.next
    }

    /// The highest epoch seen.
    pub fn epoch(self) -> u64 {
        self.epoch
    }

    /// Judges an event, and moves on where it is taken.
    pub fn take(&mut self, event: &TokenEvent) -> Verdict {
        let jump = event.reset && event.seq == event.epoch.saturating_mul(RESET_STRIDE);
        if event.epoch < self.epoch || event.seq < self.next {
            return Verdict::Skip;
        }
        if event.seq > self.next && !jump {
            return Verdict::Gap;
        }
        self.next = event.seq + 1;
        self.epoch = event.epoch;
        Verdict::Take
    }
}

/// The id of an SSE event: `<request>:<seq>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    /// The request it answers.
    pub request: RequestId,
    /// Its place in the reply.
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.request, self.seq)
    }
}

/// A text that is not `<request>:<seq>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event id is <request>:<seq>")]
pub struct BadEventId;

impl FromStr for EventId {
    type Err = BadEventId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (request, seq) = text.split_once(':').ok_or(BadEventId)?;
        if request.len() != 36 || !seq.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadEventId);
        }
        Ok(Self {
            request: request.parse().map_err(|_| BadEventId)?,
            // One more than the largest is still a number of events, and not every u64 is.
            seq: seq
                .parse()
                .ok()
                .filter(|seq| *seq < u64::MAX / 2)
                .ok_or(BadEventId)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_an_erased_conversation_clears_it_and_nobody_else_does() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let ended = |error| TokenEvent::new(0, 1, &EventData::ended(error, at)).header();
        assert_eq!(ended(EventError::erased()), "0:1:final:reset");
        assert_eq!(ended(EventError::failed("no_use")), "0:1:final");
    }

    fn event(epoch: u64, seq: u64, reset: bool) -> TokenEvent {
        let mut data = EventData::text("x".into(), OffsetDateTime::UNIX_EPOCH);
        data.extra.reset = reset;
        TokenEvent::new(epoch, seq, &data)
    }

    #[test]
    fn the_wire_format_has_its_three_fields_and_no_others_unless_they_say_something() {
        let text = EventData::text("Hello! ".into(), OffsetDateTime::UNIX_EPOCH).to_payload();
        assert_eq!(
            text,
            r#"{"content":"Hello! ","timestamp":"1970-01-01T00:00:00Z","is_final":false}"#
        );
        let error = EventExtra {
            error: Some(EventError::failed("agent_failed")),
            ..EventExtra::default()
        };
        let last = EventData::last(error, OffsetDateTime::UNIX_EPOCH);
        let read: EventData = serde_json::from_slice(&last.to_payload()).unwrap();
        assert_eq!(read, last);
    }

    #[test]
    fn an_event_survives_its_headers() {
        let mut erased = event(2, 2_000_000, true);
        erased.is_final = true;
        for event in [event(3, 7, false), event(2, 2_000_000, true), erased] {
            let mut headers = HeaderMap::new();
            headers.insert(EVENT_HEADER, event.header());
            assert_eq!(
                TokenEvent::read(Some(&headers), event.payload.clone()),
                Some(event)
            );
        }
        assert_eq!(TokenEvent::read(None, Bytes::new()), None);
    }

    #[test]
    fn a_reader_takes_the_next_event_of_an_epoch_not_below_the_highest() {
        let mut cursor = Cursor::after(0);
        assert_eq!(cursor.take(&event(1, 2, false)), Verdict::Gap);
        assert_eq!(cursor.take(&event(1, 1, false)), Verdict::Take);
        assert_eq!(cursor.take(&event(1, 1, false)), Verdict::Skip);
        assert_eq!(cursor.take(&event(2, 2, false)), Verdict::Take);
        assert_eq!(
            cursor.take(&event(1, 3, false)),
            Verdict::Skip,
            "said by a worker that had lost its lease"
        );
        assert_eq!(cursor.take(&event(3, 3_000_000, true)), Verdict::Take);
        assert_eq!(cursor.next(), 3_000_001);
    }

    #[test]
    fn event_ids_are_read_strictly() {
        let id = EventId {
            request: RequestId::new(),
            seq: 12,
        };
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "x",
            "x:1",
            &format!("{}:", id.request),
            &format!("{}:-1", id.request),
            &format!("{}:1:2", id.request),
            &format!("{}:99999999999999999999", id.request),
        ] {
            assert_eq!(bad.parse::<EventId>(), Err(BadEventId), "{bad}");
        }
    }
}
