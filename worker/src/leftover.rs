//! Messages that the queue still has and will never deliver again.
//!
//! A NATS server that ends right after an ack may have counted the ack and kept the message. It would stay for good.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use shared::envelope::Envelope;
use tracing::{info, warn};

use crate::intake::{self, Intakes, Refused};
use crate::worker::Worker;

/// Looks for them every `interval` until the soft token is cancelled.
pub async fn run(worker: Arc<Worker>, intakes: Intakes, interval: Duration) {
    loop {
        tokio::select! {
            () = worker.lifecycle.soft.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        match sweep(&worker, &intakes).await {
            Ok(0) => {}
            Ok(count) => info!(count, "messages were left in the queue after their ack"),
            Err(error) => warn!(%error, "the queue could not be swept"),
        }
    }
}

/// Removes what the consumer has behind it, and returns how much that was.
async fn sweep(worker: &Arc<Worker>, intakes: &Intakes) -> Result<u32, async_nats::Error> {
    let subjects = &worker.nats.subjects;
    let stream = worker.nats.jetstream.get_stream(subjects.chat_stream()).await?;
    let mut from = stream.cached_info().state.first_sequence;
    let consumer = stream.consumer_info(subjects.workers_consumer()).await?;
    let acked = consumer.ack_floor.stream_sequence;
    let mut count = 0;
    while from <= acked {
        let next = stream
            .raw_message_builder()
            .sequence(from)
            .next_by_subject(subjects.all_incoming());
        let message = match next.send().await {
            Ok(message) => message,
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => break,
            Err(error) => return Err(error.into()),
        };
        if message.sequence > acked {
            break;
        }
        if is_in_hand(worker, intakes, &message).await {
            count += u32::from(stream.delete_message(message.sequence).await?);
        }
        from = message.sequence + 1;
    }
    Ok(count)
}

/// Takes it in as if it came again: it is known then, and if ever it is not, it is not lost. What cannot be read or stored was
/// moved to the dead stream before it was acknowledged.
async fn is_in_hand(worker: &Arc<Worker>, intakes: &Intakes, message: &StreamMessage) -> bool {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(&message.payload) else {
        return true;
    };
    let stream_seq = message.sequence;
    let Ok(slot) = worker.slots.clone().acquire_owned().await else {
        return false;
    };
    match intakes.submit(intake::arrival(envelope, stream_seq)).await {
        Ok(Ok((taken, sent))) => {
            if let Some(turn) = taken.turn {
                worker.run_session(turn, sent, slot);
            }
            true
        }
        Ok(Err(Refused::ForGood(_))) => true,
        Ok(Err(Refused::ForNow(_))) | Err(_) => false,
    }
}
