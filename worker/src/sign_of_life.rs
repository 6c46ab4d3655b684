//! A worker answers on its own subject as long as it lives; a request to a dead one comes back "no responders" at once.

use futures_util::StreamExt;
use shared::ids::WorkerId;
use shared::nats::Nats;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Answers until `cancel`.
pub async fn run(nats: Nats, worker: WorkerId, cancel: CancellationToken) {
    let mut questions = match nats.client.subscribe(nats.subjects.worker(worker)).await {
        Ok(questions) => questions,
        Err(error) => return warn!(%error, "no sign of life can be given"),
    };
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            question = questions.next() => {
                let Some(question) = question else { return };
                if let Some(reply) = question.reply {
                    let _ = nats.client.publish(reply, bytes::Bytes::new()).await;
                }
            }
        }
    }
}
