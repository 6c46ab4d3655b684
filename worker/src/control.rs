//! Hints: somebody asks whoever runs a session to look at its lease now, since it was stopped or erased.
//!
//! The truth is in PostgreSQL, and the heartbeat would find it a little later.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use bytes::Bytes;
use futures_util::StreamExt;
use shared::ids::SessionKey;
use shared::nats::Nats;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::lease::Leases;

/// How long somebody is waited for who asks when the session has ended.
const PATIENCE: Duration = Duration::from_secs(3);

/// Follows hints until `cancel`. Only who runs the session answers, when its turn has ended.
pub async fn follow(nats: Nats, leases: Leases, mut hints: Subscriber, cancel: CancellationToken) {
    let client = Arc::new(nats.client.clone());
    loop {
        let hint = tokio::select! {
            () = cancel.cancelled() => return,
            hint = hints.next() => hint,
        };
        let Some(hint) = hint else { return };
        let session = hint
            .subject
            .rsplit('.')
            .next()
            .and_then(|key| key.parse::<SessionKey>().ok());
        let Some(ended) = session.and_then(|session| leases.look_at(session)) else {
            continue;
        };
        debug!(
            session = session.map(tracing::field::display),
            "told to look at the lease"
        );
        if let Some(asker) = hint.reply {
            let client = client.clone();
            tokio::spawn(async move {
                if timeout(PATIENCE, ended.cancelled()).await.is_ok() {
                    let _ = client.publish(asker, Bytes::new()).await;
                }
            });
        }
    }
}
