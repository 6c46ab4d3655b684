//! What must hold once everything is mended and answered: nothing waits, nobody holds a lease, no process has failed.

use std::time::Duration;

use anyhow::{Context, Result};
use shared::ids::RequestId;
use tokio::time::Instant;

use super::stage::Stage;
use super::strike;

/// How long it may take: longer than the queue waits before it sends an unacknowledged message again.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for it, and returns what does not come true.
pub async fn violations(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    let begun = Instant::now();
    loop {
        match unrest(stage).await {
            Ok(None) => break,
            Ok(Some(what)) if begun.elapsed() > DEADLINE => {
                found.push(what);
                break;
            }
            Err(error) if begun.elapsed() > DEADLINE => {
                found.push(format!("it is not known whether all is at rest: {error:#}"));
                break;
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    if let Err(error) = strike::all_run(stage).await {
        found.push(format!("{error:#}"));
    }
    for seat in stage.seats() {
        let log = seat.log();
        let panics = log.lines().filter(|line| line.contains("panicked at"));
        found.extend(panics.map(|line| format!("{}: {line}", seat.name)));
    }
    found
}

async fn unrest(stage: &Stage) -> Result<Option<String>> {
    let query = "select count(*) filter (where pending > 0), count(*) filter (where lease_owner is not null) from conversation_states";
    let (pending, leased): (i64, i64) = sqlx::query_as(query).fetch_one(&stage.db).await?;
    let open = "select count(*) from messages where status = 'pending'";
    let open: i64 = sqlx::query_scalar(open).fetch_one(&stage.db).await?;
    let subjects = &stage.nats.subjects;
    let queued = messages(stage, &subjects.chat_stream()).await?;
    let dead = messages(stage, &subjects.dead_stream()).await?;
    if (pending, leased, open, queued, dead) == (0, 0, 0, 0, 0) {
        return Ok(None);
    }
    let mut what = format!(
        "at the end {pending} sessions have something pending, {leased} a lease; {open} messages are pending, {queued} \
         queued, {dead} dead"
    );
    if queued > 0 {
        what += &format!(" ({})", left_in_queue(stage).await?);
    }
    Ok(Some(what))
}

/// What the queue still holds, what PostgreSQL knows of it, and how far the consumer believes to be.
async fn left_in_queue(stage: &Stage) -> Result<String> {
    let subjects = &stage.nats.subjects;
    let stream = subjects.chat_stream();
    let left = shared::journal::messages(&stage.nats, &stream, &subjects.all_incoming(), 0).await?;
    let mut found = Vec::new();
    for message in left {
        let id = message
            .message
            .headers
            .as_ref()
            .and_then(|headers| headers.get("Nats-Msg-Id"));
        let id: RequestId = id.context("a message has an id")?.as_str().parse()?;
        let status: Option<String> = sqlx::query_scalar("select status from messages where id = $1")
            .bind(id.0)
            .fetch_optional(&stage.db)
            .await?;
        found.push(format!(
            "{id} at {}: {}",
            message.stream_seq,
            status.as_deref().unwrap_or("not stored")
        ));
    }
    let stream = stage.nats.jetstream.get_stream(stream).await?;
    let consumer = stream.consumer_info(subjects.workers_consumer()).await?;
    Ok(format!(
        "{}; the consumer has delivered up to {}, has acks up to {}, waits for {} acks and has {} to deliver",
        found.join(", "),
        consumer.delivered.stream_sequence,
        consumer.ack_floor.stream_sequence,
        consumer.num_ack_pending,
        consumer.num_pending
    ))
}

async fn messages(stage: &Stage, stream: &str) -> Result<u64> {
    let stream = stage
        .nats
        .jetstream
        .get_stream(stream)
        .await
        .context("a stream")?;
    Ok(stream.cached_info().state.messages)
}
