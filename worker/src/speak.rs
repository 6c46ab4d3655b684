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
                // An empty one brings a note that cannot wait.
                if pace.token_interval.is_zero() || piece.is_empty() {
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
    // Of a reply that nobody has heard nothing has to be known: it may be said anew in another way.
    if waiting.is_empty() && (sent.text.is_empty() || !asides.has_note()) {
        return Ok(());
    }
    let text = std::mem::take(waiting);
    sent.push(&text);
    let mut data = EventData::text(text, OffsetDateTime::now_utc());
    data.note = asides.take_note();
    journal.emit(&data).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shared::clinic::Clinic;
    use uuid::Uuid;

    use super::*;
    use crate::agents::{Agent, IncomingMessage};

    /// Says this before and after it has made a note, and then nothing for ever.
    struct Noting(&'static str);

    impl Agent for Noting {
        fn name(&self) -> &'static str {
            "noting"
        }

        async fn run(&self, _: &Turn, reply: &mut Reply) -> Result<Outcome, AgentError> {
            reply.piece(self.0).await?;
            reply.note_at_once("a call".to_owned()).await?;
            std::future::pending().await
        }
    }

    #[derive(Default)]
    struct Kept(Vec<(String, Option<String>)>);

    impl Journal for Kept {
        async fn emit(&mut self, data: &EventData) -> Result<(), WriteError> {
            self.0.push((data.content.clone(), data.note.clone()));
            Ok(())
        }
    }

    /// What is in the journal when the worker ends.
    async fn journalled(agent: Noting, already: &str) -> Vec<(String, Option<String>)> {
        let request = IncomingMessage {
            request_id: Uuid::nil(),
            content: "yes".to_owned(),
            media: Vec::new(),
            written: OffsetDateTime::UNIX_EPOCH,
        };
        let turn = Turn::bare(Arc::new(Clinic::shipped()), request, OffsetDateTime::UNIX_EPOCH);
        let pace = Pace {
            token_interval: Duration::from_secs(3600),
            token_delay: Duration::ZERO,
            deadline: Duration::from_secs(3600),
        };
        let (lost, hard) = (CancellationToken::new(), CancellationToken::new());
        let ends = Ends {
            // Where time stands still while anything is done, this comes once nothing is.
            stop: tokio::time::sleep(Duration::from_millis(1)),
            lost: &lost,
            hard: &hard,
        };
        let mut sent = Sent::default();
        if !already.is_empty() {
            sent.push(already);
        }
        let mut kept = Kept::default();
        let spoken = speak(&agent, &turn, pace, &mut sent, &mut kept, ends).await;
        assert!(matches!(spoken, Ok(Spoken::Stopped)));
        kept.0
    }

    #[tokio::test(start_paused = true)]
    async fn a_note_does_not_wait_for_text_where_some_has_been_sent_and_is_not_kept_where_none_has() {
        let noted = |text: &str| (text.to_owned(), Some("a call".to_owned()));
        // Both pieces were there before the first event.
        assert_eq!(
            journalled(Noting("I'll send it."), "").await,
            [noted("I'll send it.")]
        );
        assert_eq!(journalled(Noting("Hello"), "Hello").await, [noted("")]);
        assert_eq!(journalled(Noting(""), "").await, []);
    }
}
