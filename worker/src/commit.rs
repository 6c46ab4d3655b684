//! Storing replies: commits of concurrent turns share a call, and are repeated until their outcome is known.

use shared::batch::{Batcher, GivenUp};
use shared::db;
use shared::db::commit::{Committed, NewReply};
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
type Answer = Result<(Committed, Instant), Trouble>;

/// Why a call stored nothing, or may have.
#[derive(Clone, Debug)]
struct Trouble {
    /// The row's own data is at fault.
    for_good: bool,
    code: String,
}

impl From<&sqlx::Error> for Trouble {
    fn from(error: &sqlx::Error) -> Self {
        Self {
            for_good: db::is_about_the_data(error),
            code: db::code(error),
        }
    }
}

/// Stores replies.
#[derive(Clone)]
pub struct Commits {
    batcher: Batcher<NewReply, Answer>,
    hard: CancellationToken,
}

/// Why a reply was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The worker ends, or the lease is lost, before the outcome is known.
    #[error("the commit was given up")]
    GivenUp,
    /// PostgreSQL refuses what the reply contains.
    #[error("the reply cannot be stored")]
    Refused,
}

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
                    let committed = db::commit::store(&db, worker, length, replies).await?;
                    Ok::<_, sqlx::Error>((committed, sent))
                };
                let all = retry::retry(BRIEFLY, &cancel, db::is_temporary, || call(&replies)).await;
                let error = match all {
                    Ok((committed, sent)) => {
                        return committed.into_iter().map(|outcome| Ok((outcome, sent))).collect();
                    }
                    Err(error) => error,
                };
                if replies.len() == 1 || !db::is_about_the_data(&error) {
                    let trouble = Trouble::from(&error);
                    return replies.iter().map(|_| Err(trouble.clone())).collect();
                }
                // One of them is at fault: let the others through.
                let mut answers = Vec::with_capacity(replies.len());
                for reply in &replies {
                    let one = call(std::slice::from_ref(reply)).await;
                    answers.push(match one {
                        Ok((mut committed, sent)) => {
                            let missing = || Trouble {
                                for_good: false,
                                code: "no_answer".into(),
                            };
                            committed.pop().map(|outcome| (outcome, sent)).ok_or_else(missing)
                        }
                        Err(error) => Err(Trouble::from(&error)),
                    });
                }
                answers
            }
        });
        Self { batcher, hard }
    }

    /// Stores a reply, waiting for PostgreSQL as long as it takes.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn store(&self, lease: &Lease, reply: NewReply) -> Result<Committed, StoreError> {
        let mut waits = retry::UNTIL_CANCELLED.waits();
        loop {
            let answer = tokio::select! {
                () = self.hard.cancelled() => return Err(StoreError::GivenUp),
                answer = self.batcher.submit(reply.clone()) => answer,
            };
            match answer {
                Ok(Ok((committed, sent))) => {
                    if matches!(committed, Committed::Stored { next: Some(_), .. }) {
                        lease.prolonged(sent);
                    }
                    return Ok(committed);
                }
                Ok(Err(Trouble { for_good, code })) => {
                    warn!(session = %lease.session, code, "❌ Error: a reply could not be stored");
                    if for_good {
                        return Err(StoreError::Refused);
                    }
                }
                Err(GivenUp) => return Err(StoreError::GivenUp),
            }
            let wait = waits.next().unwrap_or(retry::UNTIL_CANCELLED.longest);
            tokio::select! {
                () = self.hard.cancelled() => return Err(StoreError::GivenUp),
                () = lease.lost.cancelled() => return Err(StoreError::GivenUp),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}
