//! How what a provider sent gets onto the streams: everything confirmed, or 503, which asks for it again.

use async_nats::jetstream::context::{PublishAckFuture, PublishError};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures_util::future::join_all;
use shared::envelope::Envelope;
use shared::nats::{ACK_DEADLINE, Nats};
use tracing::{debug, info, warn};

use super::contents::{Contents, Dead};
use crate::accept;
use crate::error::Problem;
use crate::state::App;

/// Bytes of something dead that are kept, well under the server's `max_payload`.
const MAX_DEAD: usize = 512 << 10;

/// Puts everything onto its stream. What had been there already, from an earlier try, is there once.
///
/// # Errors
/// 503 where something was not confirmed.
pub async fn publish(app: &App, contents: Contents) -> Result<(), Problem> {
    if contents.ignored > 0 {
        debug!(count = contents.ignored, "a webhook had something to be ignored");
    }
    for code in &contents.complaints {
        warn!(code, "❌ Error: WhatsApp's provider reports a problem");
    }
    if contents.is_empty() {
        return Ok(());
    }
    if !app.nats.is_usable() {
        return Err(not_taken("queue_unavailable", 2));
    }
    // The whole of it: a provider that waits longer gives up.
    match tokio::time::timeout(ACK_DEADLINE, all(&app.nats, &contents)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if accept::is_full(&error) => Err(not_taken("queue_full", 5)),
        Ok(Err(_)) | Err(_) => Err(not_taken("queue_unavailable", 2)),
    }
}

fn not_taken(code: &str, seconds: u32) -> Problem {
    let detail = "Not everything could be taken. Please deliver it again.";
    Problem::unavailable(code, detail, seconds)
}

async fn all(nats: &Nats, contents: &Contents) -> Result<(), PublishError> {
    // Sent first and in their order; nothing else is waited for before they are on their way.
    let mut messages = Vec::with_capacity(contents.messages.len());
    for envelope in &contents.messages {
        messages.push((envelope, send(nats, envelope).await?));
    }
    let statuses = contents.statuses.iter().map(async |status| {
        let payload = serde_json::to_vec(status).expect("strings, numbers and a time always serialise");
        let message = PublishMessage::build()
            .payload(payload.into())
            .message_id(status.message_id());
        let subject = nats.subjects.status(status.provider);
        nats.jetstream.send_publish(subject, message).await?.await
    });
    let (messages, statuses) = futures_util::join!(
        join_all(messages.into_iter().map(|(envelope, ack)| confirm(envelope, ack))),
        join_all(statuses)
    );
    messages.into_iter().collect::<Result<(), _>>()?;
    statuses.into_iter().try_for_each(|status| status.map(|_| ()))?;
    // Last, so that a repetition of the rest does not bury it twice.
    for dead in &contents.dead {
        bury(nats, dead).await?;
    }
    Ok(())
}

async fn send(nats: &Nats, envelope: &Envelope) -> Result<PublishAckFuture, PublishError> {
    let payload = serde_json::to_vec(envelope).expect("strings, ids and times always serialise");
    let message = PublishMessage::build()
        .payload(payload.into())
        .message_id(envelope.request_id.to_string());
    let subject = nats.subjects.incoming(envelope.channel, envelope.session);
    nats.jetstream.send_publish(subject, message).await
}

async fn confirm(envelope: &Envelope, ack: PublishAckFuture) -> Result<(), PublishError> {
    let request = envelope.request_id;
    if ack.await?.duplicate {
        info!(%request, "message repeated");
    } else {
        info!(%request, "📩 Chat message");
    }
    Ok(())
}

async fn bury(nats: &Nats, dead: &Dead) -> Result<(), PublishError> {
    let (reason, kept) = (dead.reason.as_str(), dead.payload.len().min(MAX_DEAD));
    let mut message = PublishMessage::build()
        .payload(Bytes::clone(&dead.payload).slice(..kept))
        .header("Frontdesk-Reason", reason)
        .header("Frontdesk-Subject", "webhooks");
    if kept < dead.payload.len() {
        message = message.header("Frontdesk-Cut", dead.payload.len().to_string());
    }
    let subject = nats.subjects.dead(reason, dead.session);
    nats.jetstream.send_publish(subject, message).await?.await?;
    warn!(reason, "❌ Error: something of a webhook went to the dead stream");
    Ok(())
}
