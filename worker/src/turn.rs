//! One turn: order check, agent, commit, final event.

use std::time::Duration;

use serde_json::{Value, json};
use shared::db::commit::{Committed, NewReply, ReplyStatus};
use shared::db::reply;
use shared::db::turn::{Release, TurnInput};
use shared::event::{EventData, EventExtra};
use shared::ids::Channel;
use shared::retry::Policy;
use shared::topology::JOURNAL_AGE;
use time::OffsetDateTime;
use tracing::{info, warn};
use uuid::Uuid;

use crate::agents::{IncomingMessage, Outcome, PastMessage, Profile, Turn};
use crate::commit::StoreError;
use crate::journal::{WriteError, Writer};
use crate::lease::Lease;
use crate::order;
use crate::speak::{Ends, Interrupted, Journal, Spoken, speak};
use crate::takeover::{Past, Sent};
use crate::whatsapp;
use crate::worker::Worker;

/// A request is given up after so many turns.
pub const MAX_ATTEMPTS: u32 = 5;

/// Until the next turn of a request whose last one failed.
pub(crate) const RETRY: Policy = Policy {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(30),
    give_up_after: None,
};

/// How long the final event may take to be confirmed; readers find it in PostgreSQL, too.
const FINISH_DEADLINE: Duration = Duration::from_secs(10);

/// Until the next turn of a request whose last one could not ask NATS.
const NATS_WAIT: Duration = Duration::from_millis(500);

/// A message that has waited for so long may have been told, by a worker or by the api, before its first turn.
const MAY_BE_TOLD: Duration = Duration::from_secs(1);

/// How often a turn reads the journal anew because somebody else had written to it.
const MAX_CONTESTS: usize = 5;

/// What follows a turn.
pub enum After {
    /// The session's next turn, under the same lease.
    Next(Box<TurnInput>),
    /// The session was given back in the commit.
    Idle,
    /// The session is to be given back.
    GiveBack(Release),
    /// The session is another worker's by now.
    Gone,
}

/// Runs one turn of a leased session.
pub async fn run(worker: &Worker, lease: &Lease, input: &TurnInput) -> After {
    match order::is_oldest(&worker.nats, &worker.db, input).await {
        Ok(true) => {}
        Ok(false) => {
            return After::GiveBack(Release::HandedOver {
                after: order::ORDER_WAIT,
            });
        }
        Err(error) => {
            warn!(session = %lease.session, %error, "❌ Error: the order could not be checked");
            return After::GiveBack(Release::HandedOver { after: NATS_WAIT });
        }
    }
    if input.channel == Channel::Whatsapp {
        return whatsapp::run(worker, lease, input).await;
    }
    let request = &input.request;
    let waited = OffsetDateTime::now_utc() - request.received_at;
    let past = Past {
        stream_seq: request.stream_seq,
        forgotten: waited > JOURNAL_AGE || request.retries > 0,
    };
    // Nobody can have written before a first turn, and expecting an empty journal says the same. One that had to wait may have
    // been told so.
    let untold = request.turns <= 1 && request.ahead == 0 && request.retries == 0 && waited < MAY_BE_TOLD;
    for contest in 0..MAX_CONTESTS {
        let sent = if untold && contest == 0 {
            Sent::default()
        } else {
            match Sent::read(&worker.nats, lease.session, request.id, lease.epoch, past).await {
                Ok(sent) => sent,
                Err(error) => {
                    warn!(session = %lease.session, %error, "❌ Error: the journal could not be read");
                    break;
                }
            }
        };
        match answer(worker, lease, input, sent).await {
            Ok(after) => return after,
            Err(Interrupted::Write(WriteError::Contested)) => {}
            Err(Interrupted::Write(WriteError::Lost(_))) => return After::Gone,
            Err(Interrupted::Write(WriteError::HandOver) | Interrupted::HandOver) => {
                return After::GiveBack(Release::HandedOver {
                    after: Duration::ZERO,
                });
            }
        }
    }
    // NATS's trouble is none of the request's: this is no attempt.
    After::GiveBack(Release::HandedOver { after: NATS_WAIT })
}

