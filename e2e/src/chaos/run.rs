//! A run: visitors talk, faults are done and mended, and every conversation is checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::evidence::Evidence;
use super::faults::{self, Kind, LEASE};
use super::ghosts;
use super::stage::{Plan, Stage};
use super::strike;
use super::summary::Summary;
use super::visitors::{Conversation, Lanes};
use super::{checker, rest};

/// Once everything is mended, replies may take this long.
const RECOVERY: Duration = Duration::from_secs(60);

/// A conversation is checked so long after its end: a worker that was paused has said by then what it had to say.
const SETTLED: Duration = Duration::from_secs(12);

/// How long the checker tries to get its evidence: longer than faults last.
const EVIDENCE_DEADLINE: Duration = Duration::from_secs(60);

/// One try at that, and the pause until the next.
const EVIDENCE_TRY: Duration = Duration::from_secs(20);

/// See above.
const EVIDENCE_PAUSE: Duration = Duration::from_millis(200);

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder with the programs.
    pub programs: PathBuf,
    /// Repeats a schedule.
    pub seed: u64,
    /// How long faults are made.
    pub length: Duration,
    /// Conversations at a time.
    pub sessions: u64,
    /// Three servers of NATS.
    pub cluster: bool,
    /// Whether there are faults at all.
    pub faults: bool,
    /// Only faults whose name contains one of these texts; empty: all.
    pub only: Vec<String>,
    /// Whether each fault is printed.
    pub verbose: bool,
    /// Where logs go when something was wrong.
    pub logs: Option<PathBuf>,
    /// Or if not.
    pub keep_logs: bool,
}

impl Options {
    fn includes(&self, kind: Kind) -> bool {
        let name = kind.to_string();
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only))
    }
}

/// Runs it.
///
/// # Errors
/// The deployment does not start, or the evidence cannot be had; violations are in the summary.
pub async fn run(options: &Options) -> Result<Summary> {
    let plan = Plan {
        programs: options.programs.clone(),
        apis: 2,
        workers: 3,
        cluster: options.cluster,
        worker_env: vec![
            ("OFFLINE_TOKEN_DELAY_MS", "15".into()),
            ("TOKEN_INTERVAL", "0s".into()),
            ("LEASE_LENGTH", format!("{}ms", LEASE.as_millis())),
            ("CLEANUP_INTERVAL", "5s".into()),
        ],
    };
    let stage = Stage::start(&plan).await?;
    let mut summary = Summary {
        seed: options.seed,
        lasted: options.length,
        ..Summary::default()
    };
    let done = perform(options, &stage, &mut summary).await;
    if let Some(logs) = &options.logs
        && (options.keep_logs || done.is_err() || !summary.violations.is_empty())
    {
        stage.keep_logs(logs)?;
        for (name, text) in &summary.exhibits {
            std::fs::write(logs.join(name), text)?;
        }
    }
    done.map(|()| summary)
}

async fn perform(options: &Options, stage: &Stage, summary: &mut Summary) -> Result<()> {
    let (quit, give_up) = (CancellationToken::new(), CancellationToken::new());
    let (held, mut conversations) = mpsc::unbounded_channel();
    let lanes = Lanes {
        seed: options.seed,
        bases: stage.apis.iter().map(super::seat::Seat::base).collect(),
        quit: quit.clone(),
        give_up: give_up.clone(),
        held,
    };
    let mut talking = JoinSet::new();
    for lane in 0..options.sessions {
        talking.spawn(lanes.clone().run(lane));
    }
    drop(lanes);

    let begun = Instant::now();
    let faults = async {
        let done = make_faults(options, stage, begun).await;
        quit.cancel();
        let recovered = async { while talking.join_next().await.is_some() {} };
        if tokio::time::timeout(RECOVERY, recovered).await.is_err() {
            give_up.cancel();
            while talking.join_next().await.is_some() {}
        }
        done
    };
    let judge = async {
        let mut rng = StdRng::seed_from_u64(options.seed);
        let mut left = Vec::new();
        while let Some(conversation) = conversations.recv().await {
            tokio::select! {
                () = tokio::time::sleep_until(conversation.ended + SETTLED) => {}
                () = quit.cancelled() => {}
            }
            if quit.is_cancelled() {
                // What is left is judged at rest.
                left.push(conversation);
            } else {
                judge_one(stage, &conversation, &mut rng, summary).await;
            }
        }
        left
    };
    let ((struck, broken), left) = tokio::select! {
        done = async { tokio::join!(faults, judge) } => done,
        () = ghosts::haunt(stage), if options.faults => unreachable!("it never ends by itself"),
    };
    summary.faults = struck;
    broken.into_iter().for_each(|what| summary.violation(what));
    for what in rest::violations(stage).await {
        summary.violation(what);
    }
    let mut rng = StdRng::seed_from_u64(options.seed);
    for conversation in &left {
        judge_one(stage, conversation, &mut rng, summary).await;
    }
    Ok(())
}

