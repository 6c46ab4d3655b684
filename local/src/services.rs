//! PostgreSQL and NATS together: started, found again, and stopped with this process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::guard::Guard;
use crate::instance::Instance;
use crate::postgres::Cluster;
use crate::server::Server;
use crate::{Options, logfile, nats, port, postgres};

/// How many ends of a server are not yet a reason to give up.
const RESTARTS: u32 = 20;

/// Both servers, running. They end when this value is dropped, at the latest with this process; use
/// [`stop`](Self::stop) to wait for that.
#[derive(Debug)]
pub struct Services {
    cluster: Cluster,
    postgres: Server,
    nats: Server,
    database_url: String,
    guard: Arc<Guard>,
    dir: PathBuf,
    instance: Instance,
}

impl Services {
    /// Starts both, and returns when they answer and the database `frontdesk` is there.
    ///
    /// # Errors
    /// Something runs in that folder already (the message says where), a port is taken, a program is
    /// missing, or a server does not start (the message has the end of its log).
    pub async fn start(mut options: Options) -> Result<Self> {
        let in_dir = || format!("could not make {}", options.dir.display());
        fs::create_dir_all(&options.dir).with_context(in_dir)?;
        // PostgreSQL's folder may be named after it, and the servers have a working directory of their own.
        options.dir = options.dir.canonicalize().with_context(in_dir)?;
        let dir = options.dir.as_path();
        let remove = [dir.to_owned(), postgres::far_home(dir)];
        let guard = Arc::new(Guard::start(if options.throwaway { &remove } else { &[] })?);
        let instance = Instance::lock(dir)?;
        let logs = dir.join("log");
        fs::create_dir_all(&logs)?;
        let [postgres_log, nats_log] = ["postgres.log", "nats.log"].map(|name| logs.join(name));
        logfile::rotate(&postgres_log)?;
        logfile::rotate(&nats_log)?;

        let opened = options.clone();
        let cluster = tokio::task::spawn_blocking(move || Cluster::open(&opened)).await??;
        // Before the ports are chosen: the leftovers have those of the last start.
        tokio::try_join!(cluster.end_leftover(), nats::end_leftover(dir))?;
        let last = instance.last_port("POSTGRES_PORT");
        let port = port::choose(options.postgres_port, last, "LOCAL_POSTGRES_PORT")?;
        let postgres = Server::new(cluster.launch(port, postgres_log)?, Arc::clone(&guard));
        let last = instance.last_port("NATS_PORT");
        let port = port::choose(options.nats_port, last, "LOCAL_NATS_PORT")?;
        let nats = Server::new(nats::launch(dir, port, nats_log)?, Arc::clone(&guard));
        tokio::try_join!(postgres.start(), nats.start())?;

        let database_url = cluster.create_own_database(postgres.port()).await?;
        let dir = options.dir;
        let mut services = Self {
            cluster,
            postgres,
            nats,
            database_url,
            guard,
            dir,
            instance,
        };
        services.note("")?;
        Ok(services)
    }

    /// Records where everything is, and `more` lines (`NAME=value`), for those who find the folder in use.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note(&mut self, more: &str) -> Result<()> {
        let lines = format!(
            "PID={}\nDATABASE_URL={}\nNATS_URL={}\nPOSTGRES_PORT={}\nNATS_PORT={}\n{more}",
            std::process::id(),
            self.database_url,
            self.nats_url(),
            self.postgres.port(),
            self.nats.port(),
        );
        self.instance.record(&lines)
    }

    /// The URL of the database `frontdesk`, with its password.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The URL of the NATS server.
    pub fn nats_url(&self) -> String {
        nats::url(self.nats.port())
    }

    /// PostgreSQL, to stop and start it.
    pub fn postgres(&self) -> &Server {
        &self.postgres
    }

    /// NATS, to stop and start it.
    pub fn nats(&self) -> &Server {
        &self.nats
    }

    /// Makes an empty database unless it is there, and returns its URL.
    ///
    /// # Errors
    /// PostgreSQL does not answer.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        self.cluster.create_database(self.postgres.port(), name).await
    }

    /// The folder of everything, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where PostgreSQL's data is: not in [`dir`](Self::dir) where its user cannot reach that.
    pub fn postgres_home(&self) -> &Path {
        self.cluster.home()
    }

    /// Starts a server again that ends without having been told to (through its [`Server`]). Comes back
    /// when that fails, or was needed [`RESTARTS`] times.
    pub async fn supervise(&self) -> anyhow::Error {
        for _ in 0..RESTARTS {
            let (server, status) = tokio::select! {
                status = self.postgres.ended() => (&self.postgres, status),
                status = self.nats.ended() => (&self.nats, status),
            };
            tracing::warn!("{} ended ({status}); starting it again", server.name());
            if let Err(error) = server.start().await {
                return error.context(format!(
                    "{} ended ({status}) and does not start again",
                    server.name()
                ));
            }
        }
        anyhow::anyhow!(
            "a server ended for the {RESTARTS}th time; the logs are in {}",
            self.dir.join("log").display()
        )
    }

    /// Stops both and waits for it. Nothing can be started after that.
    ///
    /// # Errors
    /// The operating system refuses the signal.
    pub async fn stop(&self) -> Result<()> {
        let (postgres, nats) = tokio::join!(self.postgres.stop(), self.nats.stop());
        self.guard.close().await;
        postgres.and(nats)
    }
}

/// What runs in a folder, a line `NAME=value` each; `None` if nothing does.
///
/// # Errors
/// The files there belong to another user.
pub fn running(dir: &Path) -> Result<Option<String>> {
    Instance::look(dir)
}
