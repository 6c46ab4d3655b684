//! Writing the journal: a turn's events, in order, kept until the journal has confirmed them.

use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesOrdered, StreamExt};
use shared::event::{AGAIN_HEADER, EVENT_HEADER, EventData, NOTE_HEADER, TokenEvent};
use shared::ids::RequestId;
use shared::nats::Nats;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::lease::{Lease, Lost};
use crate::speak::Journal;

/// Why an event did not get into the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The session is another worker's by now.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The journal holds something that we have not read, or may: read it (again), and go on from there.
    #[error("the journal is not where it was thought to be")]
    Contested,
    /// The worker ends now.
    #[error("the worker ends")]
    HandOver,
}

/// The journal of one reply under one epoch.
pub struct Writer<'a> {
    nats: &'a Nats,
    lease: &'a Lease,
    hard: &'a CancellationToken,
    /// The reply is committed: nobody else may write to it any more, whoever has the lease by now.
    stored: bool,
    subject: String,
    /// The subject's last stream sequence, which the first event expects.
    expected: u64,
    /// Everything of this epoch, to be sent again where it was lost.
    events: Vec<TokenEvent>,
    /// How many of `events` have been sent, confirmed or not.
    sent: usize,
    /// How many of `events` the journal has confirmed since `connection`.
    confirmed: usize,
    /// The first event was confirmed: from then on nobody else writes while the lease is ours.
    ours: bool,
    /// The answers for what follows those that were confirmed.
    in_flight: FuturesOrdered<BoxFuture<'static, Result<PublishAck, PublishError>>>,
    /// The connection's count when the events were sent.
    connection: u64,
    next_seq: u64,
}

impl Journal for Writer<'_> {
    /// It is on its way when this returns; only the first is waited for, before the second.
    async fn emit(&mut self, data: &EventData) -> Result<(), WriteError> {
        self.confirm_first().await?;
        self.events
            .push(TokenEvent::new(self.lease.epoch, self.next_seq, data));
        self.next_seq += 1;
        self.send_from(self.events.len() - 1).await?;
        while self.ours
            && let Some(Some(answer)) = self.in_flight.next().now_or_never()
        {
            self.note(answer).await?;
        }
        Ok(())
    }
}

impl<'a> Writer<'a> {
    /// Goes on at `next_seq`, where the journal's last message of this reply has stream sequence `expected`.
    pub fn new(
        nats: &'a Nats,
        lease: &'a Lease,
        hard: &'a CancellationToken,
        request: RequestId,
        next_seq: u64,
        expected: u64,
    ) -> Self {
        Self {
            nats,
            lease,
            hard,
            stored: false,
            subject: nats.subjects.tokens(lease.session, request),
            expected,
            events: Vec::new(),
            sent: 0,
            confirmed: 0,
            ours: false,
            in_flight: FuturesOrdered::new(),
            connection: *nats.connections().borrow(),
            next_seq,
        }
    }

    /// Whether nothing has been journalled yet.
    pub fn is_silent(&self) -> bool {
        self.events.is_empty()
    }

    /// Waits until the journal has confirmed the first event, and with it that nobody else writes.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn confirm_first(&mut self) -> Result<(), WriteError> {
        if self.ours || self.events.is_empty() {
            return Ok(());
        }
        match self.in_flight.next().await {
            Some(Ok(_)) => {
                self.confirmed = 1;
                self.ours = true;
                Ok(())
            }
            Some(Err(error)) => {
                debug!(kind = ?error.kind(), "the first event was not confirmed");
                Err(WriteError::Contested)
            }
            None => Err(WriteError::Contested),
        }
    }

    /// Waits until the journal has confirmed everything, and sends again what was lost.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn confirm_all(&mut self) -> Result<(), WriteError> {
        self.confirm_first().await?;
        while let Some(answer) = self.in_flight.next().await {
            self.note(answer).await?;
        }
        Ok(())
    }

    async fn note(&mut self, answer: Result<PublishAck, PublishError>) -> Result<(), WriteError> {
        match answer {
            Ok(_) => self.confirmed += 1,
            Err(error) => {
                // Readers take events in order, so what follows the lost one has to come again, too.
                debug!(kind = ?error.kind(), "events are sent again");
                self.send_from(self.confirmed).await?;
            }
        }
        Ok(())
    }

    /// Publishes `events[from..]`, and after a reconnect all of them: a server that was killed may have lost what it had
    /// confirmed. Readers pass over what they know.
    async fn send_from(&mut self, from: usize) -> Result<(), WriteError> {
        let mut index = from;
        if from < self.confirmed + self.in_flight.len() {
            self.in_flight = FuturesOrdered::new();
        }
        while index < self.events.len() {
            self.may_write().await?;
            let connection = *self.nats.connections().borrow();
            if connection != self.connection {
                self.connection = connection;
                if self.ours {
                    self.confirmed = 0;
                    self.in_flight = FuturesOrdered::new();
                    index = 0;
                }
            }
            let event = &self.events[index];
            let mut message = PublishMessage::build()
                .payload(event.payload.clone())
                .header(EVENT_HEADER, event.header());
            if let Some(note) = &event.note {
                message = message.header(NOTE_HEADER, note.as_str());
            }
            if !self.ours {
                message = message.expected_last_subject_sequence(self.expected);
            }
            if index < self.sent {
                message = message.header(AGAIN_HEADER, "1");
            }
            self.sent = self.sent.max(index + 1);
            let sent = self
                .nats
                .jetstream
                .send_publish(self.subject.clone(), message)
                .await;
            self.in_flight.push_back(match sent {
                Ok(answer) => answer.into_future(),
                Err(error) => std::future::ready(Err(error)).boxed(),
            });
            index += 1;
        }
        Ok(())
    }

    /// The commit has gone through: what is left to be sent depends on no lease.
    pub fn is_stored(&mut self) {
        self.stored = true;
    }

    /// Waits until NATS is there, since the client would keep what is published meanwhile and send it whenever it is back; and
    /// until the lease is fresh.
    async fn may_write(&mut self) -> Result<(), WriteError> {
        if self.stored {
            tokio::select! {
                () = self.hard.cancelled() => return Err(WriteError::HandOver),
                () = self.nats.usable() => return Ok(()),
            }
        }
        let ready = async {
            self.nats.usable().await;
            self.lease.valid().await
        };
        tokio::select! {
            () = self.lease.lost.cancelled() => Err(Lost.into()),
            () = self.hard.cancelled() => Err(WriteError::HandOver),
            ready = ready => Ok(ready?),
        }
    }
}
