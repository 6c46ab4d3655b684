//! How long a reply pauses when its worker dies: from `kill -9` to the next event at the client.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

use super::stage::{Plan, Stage};
use super::witness;
use crate::client::Visitor;

/// Events that a client has before the worker is killed: it is in the middle of a sentence then.
const BEFORE: usize = 3;

/// A worker that was just started is no survivor yet: it looks after the others once its connection is settled.
const SETTLED: Duration = Duration::from_millis(2_500);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder with the programs.
    pub programs: PathBuf,
    /// How often.
    pub kills: usize,
    /// `LEASE_LENGTH` of the workers; without it, their default.
    pub lease_length: Option<String>,
}

/// The times, in order of length.
///
/// # Errors
/// The deployment does not start, or a reply does not go on.
pub async fn measure(options: &Options) -> Result<Vec<Duration>> {
    let mut worker_env = vec![
        ("OFFLINE_TOKEN_DELAY_MS", "60".to_owned()),
        ("TOKEN_INTERVAL", "0s".into()),
    ];
    worker_env.extend(
        options
            .lease_length
            .clone()
            .map(|length| ("LEASE_LENGTH", length)),
    );
    let plan = Plan {
        programs: options.programs.clone(),
        apis: 1,
        workers: 3,
        cluster: false,
        worker_env,
    };
    let stage = Stage::start(&plan).await?;
    let mut times = Vec::new();
    while times.len() < options.kills {
        tokio::time::sleep(SETTLED).await;
        if let Some(time) = kill_in_the_middle(&stage).await? {
            eprintln!("{:3}. {time:?}", times.len() + 1);
            times.push(time);
        }
    }
    times.sort_unstable();
    Ok(times)
}

/// `None` where the reply was over before the worker was dead.
async fn kill_in_the_middle(stage: &Stage) -> Result<Option<Duration>> {
    let visitor = Visitor::new(&stage.apis[0].base());
    let mut stream = visitor.stream("Hello, I want to schedule an appointment").await?;
    for _ in 0..BEFORE {
        stream.next().await?.context("the reply ended early")?;
    }
    let leases = witness::leases(&stage.db, visitor.session()).await?;
    let process = leases
        .last()
        .and_then(|last| last.process.clone())
        .context("nobody has the lease")?;
    let seat = stage
        .workers
        .iter()
        .find(|seat| process.starts_with(&format!("{}.", seat.name)));
    let mut held = seat.context("no such worker")?.hold().await;
    held.kill()?;
    let killed = Instant::now();
    // What was on its way still comes. The successor's first event says nothing, and no other does but the final one.
    let next = loop {
        let event = stream.next().await?.context("the stream ended")?;
        if event.data.is_final {
            break None;
        }
        if event.data.content.is_empty() {
            break Some(killed.elapsed());
        }
    };
    held.start().await?;
    stream.all().await?;
    Ok(next)
}

/// The time that `percent` of the sorted `times` do not exceed.
pub fn percentile(times: &[Duration], percent: usize) -> Duration {
    let place = (times.len() * percent).div_ceil(100).max(1) - 1;
    times.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<_> = (1..=50).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(25));
        assert_eq!(percentile(&times, 99), Duration::from_millis(50));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
