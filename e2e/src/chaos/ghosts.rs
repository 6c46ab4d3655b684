//! Events as a worker says them that does not know how far a reply is: the journal refuses them, and nobody may see them.

use std::time::Duration;

use anyhow::Result;
use async_nats::jetstream::message::PublishMessage;
use shared::event::{EVENT_HEADER, EventData, TokenEvent};
use shared::ids::{RequestId, SessionKey};
use time::OffsetDateTime;
use uuid::Uuid;

use super::stage::Stage;

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(300);

/// The places at which they would stand.
const SEQS: std::ops::RangeInclusive<u64> = 1..=12;

/// No journal is that long.
const NEVER: u64 = 1 << 40;

/// Says them for as long as it is polled, in a few of the replies that run.
pub async fn haunt(stage: &Stage) {
    loop {
        tokio::time::sleep(PAUSE).await;
        // Where a server is away there is nobody to be haunted.
        let _ = round(stage).await;
    }
}

async fn round(stage: &Stage) -> Result<()> {
    let running: Vec<(Uuid, i64, Uuid)> = sqlx::query_as(
        "select s.connection_id, s.lease_epoch, m.id
        from conversation_states s join lateral (
            select id from messages
            where connection_id = s.connection_id and status = 'pending' order by stream_seq limit 1) m on true
        where s.pending > 0 and s.lease_owner is not null order by random() limit 4",
    )
    .fetch_all(&stage.db)
    .await?;
    if !stage.nats.is_usable() {
        return Ok(());
    }
    for (connection, epoch, request) in running {
        let session = SessionKey::from_connection_id(connection);
        let subject = stage.nats.subjects.tokens(session, RequestId(request));
        for seq in SEQS {
            let data = EventData::text("ghost ".into(), OffsetDateTime::now_utc());
            let event = TokenEvent::new(epoch.cast_unsigned(), seq, &data);
            let message = PublishMessage::build()
                .payload(event.payload.clone())
                .header(EVENT_HEADER, event.header())
                .expected_last_subject_sequence(NEVER);
            // The refusal itself tells nothing new.
            let _refusal = stage
                .nats
                .jetstream
                .send_publish(subject.clone(), message)
                .await?;
        }
    }
    Ok(())
}
