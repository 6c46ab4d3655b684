//! Storing replies: commits of concurrent turns share a call, and are repeated until their outcome is known.

use shared::batch::Batcher;
use shared::db::{
    self,
    turn::{Committed, NewReply},
};
use shared::ids::WorkerId;
use shared::retry::{self, BRIEFLY};
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::lease::{Lease, Leases};

/// Replies that one call stores at most.
const BATCH: usize = 128;

/// An answered commit, with the instant before its call was sent.
type Answer = Result<(Committed, Instant), String>;

/// Stores replies.
#[derive(Clone)]
pub struct Commits {
    batcher: Batcher<NewReply, Answer>,
    hard: CancellationToken,
}

/// Why it is not known whether a reply was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the commit was given up")]
pub struct GivenUp;

impl Commits {
    /// Stores through `db` in the name of `worker`, until `hard`.
    pub fn new(db: PgPool, worker: WorkerId, leases: &Leases, hard: CancellationToken) -> Self {
        let length = leases.length();
        let cancel = hard.clone();
        let batcher = Batcher::new(BATCH, move |replies: Vec<NewReply>| {
            let (db, cancel) = (db.clone(), cancel.clone());
            async move {
                let call = async |replies: &[NewReply]| {
                    let sent = Instant::now();
                    let committed = db::turn::commit(&db, worker, length, replies).await?;
                    Ok::<_, sqlx::Error>((committed, sent))
                };
                let all = retry::retry(BRIEFLY, &cancel, db::is_temporary, || call(&replies)).await;
                match all {
                    Ok((committed, sent)) => {
                        committed.into_iter().map(|outcome| Ok((outcome, sent))).collect()
                    }
                    Err(error) if replies.len() == 1 || db::is_temporary(&error) => {
                        let code = db::code(&error);
                        replies.iter().map(|_| Err(code.clone())).collect()
                    }
                    // One of them is at fault: let the others through.
                    Err(_) => {
                        let mut answers = Vec::with_capacity(replies.len());
                        for reply in &replies {
                            let one = call(std::slice::from_ref(reply)).await;
                            answers.push(match one {
                                Ok((mut committed, sent)) => committed
                                    .pop()
                                    .map(|outcome| (outcome, sent))
                                    .ok_or_else(|| "no answer".into()),
                                Err(error) => Err(db::code(&error)),
                            });
                        }
                        answers
                    }
                }
            }
        });
        Self { batcher, hard }
    }

    /// Stores a reply, waiting for PostgreSQL as long as it takes.
    ///
    /// # Errors
    /// The worker ends, or the lease is known to be lost, before the outcome is known.
    pub async fn store(&self, lease: &Lease, reply: NewReply) -> Result<Committed, GivenUp> {
        let mut waits = retry::UNTIL_CANCELLED.waits();
        loop {
            let answer = tokio::select! {
                () = self.hard.cancelled() => return Err(GivenUp),
                answer = self.batcher.submit(reply.clone()) => answer.unwrap_or_else(|_| Err("no answer".into())),
            };
            match answer {
                Ok((committed, sent)) => {
                    if matches!(committed, Committed::Stored { next: Some(_), .. }) {
                        lease.prolonged(sent);
                    }
                    return Ok(committed);
                }
                Err(code) => {
                    warn!(session = %lease.session, code, "❌ Error: a reply could not be stored yet")
                }
            }
            let wait = waits.next().unwrap_or(retry::UNTIL_CANCELLED.longest);
            tokio::select! {
                () = self.hard.cancelled() => return Err(GivenUp),
                () = lease.lost.cancelled() => return Err(GivenUp),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}
