//! Doing a fault to a deployment, and mending it.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::faults::{Fault, Kind, Link};
use super::proxy::{Mode, Proxy};
use super::seat::Seat;
use super::stage::Stage;

/// Does `fault` and returns when it is mended.
///
/// # Errors
/// A process ended by itself, did not end when asked to, or does not start again.
pub async fn strike(stage: &Stage, fault: &Fault) -> Result<()> {
    let Fault {
        kind,
        target,
        length,
        loses,
        ..
    } = *fault;
    let (api, worker) = (stage.apis.get(target), stage.workers.get(target));
    let (api, worker) = (api.context("no such api"), worker.context("no such worker"));
    match kind {
        Kind::KillWorker => replace(worker?, false, length).await,
        Kind::StopWorker => replace(worker?, true, length).await,
        Kind::KillApi => replace(api?, false, length).await,
        Kind::StopApi => replace(api?, true, length).await,
        Kind::PauseWorker => {
            let mut held = worker?.hold().await;
            held.signal(Signal::STOP)?;
            last(length).await;
            held.signal(Signal::CONT)
        }
        Kind::RestartPostgres | Kind::KillPostgres => {
            let postgres = stage.postgres();
            if kind == Kind::KillPostgres {
                postgres.kill().await?
            } else {
                postgres.stop().await?
            }
            last(length).await;
            postgres.start().await
        }
        Kind::RestartNats | Kind::KillNats => {
            let _one = stage.one_nats.lock().await;
            let node = stage.nats_nodes().get(target).context("no such node")?;
            if kind == Kind::KillNats {
                node.kill().await?
            } else {
                node.stop().await?
            }
            last(length).await;
            node.start().await
        }
        Kind::Break(link) => {
            for proxy in proxies(stage, link, target) {
                proxy.set(Mode::Refusing);
                proxy.cut();
            }
            last(length).await;
            mend(stage, link, target);
            Ok(())
        }
        Kind::Stall(link) => {
            proxies(stage, link, target).for_each(|proxy| proxy.set(Mode::Stalled));
            last(length).await;
            if loses {
                proxies(stage, link, target).for_each(Proxy::cut);
            }
            mend(stage, link, target);
            Ok(())
        }
    }
}

/// Fails where a process has ended by itself.
///
/// # Errors
/// Which one, and how.
pub async fn all_run(stage: &Stage) -> Result<()> {
    for seat in stage.seats() {
        seat.hold().await.still_runs()?;
    }
    Ok(())
}

async fn replace(seat: &Seat, gently: bool, pause: Duration) -> Result<()> {
    let mut held = seat.hold().await;
    held.still_runs()?;
    if gently {
        held.terminate().await?
    } else {
        held.kill()?
    }
    last(pause).await;
    held.start().await
}

/// The fault itself: it lasts this long.
async fn last(length: Duration) {
    tokio::time::sleep(length).await;
}

fn mend(stage: &Stage, link: Link, target: usize) {
    proxies(stage, link, target).for_each(|proxy| proxy.set(Mode::Open));
}

fn proxies(stage: &Stage, link: Link, target: usize) -> impl Iterator<Item = &Proxy> {
    let seat = match link {
        Link::Clients | Link::ApiNats | Link::ApiPostgres => stage.apis.get(target),
        Link::WorkerNats | Link::WorkerPostgres => stage.workers.get(target),
    };
    seat.into_iter().flat_map(move |seat| match link {
        Link::Clients => seat.front.iter().collect::<Vec<_>>(),
        Link::ApiNats | Link::WorkerNats => seat.nats.iter().collect(),
        Link::ApiPostgres | Link::WorkerPostgres => vec![&seat.postgres],
    })
}
