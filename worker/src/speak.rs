//! Running an agent: its pieces become events, the first at once, the others at the pace of the token interval.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use shared::event::EventData;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::agents::{AgentError, Asides, Outcome, Reply, Turn};
use crate::erased::AnyAgent;
use crate::journal::WriteError;
use crate::lease::Lost;
use crate::takeover::{Continuation, Sent};

/// Pieces that an agent can be ahead of the journal.
const AHEAD: usize = 64;

/// How a run of the agent ended.
#[derive(Debug)]
pub enum Spoken {
    /// It said everything.
    Whole(Outcome),
    /// It failed; what it said until then has been sent.
    Failed {
        /// Whether another run may go well.
        retry: bool,
        /// A stable code in snake case.
        code: &'static str,
    },
    /// The visitor wanted no more; what it said until then has been sent.
    Stopped,
}

/// What ends a run before the agent does.
pub struct Ends<'a, Stop> {
    /// Comes when the visitor wants no more.
    pub stop: Stop,
    /// The lease is lost.
    pub lost: &'a CancellationToken,
    /// The worker ends.
    pub hard: &'a CancellationToken,
}

/// Why a run did not end.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// See [`WriteError`].
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The worker ends now.
    #[error("the worker ends")]
    HandOver,
}

/// How an agent is run.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// At most one event in this time; zero: one a piece.
    pub token_interval: Duration,
    /// Between the words of the offline engine.
    pub token_delay: Duration,
    /// For the whole reply.
    pub deadline: Duration,
}

/// Where events go, in order.
pub trait Journal: Send {
    /// Journals the next event.
    ///
    /// # Errors
    /// See [`WriteError`].
    fn emit(&mut self, data: &EventData) -> impl Future<Output = Result<(), WriteError>> + Send;
}

/// Runs `agent` and journals what it says after what had been `sent`; adds to `sent` what went out.
///
/// # Errors
/// See [`Interrupted`]; the turn is not over then.
pub async fn speak(
    agent: &dyn AnyAgent,
    turn: &Turn,
    pace: Pace,
    sent: &mut Sent,
    journal: &mut impl Journal,
    ends: Ends<'_, impl Future<Output = ()>>,
) -> Result<Spoken, Interrupted> {
    let mut stop = std::pin::pin!(ends.stop);
    let mut continuation = Continuation::of(&sent.text);
    let (pieces, mut said) = mpsc::channel(AHEAD);
    let mut reply = Reply::new(pieces, pace.token_delay);
    let asides = reply.asides();
    let mut run = AssertUnwindSafe(agent.run_any(turn, &mut reply)).catch_unwind();
    let deadline = Instant::now() + pace.deadline;
    let mut waiting = String::new();
    let mut next_event = Instant::now();

    let result = loop {
        tokio::select! {
            biased;
            () = ends.lost.cancelled() => return Err(WriteError::from(Lost).into()),
            () = &mut stop => return Ok(Spoken::Stopped),
            () = ends.hard.cancelled() => return Err(Interrupted::HandOver),
            Some(piece) = said.recv() => {
                if asides.goes_on() {
                    continuation.goes_on();
                }
                waiting.push_str(&continuation.next(&piece));
                if pace.token_interval.is_zero() {
                    flush(&mut waiting, &asides, sent, journal).await?;
                }
            }
            () = tokio::time::sleep_until(next_event), if !waiting.is_empty() => {
                flush(&mut waiting, &asides, sent, journal).await?;
                next_event = Instant::now() + pace.token_interval;
            }
            result = &mut run => break result,
            () = tokio::time::sleep_until(deadline) => break Ok(Err(AgentError::Retry { code: "agent_timed_out" })),
        }
    };
    if asides.goes_on() {
        continuation.goes_on();
    }
    while let Ok(piece) = said.try_recv() {
        waiting.push_str(&continuation.next(&piece));
        if pace.token_interval.is_zero() {
            flush(&mut waiting, &asides, sent, journal).await?;
        }
    }
    let spoken = match result {
        Ok(Ok(outcome)) => {
            waiting.push_str(&continuation.end());
            Spoken::Whole(outcome)
        }
        Ok(Err(AgentError::Retry { code })) => Spoken::Failed { retry: true, code },
        Ok(Err(AgentError::Fail { code })) => Spoken::Failed { retry: false, code },
        Ok(Err(AgentError::Cancelled)) => Spoken::Failed {
            retry: true,
            code: "agent_cancelled",
        },
        Err(_) => Spoken::Failed {
            retry: true,
            code: "agent_panicked",
        },
    };
    flush(&mut waiting, &asides, sent, journal).await?;
    Ok(spoken)
}

async fn flush(
    waiting: &mut String,
    asides: &Asides,
    sent: &mut Sent,
    journal: &mut impl Journal,
) -> Result<(), WriteError> {
    if waiting.is_empty() {
        return Ok(());
    }
    let text = std::mem::take(waiting);
    sent.push(&text);
    let mut data = EventData::text(text, OffsetDateTime::now_utc());
    data.note = asides.take_note();
    journal.emit(&data).await
}
