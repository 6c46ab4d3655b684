//! Intake, lease and commit against a real PostgreSQL, call by call.

mod answered;
mod commit;
mod intake;

use std::time::Duration;

use serde_json::json;
use shared::db::commit::{NewReply, ReplyStatus};
use shared::db::intake::{Arrival, Burst, TakenIn};
use shared::db::turn::{Silent, TurnInput};
use shared::envelope::Envelope;
use shared::ids::{Channel, RequestId, SessionKey, WorkerId};
use sqlx::PgPool;

const LEASE: Duration = Duration::from_secs(10);
const TTL: Duration = Duration::from_secs(3600);
/// For WhatsApp; no message here is from there.
const BURST: Burst = Burst {
    quiet: Duration::ZERO,
    longest: Duration::ZERO,
};

fn arrival(device: &str, content: &str, stream_seq: u64) -> Arrival {
    Arrival {
        envelope: Envelope {
            content: content.into(),
            ..Envelope::new(
                RequestId::new(),
                SessionKey::derive(Channel::Web, device, None),
                Channel::Web,
                device,
                format!("chat_{device}"),
            )
        },
        stream_seq,
    }
}

fn reply(turn: &TurnInput, body: &str) -> NewReply {
    NewReply {
        connection_id: turn.session.connection_id(),
        epoch: turn.epoch,
        id: turn.request.id.reply_id(),
        reply_to: turn.request.id,
        requests: vec![turn.request.id],
        body: body.into(),
        first_seq: 1,
        piece_ends: vec![body.len()],
        status: ReplyStatus::Complete,
        error: None,
        final_fields: json!({}),
        final_said: false,
        deliveries: Vec::new(),
        join: false,
        revision: 0,
        state: Some(json!({"seen": body})),
        active_agent: Some("moody".into()),
        language: None,
        effects: vec![json!({"type": "consent", "id": turn.request.id, "text_version": "1", "given": true})],
        go_on: true,
    }
}

/// An intake of a worker that runs nothing yet.
async fn take_in(db: &PgPool, worker: WorkerId, arrivals: &[Arrival]) -> sqlx::Result<Vec<TakenIn>> {
    shared::db::intake::take_in(db, worker, &[], LEASE, TTL, BURST, arrivals).await
}

/// What is due, taken by a worker that runs nothing yet and knows of no silent one.
async fn claim_due(db: &PgPool, worker: WorkerId) -> sqlx::Result<Vec<TurnInput>> {
    shared::db::turn::claim_due(db, worker, &[], LEASE, 10, &Silent::default()).await
}
