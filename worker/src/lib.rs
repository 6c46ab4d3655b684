//! The worker: takes messages off the queue, runs the agents, and journals and stores their replies.
//!
//! - [`consumer`] and [`intake`] get the work, [`worker`] runs it session by session, [`turn`] answers one request
//! - [`order`], [`speak`], [`journal`], [`takeover`] and [`commit`] are the steps of a turn; [`stateless`] is one without a
//!   [`database`], [`whatsapp`] is one on WhatsApp
//! - [`lease`] keeps the sessions, [`control`] hears that one was stopped, [`janitor`] ends them, [`sign_of_life`] tells that the
//!   worker lives, [`leftover`] tidies the queue
//! - [`agents`] is who answers; [`llm`] is how they think with a language model
//! - [`deliver`] brings replies to WhatsApp
//! - [`failed`] and [`undelivered`] are for operators

pub mod agents;
pub mod commit;
pub mod config;
pub mod consumer;
pub mod control;
pub mod database;
pub mod deliver;
pub mod erased;
pub mod failed;
pub mod intake;
pub mod janitor;
pub mod journal;
pub mod lease;
pub mod leftover;
pub mod llm;
pub mod order;
pub mod sign_of_life;
pub mod speak;
pub mod stateless;
pub mod takeover;
pub mod turn;
pub mod undelivered;
pub mod whatsapp;
pub mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use shared::db;
use shared::db::intake::Burst;
use shared::ids::WorkerId;
use shared::lifecycle::Lifecycle;
use shared::nats::Nats;
use shared::retry::{self, UNTIL_CANCELLED};
use sqlx::PgPool;
use tokio::sync::{RwLock, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::agents::offline::Manager;
use crate::commit::Commits;
use crate::config::Config;
use crate::database::Database;
use crate::deliver::Deliveries;
use crate::erased::AnyAgent;
use crate::lease::Leases;
use crate::llm::ModelManager;
use crate::speak::Pace;
use crate::worker::Worker;

/// How the worker calls itself at other servers: some answer nobody who does not say.
const USER_AGENT: &str = concat!("frontdesk/", env!("CARGO_PKG_VERSION"));

/// How long what was cut off may take to give its sessions back.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Runs a worker until `lifecycle` ends it: softly, it takes nothing new and finishes what runs; hard, it hands that over.
///
/// # Errors
/// The settings, the streams or the schema are not as they must be. A server that is away is waited for.
pub async fn run(config: Config, lifecycle: Lifecycle) -> anyhow::Result<()> {
    let agent: Arc<dyn AnyAgent> = match config.llm.settings()? {
        Some(settings) => {
            let deliveries = Deliveries::new(config.common.senders()?)?;
            Arc::new(ModelManager::new(settings)?.with_providers(deliveries.providers()))
        }
        None => Arc::new(Manager::new()),
    };
    run_with(config, lifecycle, agent).await
}

/// [`run`] with an agent of the caller's.
///
/// # Errors
/// As [`run`].
pub async fn run_with(config: Config, lifecycle: Lifecycle, agent: Arc<dyn AnyAgent>) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.worker_concurrency > 0,
        "WORKER_CONCURRENCY must be 1 or more"
    );
    let id = WorkerId::new();
    let clinic = Arc::new(config.common.clinic().context("CLINIC_CONFIG")?);
    // A number that could not answer is no number: better to say so now.
    let deliveries = Deliveries::new(config.common.senders()?)?;
    // What the parts that end last hold on to.
    let ended = CancellationToken::new();
    let _end = ended.clone().drop_guard();

    let db = db::pool(&config.common, "frontdesk worker").context("DATABASE_URL")?;
    let fatal = Arc::new(Mutex::new(None));
    let nats = Nats::connect(&config.common.nats, "frontdesk worker", ended.clone(), {
        let (fatal, lifecycle) = (fatal.clone(), lifecycle.clone());
        move |error| {
            *fatal.lock().unwrap_or_else(PoisonError::into_inner) = Some(anyhow::Error::from(error));
            lifecycle.stop();
        }
    })
    .await
    .context("NATS_URL")?;
    lifecycle.harden_after(config.drain_deadline);
    if migrated(&db, &lifecycle.soft).await? {
        work(
            &config, id, nats, db, clinic, agent, deliveries, &lifecycle, &ended,
        )
        .await;
    }
    let error = fatal.lock().unwrap_or_else(PoisonError::into_inner).take();
    error.map_or(Ok(()), Err)
}

