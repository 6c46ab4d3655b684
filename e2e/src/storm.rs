//! Many who write on WhatsApp at once: webhooks in batches, twice, in any order, while workers are killed; and a check that each
//! message was answered once, in order, and each reply sent once.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use bench::whatsapp::meta::{Item, Message};
use bench::whatsapp::{Customer, Disorder, FakeMeta, Fault, Statuses};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::eventually;
use crate::phone::OnWhatsApp;

/// How much, and by which dice.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Messages in all, each by itself something to say.
    pub messages: usize,
    /// By so many people.
    pub customers: usize,
    /// Workers at once.
    pub workers: usize,
    /// The same seed makes the same disorder.
    pub seed: u64,
}

/// Messages that somebody writes one after the other.
const IN_A_ROW: usize = 3;
/// Between two kills.
const KILL_EVERY: Duration = Duration::from_secs(2);
/// Messages in a second, more or less.
const PACE: u64 = 35;
/// Messages in a webhook at most.
const BATCH: usize = 2;

/// What came of it.
#[derive(Debug, Default)]
pub struct Summary {
    /// Messages that were written.
    pub messages: usize,
    /// Webhooks that brought them.
    pub webhooks: usize,
    /// Workers that were killed.
    pub kills: usize,
    /// Replies that were stored.
    pub replies: usize,
    /// Messages that Meta has taken.
    pub sent: usize,
    /// Sent again, since nobody could say whether Meta had taken them. It had not: else that is a violation.
    pub resent: usize,
    /// What must not be.
    pub violations: Vec<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages in {} webhooks, {} workers killed: {} replies in {} messages, {} tried again after an unknown outcome; {} violations",
            self.messages,
            self.webhooks,
            self.kills,
            self.replies,
            self.sent,
            self.resent,
            self.violations.len()
        )
    }
}

/// Lets the storm pass, and looks at what it left.
///
/// # Errors
/// The deployment cannot be started, or PostgreSQL does not answer.
pub async fn run(options: &Options) -> Result<Summary> {
    let clinic = OnWhatsApp::new(&[("WHATSAPP_QUIET", "300ms"), ("LEASE_LENGTH", "2s")]).await?;
    let api = clinic.api().await?;
    clinic.meta.line().set_statuses(Statuses::disordered());
    let faults = &clinic.meta.line().faults;
    // Some answers get lost after the message was taken; its status still comes.
    faults.every(25, Fault::AcceptAndDrop);
    faults.every(31, Fault::Error(130_429));
    faults.every(37, Fault::Http(503));
    let mut workers = Vec::new();
    for _ in 0..options.workers {
        workers.push(clinic.worker().await?);
    }
    let mut dice = StdRng::seed_from_u64(options.seed);
    let began = OffsetDateTime::now_utc();
    let written: Vec<_> = (0..options.messages)
        .map(|number| {
            let customer = Customer::with_phone(&format!("1650{:07}", number / IN_A_ROW % options.customers));
            let text = format!("What are your opening hours? ({number})");
            // One after the other, as far as whole seconds tell.
            Message::text(&customer, &text).at(began + Duration::from_millis(number as u64 * 1_000 / PACE))
        })
        .collect();
    let ids: Vec<String> = written.iter().map(|message| message.id().to_owned()).collect();
    let disorder = Disorder {
        batch: BATCH,
        ..Disorder::usual(options.seed)
    };
    let batches = disorder.arrange(written.into_iter().map(Item::from));

    let mut summary = Summary {
        messages: options.messages,
        webhooks: batches.len(),
        ..Summary::default()
    };
    let mut kill = tokio::time::interval_at(tokio::time::Instant::now() + KILL_EVERY, KILL_EVERY);
    let mut pace = tokio::time::interval(Duration::from_millis(1_000 / PACE));
    let mut rest = batches.into_iter();
    let mut waiting = rest.next();
    loop {
        tokio::select! {
            _ = kill.tick() => {
                let doomed = dice.random_range(0..workers.len());
                workers[doomed].kill();
                workers[doomed] = clinic.worker().await?;
                summary.kills += 1;
                if waiting.is_none() && is_done(&clinic, &ids).await? {
                    break;
                }
                if summary.kills > 120 {
                    summary.violations.push("it takes for ever".into());
                    break;
                }
            }
            _ = pace.tick(), if waiting.is_some() => {
                if let Some(batch) = waiting.take() {
                    clinic.meta.line().courier.post(clinic.meta.webhook(&batch));
                }
                waiting = rest.next();
            }
        }
    }
    clinic.meta.line().courier.idle().await;
    let db = &clinic.deployment.db;
    eventually("all statuses are stored", async || {
        let open = "select count(*) from deliveries where status not in ('delivered', 'read')";
        (crate::store::count(db, open).await == 0).then_some(())
    })
    .await;
    check(db, &clinic.meta, &ids, &mut summary).await?;
    drop(api);
    Ok(summary)
}

