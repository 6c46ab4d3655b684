//! The shell of the relay: subscribes, looks things up, waits, and hands all of it to the [`Reader`].

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use shared::db::reply::Request;
use shared::event::TokenEvent;
use shared::ids::{RequestId, SessionKey};
use shared::journal::{self, ReadError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::reader::{Quiet, Reader, Step};
use super::stored::Away;
use super::waiting::{self, WAITING_AFTER};
use crate::error::Problem;
use crate::state::App;

/// How long one reader is served. A client that still waits comes back with the id of its last event.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How soon after a reconnect the journal is looked into: by then workers have republished what was lost.
const AFTER_RECONNECT: Duration = Duration::from_millis(500);

/// What a reader gets next.
#[derive(Debug)]
pub enum Output {
    /// The next event.
    Event(TokenEvent),
    /// Nothing more.
    End(End),
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The final event was taken.
    Final,
    /// This process stops, or has served this reader long enough: another one goes on.
    ComeBack,
}

/// Whether the request is one of this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nobody knows it.
    None,
    /// It is.
    Ours,
    /// It is another's.
    Foreign,
    /// PostgreSQL could not be asked.
    Unknown,
}

/// A lookup that is on its way.
enum Lookup {
    None,
    Journal(BoxFuture<'static, Result<Vec<journal::Stored>, ReadError>>),
    Row(BoxFuture<'static, Result<Option<Request>, Away>>),
}

/// What a lookup gave.
enum Answer {
    Journal(Result<Vec<journal::Stored>, ReadError>),
    Row(Result<Option<Box<Request>>, Away>),
}

impl Lookup {
    async fn answer(&mut self) -> Answer {
        match self {
            Self::None => pending().await,
            Self::Journal(read) => Answer::Journal(read.await),
            Self::Row(read) => Answer::Row(read.await.map(|row| row.map(Box::new))),
        }
    }
}

/// One reader of one reply. It moves only while [`Self::next`] is polled, so that a slow client holds up nobody; what it
/// misses meanwhile is in the journal.
pub struct Relay {
    app: App,
    session: SessionKey,
    request: RequestId,
    reader: Reader,
    ready: VecDeque<TokenEvent>,
    live: Subscriber,
    lookup: Lookup,
    quiet: Quiet,
    look_at: Instant,
    ends_at: Instant,
    /// When a reader who has heard nothing is told that its message waits.
    waits_until: Option<Instant>,
    /// The last look could not fill the gap, so that the next gap is no reason for another one.
    stuck: bool,
    connections: watch::Receiver<u64>,
    evidence: Evidence,
    stop: CancellationToken,
}

impl Relay {
    /// Subscribes, for a client that has everything up to `shown` (0 = nothing). Ends when `stop` is cancelled.
    ///
    /// # Errors
    /// 503: NATS is away.
    pub async fn open(
        app: &App,
        session: SessionKey,
        request: RequestId,
        shown: u64,
        stop: CancellationToken,
    ) -> Result<Self, Problem> {
        let subject = app.nats.subjects.live(session, request);
        let live = app
            .nats
            .client
            .subscribe(subject)
            .await
            .map_err(|_| Problem::no_queue())?;
        let mut connections = app.nats.connections();
        connections.mark_unchanged();
        let mut quiet = Quiet::new();
        let now = Instant::now();
        Ok(Self {
            app: app.clone(),
            session,
            request,
            reader: Reader::after(shown),
            ready: VecDeque::new(),
            live,
            lookup: Lookup::None,
            look_at: now + quiet.next_wait(),
            quiet,
            ends_at: now + LIFETIME,
            waits_until: (shown == 0).then(|| now + WAITING_AFTER),
            stuck: false,
            connections,
            evidence: Evidence::None,
            stop,
        })
    }

    /// The request whose reply it reads.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Whether nothing is left to be shown.
    pub fn is_over(&self) -> bool {
        self.reader.is_finished() && self.ready.is_empty()
    }

    /// Looks into the journal and, where that does not help, into PostgreSQL; what they say of whose request it is.
    pub async fn look(&mut self) -> Evidence {
        self.evidence = Evidence::None;
        self.look_into_journal();
        while !matches!(self.lookup, Lookup::None) {
            let answer = self.lookup.answer().await;
            self.found(answer);
        }
        self.quiet = Quiet::new();
        self.look_at = Instant::now() + self.quiet.next_wait();
        self.evidence
    }

    /// What comes next. May be dropped while it waits, and called again.
    pub async fn next(&mut self) -> Output {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Output::Event(event);
            }
            if self.reader.is_finished() {
                return Output::End(End::Final);
            }
            // What comes in while the journal is read waits in the subscription: read before it, it would be one more gap.
            let listens = !matches!(self.lookup, Lookup::Journal(_));
            let alarm = self.look_at.min(self.ends_at);
            let alarm = self.waits_until.map_or(alarm, |until| alarm.min(until));
            tokio::select! {
                biased;
                message = self.live.next(), if listens => match message {
                    Some(message) => self.heard(message),
                    None => return Output::End(End::ComeBack),
                },
                answer = self.lookup.answer() => self.found(answer),
                () = self.stop.cancelled() => return Output::End(End::ComeBack),
                changed = self.connections.changed() => {
                    if changed.is_err() {
                        return Output::End(End::ComeBack);
                    }
                    self.reader.forget_places();
                    self.look_at = self.look_at.min(Instant::now() + AFTER_RECONNECT);
                }
                () = sleep_until(alarm) => {
                    if Instant::now() >= self.ends_at {
                        return Output::End(End::ComeBack);
                    }
                    if self.waits_until.is_some_and(|until| Instant::now() >= until) {
                        self.waits_until = None;
                        tokio::spawn(waiting::tell(self.app.clone(), self.session, self.request));
                    }
                    if Instant::now() >= self.look_at {
                        self.look_into_journal();
                    }
                }
            }
        }
    }