/// Says what has not been said yet, stores the reply and ends it.
async fn answer(
    worker: &Worker,
    lease: &Lease,
    input: &TurnInput,
    mut sent: Sent,
) -> Result<After, Interrupted> {
    let mut writer = Writer::new(
        &worker.nats,
        lease,
        &worker.lifecycle.hard,
        input.request.id,
        sent.next_seq(),
        sent.last_stream_seq,
    );
    if sent.is_anothers || sent.begins_anew {
        // Takes the place after what was sent, so that whoever wrote before cannot go on.
        let mut data = EventData::text(String::new(), OffsetDateTime::now_utc());
        data.extra.reset = sent.begins_anew;
        sent.push("");
        writer.emit(&data).await?;
        writer.confirm_first().await?;
        info!(session = %lease.session, request = %input.request.id, epoch = lease.epoch, "reply taken over");
    }
    let spoken = if let Some(extra) = sent.finished.take() {
        // Somebody has answered it whole, and could not store it.
        let (reply, _) = new_reply(lease, input, sent, extra, |reply| reply.final_said = true);
        return store(worker, lease, &mut writer, reply, Last::Said)
            .await
            .map_err(|_| Interrupted::HandOver);
    } else if input.stopped {
        Spoken::Stopped
    } else if input.request.attempts > MAX_ATTEMPTS {
        Spoken::Failed {
            retry: false,
            code: "too_many_attempts",
        }
    } else {
        let turn = turn_of(worker, input, &sent);
        let stop = async {
            // What an operator had run again is to run.
            match input.request.retries {
                0 => lease.stopped_at(input.request.stream_seq).await,
                _ => std::future::pending().await,
            }
        };
        let (lost, hard) = (&lease.lost, &worker.lifecycle.hard);
        let ends = Ends { stop, lost, hard };
        speak(&*worker.agent, &turn, worker.pace, &mut sent, &mut writer, ends).await?
    };
    if writer.is_silent() {
        // Nothing was left to be said. Whoever else may be writing has to be kept from going on all the same.
        sent.push("");
        let nothing = EventData::text(String::new(), OffsetDateTime::now_utc());
        writer.emit(&nothing).await?;
    }
    // A reply of a single event has not met a competitor yet.
    writer.confirm_first().await?;

    let sent_so_far = sent.clone();
    let (reply, extra) = match spoken {
        Spoken::Whole(outcome) => whole(lease, input, sent, outcome),
        Spoken::Failed { retry: true, code } if input.request.attempts < MAX_ATTEMPTS => {
            warn!(session = %lease.session, request = %input.request.id, code, "❌ Error: the turn will be tried again");
            let after = RETRY.wait_before(input.request.attempts);
            return Ok(After::GiveBack(Release::Failed { after }));
        }
        Spoken::Failed { code, .. } => failed(lease, input, sent, code),
        Spoken::Stopped => new_reply(lease, input, sent, stopped(), |reply| {
            reply.status = ReplyStatus::Stopped;
        }),
    };
    match store(worker, lease, &mut writer, reply, Last::ToSay(extra)).await {
        Err(StoreError::Refused) => {
            let (reply, extra) = failed(lease, input, sent_so_far, "reply_not_storable");
            store(worker, lease, &mut writer, reply, Last::ToSay(extra)).await
        }
        stored => stored,
    }
    .map_err(|_| Interrupted::HandOver)
}

/// The final event's own fields.
enum Last {
    /// It is to be sent.
    ToSay(EventExtra),
    /// Readers have it.
    Said,
}

/// Commits the reply and sends its final event.
async fn store(
    worker: &Worker,
    lease: &Lease,
    writer: &mut Writer<'_>,
    reply: NewReply,
    last: Last,
) -> Result<After, StoreError> {
    if let Some(code) = &reply.error {
        warn!(session = %lease.session, request = %reply.reply_to, code, "❌ Error: the request has failed");
    }
    let agent = reply.active_agent.clone();
    let go_on = !worker.lifecycle.soft.is_cancelled();
    let stored = worker.commits.store(lease, NewReply { go_on, ..reply }).await?;
    // Only a reply on WhatsApp can be overtaken.
    let Committed::Stored {
        stopped: was_stopped,
        lock,
        next,
    } = stored
    else {
        return Ok(After::Gone);
    };
    if let (Some(agent), Some((ttl, locked_at)), false) = (agent, lock, was_stopped) {
        log_lock(lease, &agent, locked_at, ttl);
    }
    writer.is_stored();
    match last {
        Last::ToSay(extra) if was_stopped => {
            let message_id = extra.message_id;
            finish(
                lease,
                writer,
                EventExtra {
                    message_id,
                    ..stopped()
                },
            )
            .await;
        }
        Last::ToSay(extra) => finish(lease, writer, extra).await,
        Last::Said => {}
    }
    Ok(next.map_or(After::Idle, After::Next))
}

