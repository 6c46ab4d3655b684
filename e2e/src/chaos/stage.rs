//! The deployment of a run: servers of its own, two apis and three workers in their seats, a proxy between any two.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use local::{Guard, NatsCluster, Options, Server, Services};
use shared::config::CommonArgs;
use shared::nats::Nats;
use sqlx::PgPool;
use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::faults::Targets;
use super::proxy::Proxy;
use super::seat::{Fitting, PROCESS, Seat};
use super::witness;

/// How long the deployment may take until it has its schema.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The folder with the programs `api` and `worker`.
    pub programs: PathBuf,
    /// Processes.
    pub apis: usize,
    /// Processes.
    pub workers: usize,
    /// Three servers of NATS with three copies of each stream, in place of one.
    pub cluster: bool,
    /// Further settings of the workers.
    pub worker_env: Vec<(&'static str, String)>,
}

/// A running deployment. All of it ends when this value is dropped.
#[derive(Debug)]
pub struct Stage {
    /// Two of them, say.
    pub apis: Vec<Seat>,
    /// Three of them, say.
    pub workers: Vec<Seat>,
    /// The database, not through a proxy: for the checker.
    pub db: PgPool,
    /// The queue and the journal, not through a proxy: for the checker.
    pub nats: Nats,
    /// Held by whoever takes a server of NATS away, so that of a cluster it is one at a time.
    pub one_nats: Mutex<()>,
    cluster: Option<NatsCluster>,
    services: Services,
    logs: PathBuf,
    _end: DropGuard,
}

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    common: CommonArgs,
}

impl Stage {
    /// Starts everything, and returns when the schema is there.
    ///
    /// # Errors
    /// Something does not start.
    pub async fn start(plan: &Plan) -> Result<Self> {
        let services = Services::start(Options::throwaway()).await?;
        let logs = std::env::temp_dir().join(format!("frontdesk-chaos-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&logs)?;
        let guard = Arc::new(Guard::start(std::slice::from_ref(&logs))?);
        let cluster = match plan.cluster {
            true => Some(NatsCluster::start(&logs.join("nats")).await?),
            false => None,
        };
        let nodes = cluster
            .as_ref()
            .map_or(std::slice::from_ref(services.nats()), NatsCluster::nodes);
        let nats_ports: Vec<u16> = nodes.iter().map(Server::port).collect();
        let shared = |nats_url: String, database_url: String| {
            vec![
                ("NATS_URL", nats_url),
                ("DATABASE_URL", database_url),
                ("NATS_REPLICAS", nats_ports.len().to_string()),
                ("CHAT_MAX_BYTES", (64 << 20).to_string()),
                ("TOKENS_MAX_BYTES", (64 << 20).to_string()),
                ("DATABASE_CONNECTIONS", "5".into()),
                ("DRAIN_DEADLINE", "2s".into()),
            ]
        };
        let seat = async |program: &str, number: usize, more: &[(&'static str, String)]| -> Result<Seat> {
            let mut nats = Vec::new();
            for port in &nats_ports {
                nats.push(Proxy::to(*port).await?);
            }
            let postgres = Proxy::to(services.postgres().port()).await?;
            let front = match program {
                "api" => Some(Proxy::to(0).await?),
                _ => None,
            };
            let database = through(&services, &postgres)? + &witness::introduction(PROCESS);
            let mut env = shared(urls(nats.iter().map(Proxy::port)), database);
            env.extend_from_slice(more);
            let name = format!("{program}-{number}");
            let fitting = Fitting {
                program: plan.programs.join(program),
                env,
                log: logs.join(format!("{name}.log")),
                guard: guard.clone(),
            };
            Ok(Seat::new(name, nats, postgres, front, fitting))
        };
        let (mut apis, mut workers) = (Vec::new(), Vec::new());
        for number in 1..=plan.apis {
            apis.push(seat("api", number, &[("API_BIND", "127.0.0.1:0".into())]).await?);
        }
        for number in 1..=plan.workers {
            workers.push(seat("worker", number, &plan.worker_env).await?);
        }

        let direct = shared(
            urls(nats_ports.iter().copied()),
            services.database_url().to_owned(),
        );
        let name = |name: &str| format!("--{}", name.to_lowercase().replace('_', "-"));
        let known = direct.into_iter().filter(|(key, _)| *key != "DRAIN_DEADLINE");
        let args = known.flat_map(|(key, value)| [name(key), value]);
        let settings = Settings::parse_from(std::iter::once("chaos".to_owned()).chain(args)).common;
        let end = CancellationToken::new();
        let nats = Nats::connect(&settings.nats, "frontdesk chaos", end.clone(), |error| {
            panic!("{error}")
        });
        let stage = Self {
            db: shared::db::pool(&settings, "frontdesk chaos")?,
            nats: nats.await?,
            one_nats: Mutex::default(),
            apis,
            workers,
            cluster,
            services,
            logs,
            _end: end.drop_guard(),
        };
        for seat in stage.seats() {
            seat.hold().await.start().await?;
        }
        tokio::time::timeout(START_DEADLINE, async {
            stage.nats.usable().await;
            while !witness::schema_is_there(&stage.db).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
        .context("the deployment has no schema yet")?;
        witness::install(&stage.db).await.context("the witness")?;
        Ok(stage)
    }

    /// All processes of ours.
    pub fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.apis.iter().chain(&self.workers)
    }

    /// PostgreSQL.
    pub fn postgres(&self) -> &Server {
        self.services.postgres()
    }

    /// The servers of NATS.
    pub fn nats_nodes(&self) -> &[Server] {
        self.cluster
            .as_ref()
            .map_or(std::slice::from_ref(self.services.nats()), NatsCluster::nodes)
    }

    /// What a schedule can be about.
    pub fn targets(&self) -> Targets {
        Targets {
            apis: self.apis.len(),
            workers: self.workers.len(),
            nats: self.nats_nodes().len(),
        }
    }

    /// Copies the logs to where they stay.
    ///
    /// # Errors
    /// As the file system says.
    pub fn keep_logs(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        for seat in self.seats() {
            std::fs::write(folder.join(format!("{}.log", seat.name)), seat.log())?;
        }
        let servers = self.nats_nodes().iter().chain([self.postgres()]);
        for (number, server) in servers.enumerate() {
            std::fs::copy(
                server.log(),
                folder.join(format!("{}-{}.log", server.name(), number + 1)),
            )?;
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The guard does it, too; but it waits for the servers first.
        let _ = std::fs::remove_dir_all(&self.logs);
    }
}

fn urls(ports: impl Iterator<Item = u16>) -> String {
    ports
        .map(|port| format!("nats://127.0.0.1:{port}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// The URL of the database by way of a proxy.
fn through(services: &Services, proxy: &Proxy) -> Result<String> {
    let (url, port) = (services.database_url(), services.postgres().port());
    let through = url.replacen(&format!(":{port}/"), &format!(":{}/", proxy.port()), 1);
    ensure!(through != url, "the database's URL does not name its port");
    Ok(through)
}