/// Waits for PostgreSQL and brings the schema up to date; false where the worker is to end before that.
async fn migrated(db: &PgPool, soft: &CancellationToken) -> anyhow::Result<bool> {
    let migrated = retry::retry(
        UNTIL_CANCELLED,
        soft,
        |error| {
            warn!(
                temporary = db::migration_is_temporary(error),
                "❌ Error: the schema is not ready"
            );
            db::migration_is_temporary(error)
        },
        || db::migrate(db),
    );
    match migrated.await {
        Ok(()) => Ok(true),
        Err(error) if db::migration_is_temporary(&error) => Ok(false),
        Err(error) => Err(error).context("the schema could not be brought up to date"),
    }
}

#[expect(clippy::too_many_arguments, reason = "called once, by `run_with`")]
async fn work(
    config: &Config,
    id: WorkerId,
    nats: Nats,
    db: PgPool,
    clinic: Arc<shared::clinic::Clinic>,
    agent: Arc<dyn AnyAgent>,
    deliveries: Deliveries,
    lifecycle: &Lifecycle,
    ended: &CancellationToken,
) {
    let leases = Leases::new(config.lease_length, nats.usable_since());
    let worker = Arc::new(Worker {
        id,
        nats: nats.clone(),
        db: db.clone(),
        clinic,
        agent,
        deliveries: deliveries.clone(),
        pace: Pace {
            token_interval: config.token_interval,
            token_delay: Duration::from_millis(config.offline_token_delay_ms),
            deadline: config.agent_deadline,
        },
        stale_after: config.common.whatsapp.stale_after,
        stateless_after: Some(config.stateless_after).filter(|after| !after.is_zero()),
        database: Database::default(),
        lifecycle: lifecycle.clone(),
        leases: leases.clone(),
        commits: Commits::new(db.clone(), id, &leases, lifecycle.hard.clone()),
        slots: Arc::new(Semaphore::new(config.worker_concurrency)),
        tasks: TaskTracker::new(),
        alone: RwLock::new(()),
    });
    let intakes = intake::intakes(
        db.clone(),
        id,
        &leases,
        config.session_ttl,
        Burst {
            quiet: config.common.whatsapp.whatsapp_quiet,
            longest: config.common.whatsapp.whatsapp_burst,
        },
        lifecycle.hard.clone(),
    );
    tokio::spawn(leases.clone().keep(db.clone(), id, ended.clone()));
    match nats.client.subscribe(nats.subjects.all_control()).await {
        Ok(hints) => {
            tokio::spawn(control::follow(nats.clone(), leases, hints, ended.clone()));
        }
        Err(error) => warn!(%error, "hints cannot be heard"),
    }
    // Before the first session is taken, so that whoever asks finds somebody.
    match nats.client.subscribe(nats.subjects.worker(id)).await {
        Ok(questions) => {
            tokio::spawn(sign_of_life::answer(nats.clone(), questions, ended.clone()));
        }
        Err(error) => warn!(%error, "no sign of life can be given"),
    }
    tokio::spawn(sign_of_life::watch(worker.clone()));
    tokio::spawn(janitor::run(db, config.cleanup_interval, lifecycle.soft.clone()));
    tokio::spawn(leftover::run(
        worker.clone(),
        intakes.clone(),
        config.cleanup_interval,
    ));
    let on_their_way = TaskTracker::new();
    if let Some(providers) = deliveries.providers() {
        let settings = deliver::Settings::new(config.common.whatsapp.whatsapp_rate, providers.senders());
        let ends = (&lifecycle.soft, &lifecycle.hard);
        deliveries.run(settings, &worker.db, &nats, &on_their_way, ends);
    }
    info!(worker = %id, "worker started");

    consumer::run(worker.clone(), intakes).await;

    info!(turns = worker.tasks.len(), "worker drains");
    worker.tasks.close();
    on_their_way.close();
    let all_done = async || tokio::join!(worker.tasks.wait(), on_their_way.wait());
    tokio::select! {
        _ = all_done() => {}
        () = lifecycle.hard.cancelled() => {
            if tokio::time::timeout(LAST_WORDS, all_done()).await.is_err() {
                warn!(turns = worker.tasks.len(), "turns were left to their leases");
            }
        }
    }
    // Acks and final events are still in the client's buffer.
    let _ = tokio::time::timeout(LAST_WORDS, nats.client.flush()).await;
    info!("worker stopped");
}

/// Clears expired sessions once, and returns how many.
///
/// # Errors
/// PostgreSQL is away, or the settings are wrong.
pub async fn clean_up(config: &Config) -> anyhow::Result<u64> {
    let db = db::pool(&config.common, "frontdesk worker").context("DATABASE_URL")?;
    db::migrate(&db).await?;
    Ok(db::session::clean_up(&db).await?)
}