/// Whether everything was answered and sent.
async fn is_done(clinic: &OnWhatsApp, ids: &[String]) -> Result<bool> {
    let db = &clinic.deployment.db;
    let answered: i64 = sqlx::query_scalar(
        "select count(*) from messages where provider_id = any ($1) and status <> 'pending'",
    )
    .bind(ids)
    .fetch_one(db)
    .await?;
    let open = "select count(*) from deliveries where status in ('queued', 'sending', 'uncertain', 'held')";
    Ok(answered.unsigned_abs() as usize == ids.len() && crate::store::count(db, open).await == 0)
}

#[derive(sqlx::FromRow)]
struct Row {
    connection_id: Uuid,
    provider_id: String,
    status: String,
    stream_seq: i64,
    /// The reply that covers it, and its place.
    reply: Option<Uuid>,
    place: Option<i64>,
}

async fn check(db: &PgPool, meta: &FakeMeta, ids: &[String], summary: &mut Summary) -> Result<()> {
    let rows: Vec<Row> = sqlx::query_as(
        "select m.connection_id, m.provider_id, m.status, m.stream_seq, r.id as reply, r.number as place
        from messages m left join messages r on r.reply_to = coalesce(m.answered_by, m.id)
        where m.direction = 'incoming' order by m.connection_id, m.stream_seq",
    )
    .fetch_all(db)
    .await
    .context("what was stored")?;
    let violations = &mut summary.violations;
    let mut seen = HashMap::<&str, usize>::new();
    for row in &rows {
        *seen.entry(&row.provider_id).or_default() += 1;
        if row.status != "answered" || row.reply.is_none() {
            violations.push(format!(
                "message {} of the queue is {} without a reply",
                row.stream_seq, row.status
            ));
        }
    }
    for id in ids {
        if seen.get(id.as_str()) != Some(&1) {
            violations.push(format!("{id} is stored {:?} times", seen.get(id.as_str())));
        }
    }
    for pair in rows.windows(2) {
        if pair[0].connection_id == pair[1].connection_id && pair[0].place > pair[1].place {
            violations.push(format!(
                "message {} was answered before {}",
                pair[1].stream_seq, pair[0].stream_seq
            ));
        }
    }

    let deliveries: Vec<(Uuid, String)> = sqlx::query_as(
        "select d.id, ltrim(coalesce(c.address->>'phone', c.address->>'user_id'), '+')
        from deliveries d join connections c on c.id = d.connection_id order by d.connection_id, d.position",
    )
    .fetch_all(db)
    .await
    .context("the outbox")?;
    let mut wanted = HashMap::<&str, Vec<String>>::new();
    for (id, to) in &deliveries {
        wanted.entry(to).or_default().push(id.to_string());
    }
    for (to, wanted) in wanted {
        let mut got = Vec::new();
        for accepted in meta.line().records.accepted_by(to) {
            let id = accepted.our_id.unwrap_or_default();
            if !got.contains(&id) {
                got.push(id);
            }
        }
        if got != wanted {
            violations.push(format!(
                "somebody got {} messages, and should have {} in this order",
                got.len(),
                wanted.len()
            ));
        }
    }
    for repeated in meta.line().records.repeated() {
        violations.push(format!(
            "{} was sent {} times, though a status told of it",
            repeated.our_id, repeated.times
        ));
    }
    let unsent = "select count(*) from messages m
        where m.direction = 'outgoing' and not exists (select from deliveries where message_id = m.id)";
    match crate::store::count(db, unsent).await {
        0 => {}
        count => violations.push(format!("{count} replies are not in the outbox")),
    }
    summary.replies = crate::store::count(db, "select count(*) from messages where direction = 'outgoing'")
        .await
        .unsigned_abs() as usize;
    summary.sent = meta.line().records.total();
    summary.resent = crate::store::count(db, "select coalesce(sum(resends), 0) from deliveries")
        .await
        .unsigned_abs() as usize;
    Ok(())
}
