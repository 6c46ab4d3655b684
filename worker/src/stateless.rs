//! Answers while PostgreSQL is away: the agent without a session, journalled under epoch 0.
//!
//! No lease keeps others out, so each event expects the one before it: whoever else writes ends this answer. Request, reply and
//! cuts go back onto the queue before the final event; the intake stores them once the database is there.

use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{AckKind, Message};
use shared::db::intake::Arrival;
use shared::envelope::{Answered, Envelope};
use shared::event::{EVENT_HEADER, EventData, EventExtra, NOTE_HEADER, TokenEvent};
use shared::ids::{RequestId, SessionKey};
use shared::journal::{self, ReadError};
use shared::nats::Nats;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::agents::{IncomingMessage, Turn};
use crate::intake;
use crate::journal::WriteError;
use crate::speak::{Ends, Interrupted, Journal, Spoken, speak};
use crate::takeover::{Past, Sent};
use crate::worker::Worker;

/// When a message comes again that was not answered.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// After so many deliveries a message waits for PostgreSQL: an agent that fails without it would say its first words again and
/// again.
const MAX_DELIVERIES: i64 = 8;

/// Why a message was not answered.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error("somebody else answers")]
    Anothers,
    #[error("the agent failed: {0}")]
    Failed(&'static str),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("an event or the answer was not confirmed: {0}")]
    Unconfirmed(PublishErrorKind),
}

/// Answers a message that waits on the queue, and acknowledges it; or has it come again.
pub async fn answer(worker: &Worker, message: &Message, arrival: Arrival) {
    let Envelope {
        session,
        request_id: request,
        ..
    } = arrival.envelope;
    let tries = message.info().map_or(0, |info| info.delivered);
    if tries > MAX_DELIVERIES {
        return intake::answer(message, AckKind::Nak(Some(AGAIN_AFTER))).await;
    }
    let answered = intake::in_progress(message, say(worker, arrival)).await;
    match answered {
        Ok(()) => {
            info!(%session, %request, "answered without a database");
            intake::answer(message, AckKind::Ack).await;
        }
        Err(error) => {
            warn!(%session, %request, %error, "❌ Error: a message waits for PostgreSQL");
            intake::answer(message, AckKind::Nak(Some(AGAIN_AFTER))).await;
        }
    }
}

async fn say(worker: &Worker, arrival: Arrival) -> Result<(), Unanswered> {
    let Arrival { envelope, stream_seq } = arrival;
    let (session, request) = (envelope.session, envelope.request_id);
    let past = Past {
        stream_seq,
        forgotten: false,
    };
    let mut sent = Sent::read(&worker.nats, session, request, 0, past).await?;
    if sent.finished.is_some() {
        return Ok(());
    }
    if sent.is_anothers || sent.begins_anew {
        return Err(Unanswered::Anothers);
    }
    let mut journal = Strict::new(&worker.nats, session, request, &sent);
    let extra = EventExtra {
        degraded: true,
        message_id: Some(request.reply_id()),
        ..EventExtra::default()
    };
    let last = EventData::last(extra, OffsetDateTime::now_utc());
    // Who wrote it died before the final event.
    if !is_answered(worker, &envelope).await? {
        let turn = turn_of(worker, &envelope, &sent);
        let ends = Ends {
            stop: std::future::pending(),
            lost: &CancellationToken::new(),
            hard: &worker.lifecycle.hard,
        };
        match speak(&*worker.agent, &turn, worker.pace, &mut sent, &mut journal, ends).await? {
            Spoken::Whole(_) | Spoken::Stopped => {}
            Spoken::Failed { code, .. } => return Err(Unanswered::Failed(code)),
        }
        let answered = Answered {
            stream_seq,
            id: request.reply_id(),
            body: sent.text,
            first_seq: sent.first_seq,
            piece_ends: sent.piece_ends,
            final_fields: last.extra.clone(),
            at: last.timestamp,
        };
        put_back(
            &worker.nats,
            Envelope {
                answered: Some(answered),
                ..envelope
            },
        )
        .await?;
    }
    journal
        .emit(&last)
        .await
        .map_err(|error| Interrupted::Write(error).into())
}

/// Whether the queue holds an answer to this message already.
async fn is_answered(worker: &Worker, envelope: &Envelope) -> Result<bool, ReadError> {
    let subjects = &worker.nats.subjects;
    let subject = subjects.incoming(envelope.channel, envelope.session);
    let waiting = journal::messages(&worker.nats, &subjects.chat_stream(), &subject, 0).await?;
    Ok(waiting.iter().any(|stored| {
        serde_json::from_slice::<Envelope>(&stored.message.payload)
            .is_ok_and(|other| other.request_id == envelope.request_id && other.answered.is_some())
    }))
}

/// Puts a message with its answer onto the queue.
async fn put_back(nats: &Nats, envelope: Envelope) -> Result<(), Unanswered> {
    let subject = nats.subjects.incoming(envelope.channel, envelope.session);
    let payload = serde_json::to_vec(&envelope).expect("strings, numbers, ids and times always serialise");
    let message = PublishMessage::build()
        .payload(payload.into())
        .message_id(format!("{}:answered", envelope.request_id));
    let put = async { nats.jetstream.send_publish(subject, message).await?.await };
    put.await.map_err(|error| Unanswered::Unconfirmed(error.kind()))?;
    Ok(())
}

fn turn_of(worker: &Worker, envelope: &Envelope, sent: &Sent) -> Turn {
    let request = IncomingMessage {
        request_id: envelope.request_id.0,
        content: envelope.content.clone(),
        media: envelope.media.clone(),
        written: envelope.received_at,
    };
    Turn {
        already_sent: sent.already(),
        ..Turn::bare(worker.clinic.clone(), request, envelope.received_at)
    }
}

/// A journal in which each event expects the one before it.
struct Strict<'a> {
    nats: &'a Nats,
    subject: String,
    next_seq: u64,
    last_stream_seq: u64,
}

impl<'a> Strict<'a> {
    fn new(nats: &'a Nats, session: SessionKey, request: RequestId, sent: &Sent) -> Self {
        Self {
            nats,
            subject: nats.subjects.tokens(session, request),
            next_seq: sent.next_seq(),
            last_stream_seq: sent.last_stream_seq,
        }
    }
}

impl Journal for Strict<'_> {
    async fn emit(&mut self, data: &EventData) -> Result<(), WriteError> {
        let event = TokenEvent::new(0, self.next_seq, data);
        let mut message = PublishMessage::build()
            .payload(event.payload.clone())
            .header(EVENT_HEADER, event.header());
        if let Some(note) = &event.note {
            message = message.header(NOTE_HEADER, note.as_str());
        }
        let message = message.expected_last_subject_sequence(self.last_stream_seq);
        let confirmed = async {
            self.nats
                .jetstream
                .send_publish(self.subject.clone(), message)
                .await?
                .await
        };
        // Refused, or not confirmed in time: either way somebody has to read the journal before going on.
        let ack = confirmed.await.map_err(|_| WriteError::Contested)?;
        self.last_stream_seq = ack.sequence;
        self.next_seq += 1;
        Ok(())
    }
}