    fn heard(&mut self, message: async_nats::Message) {
        let stream_seq = message
            .headers
            .as_ref()
            .and_then(|headers| headers.get("Nats-Sequence")?.as_str().parse().ok())
            .unwrap_or_default();
        let Some(event) = TokenEvent::read(message.headers.as_ref(), message.payload) else {
            return;
        };
        match self.reader.live(event, stream_seq) {
            Step::Show(event) => {
                self.ready.push_back(event);
                self.went_on();
            }
            Step::Known => self.went_on(),
            Step::Nothing => {}
            Step::LookUp if self.stuck => {}
            Step::LookUp => self.look_into_journal(),
        }
    }

    fn found(&mut self, answer: Answer) {
        self.lookup = Lookup::None;
        match answer {
            Answer::Journal(Ok(page)) => {
                if !page.is_empty() {
                    self.evidence = Evidence::Ours;
                }
                let found = self.reader.journal(page);
                self.ready.extend(found.show);
                self.stuck = found.gap;
                if found.progress && !found.gap {
                    self.went_on();
                } else if !self.reader.is_finished() {
                    self.look_into_rows();
                }
            }
            Answer::Journal(Err(error)) => {
                debug!(%error, "the journal could not be read");
                self.look_into_rows();
            }
            Answer::Row(Ok(Some(row))) if row.session != self.session => self.evidence = Evidence::Foreign,
            Answer::Row(Ok(Some(row))) => {
                self.evidence = Evidence::Ours;
                if let Some(reply) = row.reply {
                    self.ready.extend(self.reader.stored(&reply));
                }
            }
            Answer::Row(Ok(None)) => {}
            Answer::Row(Err(Away)) => {
                if self.evidence == Evidence::None {
                    self.evidence = Evidence::Unknown;
                }
            }
        }
    }

    fn went_on(&mut self) {
        self.waits_until = None;
        self.stuck = false;
        self.quiet = Quiet::new();
        self.look_at = Instant::now() + self.quiet.next_wait();
    }

    fn look_into_journal(&mut self) {
        self.look_at = Instant::now() + self.quiet.next_wait();
        let app = self.app.clone();
        let subject = app.nats.subjects.tokens(self.session, self.request);
        let from = self.reader.journal_from();
        self.lookup = Lookup::Journal(Box::pin(async move {
            journal::events(&app.nats, &subject, from).await
        }));
    }

    fn look_into_rows(&mut self) {
        let (stored, request) = (self.app.stored.clone(), self.request);
        self.lookup = Lookup::Row(Box::pin(async move { stored.request(request).await }));
    }
}
