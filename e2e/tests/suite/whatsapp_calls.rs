//! A conversation on WhatsApp as a worker leads it with PostgreSQL, call by call.

use std::time::Duration;

use anyhow::Result;
use e2e::eventually;
use serde_json::json;
use shared::db;
use shared::db::commit::{Committed, NewReply, Part, ReplyStatus};
use shared::db::intake::{Arrival, Burst, Intake};
use shared::db::turn::{Release, Silent, TurnInput};
use shared::envelope::Envelope;
use shared::ids::{Channel, RequestId, WorkerId};
use shared::whatsapp::{Address, Change, Provider, Recipient, WhatsApp};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

pub const LEASE: Duration = Duration::from_secs(10);
pub const TTL: Duration = Duration::from_secs(3600);
/// Long enough for a test to see that something waits.
pub const PATIENT: Burst = Burst {
    quiet: Duration::from_secs(600),
    longest: Duration::from_secs(3600),
};
pub const AT_ONCE: Burst = Burst {
    quiet: Duration::ZERO,
    longest: Duration::ZERO,
};

pub fn address() -> Address {
    Address {
        provider: Provider::Meta,
        sender: "106".into(),
        to: Recipient::Phone("+16505551234".into()),
    }
}

pub fn id_of(provider_id: &str) -> RequestId {
    address().request(provider_id)
}

/// A message that was written `second` seconds after some instant.
pub fn arrival(provider_id: &str, content: &str, second: i64, stream_seq: u64) -> Arrival {
    let address = address();
    let mut envelope = Envelope::new(
        id_of(provider_id),
        address.session(),
        Channel::Whatsapp,
        address.device(),
        address.to.phone_number(),
    );
    envelope.content = content.into();
    envelope.whatsapp = Some(WhatsApp {
        address,
        provider_id: provider_id.into(),
        sent_at: OffsetDateTime::from_unix_timestamp(1_795_000_000 + second).expect("a time"),
        change: Change::New,
        urgent: false,
    });
    Arrival { envelope, stream_seq }
}

pub fn changed(mut arrival: Arrival, change: Change) -> Arrival {
    if let Some(whatsapp) = &mut arrival.envelope.whatsapp {
        whatsapp.change = change;
    }
    arrival
}

/// Takes them in, one call each, in the name of a worker that does not exist any more: nothing stays leased here.
pub async fn take_in(db: &PgPool, burst: Burst, arrivals: &[Arrival]) -> Result<Vec<Intake>> {
    let mut intakes = Vec::new();
    for arrival in arrivals {
        let taken = db::intake::take_in(
            db,
            WorkerId::new(),
            &[],
            LEASE,
            TTL,
            burst,
            std::slice::from_ref(arrival),
        )
        .await?;
        intakes.push(taken[0].intake);
        if let Some(turn) = &taken[0].turn {
            let owner = sqlx::query_scalar::<_, Uuid>("select lease_owner from conversation_states")
                .fetch_one(db)
                .await?;
            let after = Duration::ZERO;
            db::turn::release(db, WorkerId(owner), turn, Release::HandedOver { after }).await?;
        }
    }
    Ok(intakes)
}

pub async fn claim(db: &PgPool, worker: WorkerId) -> Result<Option<TurnInput>> {
    let silent = Silent::default();
    Ok(db::turn::claim_due(db, worker, &[], LEASE, 10, &silent)
        .await?
        .pop())
}

/// The turn that is due.
pub async fn due(db: &PgPool, worker: WorkerId) -> TurnInput {
    eventually("a turn is due", async || claim(db, worker).await.ok()?).await
}

pub fn texts(turn: &TurnInput) -> Vec<&str> {
    turn.requests().map(|request| request.body.as_str()).collect()
}

pub fn reply(turn: &TurnInput, body: &str) -> NewReply {
    let id = turn.request.id.reply_id();
    NewReply {
        connection_id: turn.session.connection_id(),
        epoch: turn.epoch,
        id,
        reply_to: turn.request.id,
        requests: turn.requests().map(|request| request.id).collect(),
        body: body.into(),
        first_seq: 1,
        piece_ends: vec![body.len()],
        status: ReplyStatus::Complete,
        error: None,
        final_fields: json!({}),
        final_said: false,
        deliveries: vec![Part {
            id: Uuid::new_v5(&id, b"0"),
            part: 0,
            body: body.into(),
            buttons: vec!["Yes".into()],
        }],
        join: true,
        revision: turn.requests().map(|request| request.revision).sum(),
        state: Some(json!({"seen": body})),
        active_agent: Some("scheduling".into()),
        language: None,
        effects: Vec::new(),
        go_on: false,
    }
}

pub async fn store(db: &PgPool, worker: WorkerId, reply: NewReply) -> Result<Committed> {
    Ok(db::commit::store(db, worker, LEASE, &[reply]).await?.remove(0))
}

pub async fn rows(db: &PgPool) -> Result<Vec<(String, String)>> {
    let sql = "select body, status from messages where direction = 'incoming' order by number";
    Ok(sqlx::query_as(sql).fetch_all(db).await?)
}

pub async fn pending(db: &PgPool) -> Result<i32> {
    Ok(sqlx::query_scalar("select pending from conversation_states")
        .fetch_one(db)
        .await?)
}