/// Says what the session is pinned to, when that is set or read.
pub fn log_lock(lease: &Lease, agent: &str, locked_at: OffsetDateTime, ttl: i32) {
    info!("Session lock for {}: {agent}", lease.session);
    info!("Session locked at: {locked_at}");
    info!("Session TTL: {ttl}");
}

/// The final event. What is stored is stored: readers that do not hear it find it in PostgreSQL.
async fn finish(lease: &Lease, writer: &mut Writer<'_>, extra: EventExtra) {
    let last = EventData::last(extra, OffsetDateTime::now_utc());
    let confirmed = tokio::time::timeout(FINISH_DEADLINE, async {
        writer.emit(&last).await?;
        writer.confirm_all().await
    });
    match confirmed.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(session = %lease.session, %error, "the final event was not confirmed"),
        Err(_) => warn!(session = %lease.session, "the final event was not confirmed in time"),
    }
}

pub(crate) fn turn_of(worker: &Worker, input: &TurnInput, sent: &Sent) -> Turn {
    Turn {
        clinic: worker.clinic.clone(),
        user: Profile {
            phone: input
                .address
                .as_ref()
                .and_then(|address| address.to.phone().map(str::to_owned)),
            name: input.user.name.clone(),
            language: input.user.language.clone(),
            consented: input.user.consented,
        },
        active_agent: input.active_agent.clone(),
        state: input.state.clone(),
        history: input
            .history
            .iter()
            .map(|message| PastMessage {
                incoming: message.incoming,
                body: message.body.clone(),
            })
            .collect(),
        requests: vec![IncomingMessage {
            request_id: input.request.id.0,
            content: input.request.body.clone(),
            media: input.request.media.clone(),
            written: input.request.received_at,
        }],
        now: input.request.received_at,
        is_late: false,
        already_sent: sent.already(),
    }
}

pub(crate) fn whole(
    lease: &Lease,
    input: &TurnInput,
    sent: Sent,
    outcome: Outcome,
) -> (NewReply, EventExtra) {
    let effects = outcome.effects.iter().enumerate().map(|(index, effect)| {
        let mut effect = json!(effect);
        // Derived, so that an effect that is written twice is the same row.
        effect["id"] = json!(Uuid::new_v5(
            &input.request.id.0,
            format!("effect {index}").as_bytes()
        ));
        effect
    });
    let extra = EventExtra {
        quick_replies: outcome.quick_replies,
        ..EventExtra::default()
    };
    new_reply(lease, input, sent, extra, |reply| {
        reply.effects = effects.collect();
        reply.state = Some(outcome.state);
        reply.active_agent = Some(outcome.active_agent);
        reply.language = outcome
            .language
            .filter(|language| input.user.language.as_ref() != Some(language));
    })
}

/// The final event's own fields of a reply that was stopped.
fn stopped() -> EventExtra {
    EventExtra {
        status: Some("stopped".into()),
        ..EventExtra::default()
    }
}

pub(crate) fn failed(
    lease: &Lease,
    input: &TurnInput,
    sent: Sent,
    code: &'static str,
) -> (NewReply, EventExtra) {
    new_reply(lease, input, sent, reply::failed(code), |reply| {
        reply.status = ReplyStatus::Failed;
        reply.error = Some(code.to_owned());
    })
}

fn new_reply(
    lease: &Lease,
    input: &TurnInput,
    sent: Sent,
    extra: EventExtra,
    complete: impl FnOnce(&mut NewReply),
) -> (NewReply, EventExtra) {
    let request = input.request.id;
    let extra = EventExtra {
        message_id: Some(request.reply_id()),
        ..extra
    };
    let mut reply = NewReply {
        connection_id: lease.session.connection_id(),
        epoch: lease.epoch,
        id: request.reply_id(),
        reply_to: request,
        requests: input.requests().map(|request| request.id).collect(),
        body: sent.text,
        first_seq: sent.first_seq,
        piece_ends: sent.piece_ends,
        status: ReplyStatus::Complete,
        error: None,
        final_fields: serde_json::to_value(&extra).unwrap_or(Value::Null),
        final_said: false,
        deliveries: Vec::new(),
        join: false,
        revision: 0,
        state: None,
        active_agent: None,
        language: None,
        effects: Vec::new(),
        go_on: true,
    };
    complete(&mut reply);
    (reply, extra)
}
