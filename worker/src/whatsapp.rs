//! One turn on WhatsApp: all that a visitor wrote in one go, answered by one reply that nobody reads before it is whole. So
//! nothing is journalled, and what was not stored is simply said anew.

use std::time::Duration;

use shared::db::commit::{Committed, NewReply, Part};
use shared::db::turn::{Release, TurnInput, TurnRequest};
use shared::event::EventData;
use shared::whatsapp::Address;
use time::OffsetDateTime;
use tracing::{info, warn};
use uuid::Uuid;

use crate::agents::offline::joint;
use crate::agents::{IncomingMessage, Turn};
use crate::commit::StoreError;
use crate::deliver::{outbox, typing};
use crate::journal::WriteError;
use crate::lease::Lease;
use crate::speak::{Ends, Interrupted, Journal, Pace, Spoken, speak};
use crate::takeover::Sent;
use crate::turn::{self, After, MAX_ATTEMPTS, RETRY};
use crate::worker::Worker;

/// So often a reply makes way for what was written meanwhile; then it is sent, and what came gets one of its own.
const MAX_OVERTAKEN: u32 = 3;

/// Answers all that waits in a leased session.
pub async fn run(worker: &Worker, lease: &Lease, input: &TurnInput) -> After {
    let Some(address) = &input.address else {
        // The intake writes it before anything else of the session.
        warn!(session = %lease.session, "❌ Error: nobody knows where this visitor is reached");
        return After::GiveBack(Release::Failed { after: RETRY.longest });
    };
    let turn = turn_of(worker, input);
    let mut sent = Sent::default();
    let mut typing = None;
    let spoken = if input.request.attempts > MAX_ATTEMPTS {
        Ok(Spoken::Failed {
            retry: false,
            code: "too_many_attempts",
        })
    } else {
        typing = (input.request.provider_id.as_deref())
            .map(|message_id| typing::show(&worker.deliveries, address, message_id));
        let stop = async {
            // What made this turn's messages make way is not among them: the visitor has deleted it, or it was answered before.
            match input.stopped {
                false => lease.stopped_at(input.last_stream_seq()).await,
                true => std::future::pending().await,
            }
        };
        let ends = Ends {
            stop,
            lost: &lease.lost,
            hard: &worker.lifecycle.hard,
        };
        let pace = Pace {
            token_delay: Duration::ZERO,
            ..worker.pace
        };
        speak(&*worker.agent, &turn, pace, &mut sent, &mut Unheard, ends).await
    };
    let reply = match spoken {
        Ok(Spoken::Whole(outcome)) => {
            let buttons = outcome.quick_replies.clone();
            let (reply, _) = turn::whole(lease, input, sent, outcome);
            addressed(reply, input, address, &buttons)
        }
        Ok(Spoken::Failed { retry: true, code }) if input.request.attempts < MAX_ATTEMPTS => {
            warn!(session = %lease.session, request = %input.request.id, code, "❌ Error: the turn will be tried again");
            let after = RETRY.wait_before(input.request.attempts);
            return After::GiveBack(Release::Failed { after });
        }
        Ok(Spoken::Failed { code, .. }) => failed(lease, input, &turn, address, code),
        // What has come meanwhile cannot wait, and the next turn answers it with the rest.
        Ok(Spoken::Stopped) => return hand_over(),
        Err(Interrupted::Write(WriteError::Lost(_))) => return After::Gone,
        Err(Interrupted::Write(_) | Interrupted::HandOver) => return hand_over(),
    };
    if let Some(typing) = typing {
        typing.end().await;
    }
    match store(worker, lease, input, reply).await {
        Err(StoreError::Refused) => {
            let reply = failed(lease, input, &turn, address, "reply_not_storable");
            store(worker, lease, input, reply).await
        }
        stored => stored,
    }
    .unwrap_or_else(|_| hand_over())
}

/// Commits the reply with its outbox, unless something else has come that it had better cover, too.
async fn store(
    worker: &Worker,
    lease: &Lease,
    input: &TurnInput,
    reply: NewReply,
) -> Result<After, StoreError> {
    let overtaken = input.requests().map(|request| request.overtaken).max();
    let (agent, code) = (reply.active_agent.clone(), reply.error.clone());
    let reply = NewReply {
        join: overtaken.unwrap_or_default() < MAX_OVERTAKEN,
        revision: input.requests().map(|request| request.revision).sum(),
        go_on: false,
        ..reply
    };
    match worker.commits.store(lease, reply).await? {
        Committed::Stored { lock, .. } => {
            if let Some(code) = code {
                warn!(session = %lease.session, request = %input.request.id, code, "❌ Error: the request has failed");
            }
            if let (Some(agent), Some((ttl, locked_at))) = (agent, lock) {
                turn::log_lock(lease, &agent, locked_at, ttl);
            }
            worker.deliveries.wake();
            Ok(After::Idle)
        }
        Committed::Overtaken => {
            info!(session = %lease.session, "the visitor has written more, or deleted it: the reply is not sent");
            Ok(After::Idle)
        }
        Committed::Lost => Ok(After::Gone),
    }
}

fn hand_over() -> After {
    After::GiveBack(Release::HandedOver {
        after: Duration::ZERO,
    })
}

/// The reply of a turn that is given up: the visitor reads that, too.
fn failed(lease: &Lease, input: &TurnInput, turn: &Turn, address: &Address, code: &'static str) -> NewReply {
    let mut sent = Sent::default();
    sent.push(&joint::apology(turn));
    let (reply, _) = turn::failed(lease, input, sent, code);
    addressed(reply, input, address, &[])
}

/// The reply with what is to be sent of it.
fn addressed(reply: NewReply, input: &TurnInput, address: &Address, buttons: &[String]) -> NewReply {
    // What the provider tells later of an apology says nothing of the reply that took its place.
    let retries = input.request.retries;
    let parts = outbox::parts(address.provider, &reply.body, buttons).into_iter();
    let deliveries = (0..)
        .zip(parts)
        .map(|(part, outbox::Part { body, buttons })| Part {
            id: Uuid::new_v5(&reply.id, format!("part {part} of {retries}").as_bytes()),
            part,
            body,
            buttons,
        });
    NewReply {
        deliveries: deliveries.collect(),
        ..reply
    }
}

fn turn_of(worker: &Worker, input: &TurnInput) -> Turn {
    let request = |request: &TurnRequest| IncomingMessage {
        request_id: request.id.0,
        content: request.body.clone(),
        media: request.media.clone(),
        // A provider's clock that goes ahead of ours is not believed.
        written: (request.sent_at).map_or(request.received_at, |sent| sent.min(request.received_at)),
    };
    let requests: Vec<_> = input.requests().map(request).collect();
    let turn = Turn {
        now: (requests.iter().map(|request| request.written)).fold(OffsetDateTime::now_utc(), Ord::max),
        requests,
        ..turn::turn_of(worker, input, &Sent::default())
    };
    Turn {
        // A burst is as late as its oldest message: what came with it makes nothing fresh.
        is_late: turn.now - turn.began() > worker.stale_after,
        ..turn
    }
}

/// A journal for a reply that nobody reads yet.
struct Unheard;

impl Journal for Unheard {
    async fn emit(&mut self, _: &EventData) -> Result<(), WriteError> {
        Ok(())
    }
}
