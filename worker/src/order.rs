//! The order check: is the message we are about to answer the session's oldest one?

use std::time::Duration;

use async_nats::jetstream::stream::LastRawMessageErrorKind;
use shared::db;
use shared::db::turn::TurnInput;
use shared::nats::Nats;
use sqlx::PgPool;

/// How long the stream's leader may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// After this a session whose older message has not been taken in yet is looked at again.
pub const ORDER_WAIT: Duration = Duration::from_millis(50);

/// Whether nothing older of the session is still to be taken in or to be answered first.
///
/// A message leaves the queue only after its row is committed. So once the queue holds nothing older, nothing older can
/// appear; but it may have been taken in since our turn was begun, so PostgreSQL is asked after the queue. The question goes to the stream's leader: a replica that lags would not know of the older one.
///
/// # Errors
/// NATS or PostgreSQL did not answer.
pub async fn is_oldest(nats: &Nats, db: &PgPool, turn: &TurnInput) -> anyhow::Result<bool> {
    Ok(is_oldest_in_queue(nats, db, turn).await? && !db::turn::has_older(db, turn).await?)
}

async fn is_oldest_in_queue(nats: &Nats, db: &PgPool, turn: &TurnInput) -> anyhow::Result<bool> {
    let stream = nats
        .jetstream
        .get_stream_no_info(nats.subjects.chat_stream())
        .await?;
    let subject = nats.subjects.incoming(turn.channel, turn.session);
    let mut from = 1;
    loop {
        let next = stream
            .raw_message_builder()
            .sequence(from)
            .next_by_subject(subject.clone())
            .send();
        let next = match tokio::time::timeout(DEADLINE, next).await? {
            Ok(message) => message.sequence,
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        if next >= turn.last_stream_seq() {
            return Ok(true);
        }
        // One of ours, or answered long ago: only its ack is on its way, or was lost.
        let ours = turn.requests().any(|request| request.stream_seq == next);
        if !ours && !db::turn::is_settled(db, turn.session, next).await? {
            return Ok(false);
        }
        from = next + 1;
    }
}
