//! What is done to the deployment and when: a schedule that a seed repeats.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// The lease of the workers in a run, so that there are pauses below and above it.
pub const LEASE: Duration = Duration::from_secs(2);

/// Between two faults, in milliseconds. A fault may last longer, so that several come together.
const PAUSE: std::ops::Range<u64> = 300..1_800;

/// How many there are of what can fail.
#[derive(Clone, Copy, Debug)]
pub struct Targets {
    /// Processes.
    pub apis: usize,
    /// Processes.
    pub workers: usize,
    /// Servers: 1, or 3 in a cluster.
    pub nats: usize,
}

/// A kind of fault, as the summary counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `kill -9`, and another process after a while.
    KillWorker,
    /// SIGSTOP, and SIGCONT after a while: before or after the lease has run out.
    PauseWorker,
    /// SIGTERM, and another process.
    StopWorker,
    /// `kill -9`, and another process after a while.
    KillApi,
    /// SIGTERM, and another process.
    StopApi,
    /// An orderly restart.
    RestartPostgres,
    /// `kill -9`, and a new start.
    KillPostgres,
    /// An orderly restart of a server.
    RestartNats,
    /// `kill -9` of a server, and a new start.
    KillNats,
    /// Every connection breaks, and for a while there are no new ones.
    Break(Link),
    /// For a while nothing gets through; then all of it comes, or the connections break.
    Stall(Link),
}

/// Two that talk over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// An api and its clients.
    Clients,
    /// An api and NATS.
    ApiNats,
    /// An api and PostgreSQL.
    ApiPostgres,
    /// A worker and NATS.
    WorkerNats,
    /// A worker and PostgreSQL.
    WorkerPostgres,
}

/// Everything that is done to a deployment. What matters most stands here twice.
const KINDS: [Kind; 22] = [
    Kind::KillWorker,
    Kind::KillWorker,
    Kind::PauseWorker,
    Kind::PauseWorker,
    Kind::StopWorker,
    Kind::KillApi,
    Kind::StopApi,
    Kind::RestartPostgres,
    Kind::KillPostgres,
    Kind::RestartNats,
    Kind::KillNats,
    Kind::Break(Link::Clients),
    Kind::Break(Link::ApiNats),
    Kind::Break(Link::ApiPostgres),
    Kind::Break(Link::WorkerNats),
    Kind::Break(Link::WorkerPostgres),
    Kind::Stall(Link::Clients),
    Kind::Stall(Link::ApiNats),
    Kind::Stall(Link::ApiPostgres),
    Kind::Stall(Link::WorkerNats),
    Kind::Stall(Link::WorkerPostgres),
    Kind::Stall(Link::WorkerPostgres),
];

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When, after the start.
    pub at: Duration,
    /// What.
    pub kind: Kind,
    /// To which of those that it can be done to.
    pub target: usize,
    /// How long until it is mended.
    pub length: Duration,
    /// What was held back by a [`Kind::Stall`] is lost.
    pub loses: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            kind,
            target,
            length,
            loses,
        } = self;
        let (at, target) = (at.as_secs_f32(), target + 1);
        write!(f, "{at:7.2} s  {kind} {target} for {length:?}")?;
        if *loses {
            f.write_str(", what was held back is lost")
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillWorker => f.write_str("kill worker"),
            Self::PauseWorker => f.write_str("pause worker"),
            Self::StopWorker => f.write_str("stop worker"),
            Self::KillApi => f.write_str("kill api"),
            Self::StopApi => f.write_str("stop api"),
            Self::RestartPostgres => f.write_str("restart PostgreSQL"),
            Self::KillPostgres => f.write_str("kill PostgreSQL"),
            Self::RestartNats => f.write_str("restart NATS"),
            Self::KillNats => f.write_str("kill NATS"),
            Self::Break(link) => write!(f, "break {link}"),
            Self::Stall(link) => write!(f, "stall {link}"),
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clients => "clients-api",
            Self::ApiNats => "api-NATS",
            Self::ApiPostgres => "api-PostgreSQL",
            Self::WorkerNats => "worker-NATS",
            Self::WorkerPostgres => "worker-PostgreSQL",
        })
    }
}

/// The faults that `seed` stands for, without an end. Kinds come in shuffled rounds, so that none is left out for long.
pub fn schedule(seed: u64, targets: Targets) -> impl Iterator<Item = Fault> {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut round, mut at) = (Vec::new(), Duration::from_secs(1));
    std::iter::from_fn(move || {
        if round.is_empty() {
            round.extend(KINDS);
            round.shuffle(&mut rng);
        }
        let kind = round.pop()?;
        at += Duration::from_millis(rng.random_range(PAUSE));
        let among = match kind {
            Kind::KillWorker | Kind::PauseWorker | Kind::StopWorker => targets.workers,
            Kind::Break(Link::WorkerNats | Link::WorkerPostgres) => targets.workers,
            Kind::Stall(Link::WorkerNats | Link::WorkerPostgres) => targets.workers,
            Kind::RestartPostgres | Kind::KillPostgres => 1,
            Kind::RestartNats | Kind::KillNats => targets.nats,
            _ => targets.apis,
        };
        let milliseconds = match kind {
            // A third ends while a successor is in the middle of the reply: then a late commit has something to break.
            Kind::PauseWorker | Kind::Stall(Link::WorkerPostgres) => match rng.random_range(0..3) {
                0 => 200..1_500,
                1 => 1_600..2_800,
                _ => 2_800..4_500,
            },
            Kind::Stall(_) => 200..4_000,
            Kind::KillWorker | Kind::KillApi | Kind::Break(_) => 0..1_500,
            Kind::StopWorker | Kind::StopApi => 0..500,
            _ => 0..2_000,
        };
        let length = Duration::from_millis(rng.random_range(milliseconds));
        let (target, loses) = (rng.random_range(0..among), rng.random_ratio(1, 4));
        let loses = loses && matches!(kind, Kind::Stall(_));
        Some(Fault {
            at,
            kind,
            target,
            length,
            loses,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const TARGETS: Targets = Targets {
        apis: 2,
        workers: 3,
        nats: 1,
    };

    fn first(seed: u64, count: usize) -> Vec<Fault> {
        schedule(seed, TARGETS).take(count).collect()
    }

    #[test]
    fn a_seed_repeats_its_schedule_and_another_has_another() {
        assert_eq!(first(7, 100), first(7, 100));
        assert_ne!(first(7, 100), first(8, 100));
    }

    #[test]
    fn each_kind_comes_within_a_round_and_pauses_end_on_both_sides_of_the_lease() {
        let faults = first(1, KINDS.len());
        let kinds = |kinds: &mut dyn Iterator<Item = Kind>| kinds.collect::<HashSet<_>>();
        assert_eq!(
            kinds(&mut faults.iter().map(|fault| fault.kind)),
            kinds(&mut KINDS.into_iter())
        );
        let pauses = first(1, 400)
            .into_iter()
            .filter(|fault| fault.kind == Kind::PauseWorker);
        let (long, short): (Vec<_>, Vec<_>) = pauses.partition(|fault| fault.length > LEASE);
        assert!(!long.is_empty() && !short.is_empty());
    }
}