/// Does the faults of the seed; returns how many of each kind, and what went wrong with them.
async fn make_faults(options: &Options, stage: &Stage, begun: Instant) -> (BTreeMap<Kind, u32>, Vec<String>) {
    let (mut struck, mut broken) = (BTreeMap::new(), Vec::new());
    let mut running = FuturesUnordered::new();
    let mut schedule = faults::schedule(options.seed, stage.targets())
        .take_while(|fault| options.faults && fault.at < options.length)
        .filter(|fault| options.includes(fault.kind))
        .fuse();
    let mut next = schedule.next();
    loop {
        let at = begun + next.map_or(options.length, |fault| fault.at);
        tokio::select! {
            () = tokio::time::sleep_until(at) => {
                let Some(fault) = next else { break };
                if options.verbose {
                    eprintln!("{} {fault}", clock());
                }
                *struck.entry(fault.kind).or_default() += 1;
                running.push(async move { strike::strike(stage, &fault).await.with_context(|| fault.to_string()) });
                next = schedule.next();
            }
            Some(done) = running.next() => broken.extend(done.err()),
        }
    }
    while let Some(done) = running.next().await {
        broken.extend(done.err());
    }
    (struck, broken.iter().map(|error| format!("{error:#}")).collect())
}

/// Collects the evidence, as often as it takes, and judges.
async fn judge_one(stage: &Stage, conversation: &Conversation, rng: &mut StdRng, summary: &mut Summary) {
    let begun = Instant::now();
    loop {
        let base = stage.apis[rng.random_range(0..stage.apis.len())].base();
        let chance: u64 = rng.random();
        let pick = |count: usize| usize::try_from(chance % count as u64).unwrap_or(0);
        let evidence = Evidence::collect(stage, conversation, &base, pick);
        let problem = match tokio::time::timeout(EVIDENCE_TRY, evidence).await {
            Ok(Ok(evidence)) => {
                summary.add(conversation, &evidence);
                let violations = checker::violations(conversation, &evidence);
                if !violations.is_empty() {
                    summary.exhibits.push(exhibit(conversation, &evidence));
                }
                return violations.into_iter().for_each(|what| summary.violation(what));
            }
            Ok(Err(error)) => error,
            Err(slow) => slow.into(),
        };
        if begun.elapsed() > EVIDENCE_DEADLINE {
            let session = conversation.visitor.session();
            return summary.violation(format!(
                "session {session}: what became of it cannot be read: {problem:#}"
            ));
        }
        tokio::time::sleep(EVIDENCE_PAUSE).await;
    }
}

/// Everything that is known of a conversation, to be kept beside the logs: its name and its text.
fn exhibit(conversation: &Conversation, evidence: &Evidence) -> (String, String) {
    let session = conversation.visitor.session();
    (
        format!("session-{session}.txt"),
        format!("{conversation:#?}\n{evidence:#?}\n"),
    )
}

/// The time as logs have it.
fn clock() -> String {
    clock_at(time::OffsetDateTime::now_utc())
}

/// See above.
pub(super) fn clock_at(instant: time::OffsetDateTime) -> String {
    let now = instant.time();
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        now.hour(),
        now.minute(),
        now.second(),
        now.millisecond()
    )
}
