//! A deployment of its own for each test: a database, a subject prefix, and as many processes as wanted.

use anyhow::Context;
use clap::Parser;
use local::{Options, Services, testing};
use shared::config::{CommonArgs, NatsArgs};
use shared::nats::Nats;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::client::Visitor;
use crate::process::Process;

/// What an api logs once it can be reached.
pub const LISTENING: &str = "listening address=";

/// Names and addresses of one deployment.
pub struct Deployment {
    /// Servers of its own, where the test stops them.
    own: Option<Services>,
    /// For assertions.
    pub db: PgPool,
    /// Settings that all its processes share.
    env: Vec<(&'static str, String)>,
    _cancel: tokio_util::sync::DropGuard,
    cancel: CancellationToken,
}

/// A running api.
pub struct Api {
    /// The process.
    pub process: Process,
    /// `http://127.0.0.1:<port>`.
    pub base: String,
}

impl Api {
    /// Someone new who writes to this api.
    pub fn visitor(&self) -> Visitor {
        Visitor::new(&self.base)
    }
}

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    common: CommonArgs,
}

impl Deployment {
    /// One that shares its servers with the other tests.
    ///
    /// # Errors
    /// The servers cannot be started.
    pub async fn new() -> anyhow::Result<Self> {
        let nats_url = testing::services().await?.nats_url();
        Self::on(None, nats_url, testing::database().await?).await
    }

    /// One with servers of its own, which the test may stop.
    ///
    /// # Errors
    /// The servers cannot be started.
    pub async fn with_own_servers() -> anyhow::Result<Self> {
        let services = Services::start(Options::throwaway()).await?;
        let (nats_url, database_url) = (services.nats_url(), services.database_url().to_owned());
        Self::on(Some(services), nats_url, database_url).await
    }

    async fn on(own: Option<Services>, nats_url: String, database_url: String) -> anyhow::Result<Self> {
        let cancel = CancellationToken::new();
        let env = vec![
            ("NATS_URL", nats_url),
            ("DATABASE_URL", database_url),
            ("SUBJECT_PREFIX", testing::prefix()),
            ("CHAT_MAX_BYTES", (64 << 20).to_string()),
            ("TOKENS_MAX_BYTES", (64 << 20).to_string()),
            ("DATABASE_CONNECTIONS", "5".into()),
        ];
        let mut deployment = Self {
            own,
            db: PgPool::connect_lazy("postgres://unset")?,
            env,
            cancel: cancel.clone(),
            _cancel: cancel.drop_guard(),
        };
        deployment.db = shared::db::pool(&deployment.settings(), "frontdesk tests")?;
        shared::db::migrate(&deployment.db).await.context("the schema")?;
        Ok(deployment)
    }

    /// The servers of a deployment that has its own.
    ///
    /// # Panics
    /// It shares them.
    pub fn servers(&self) -> &Services {
        self.own.as_ref().expect("made by with_own_servers")
    }

    /// The shared settings, as the programs would read them.
    ///
    /// # Panics
    /// Never: the settings are our own.
    pub fn settings(&self) -> CommonArgs {
        self.settings_with(&[])
    }

    /// [`Self::settings`] with further ones.
    ///
    /// # Panics
    /// One of them cannot be read.
    pub fn settings_with(&self, env: &[(&'static str, &str)]) -> CommonArgs {
        let name = |name: &str| format!("--{}", name.to_lowercase().replace('_', "-"));
        let more = env.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let all = self.env.iter().cloned().chain(more);
        let args = all.flat_map(|(key, value)| [name(key), value]);
        Settings::parse_from(std::iter::once("tests".to_owned()).chain(args)).common
    }

    /// A connection to its queue and journal.
    ///
    /// # Errors
    /// The address cannot be read.
    pub async fn nats(&self) -> anyhow::Result<Nats> {
        let args: NatsArgs = self.settings().nats;
        let nats = Nats::connect(&args, "frontdesk tests", self.cancel.clone(), |error| {
            panic!("{error}")
        })
        .await?;
        nats.usable().await;
        Ok(nats)
    }

    /// Starts an api on a port of its own, and returns when it listens.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn api(&self) -> anyhow::Result<Api> {
        self.api_with(&[]).await
    }

    /// [`Self::api`] with further settings.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn api_with(&self, env: &[(&'static str, &str)]) -> anyhow::Result<Api> {
        let mut process = self
            .start("api", &[&[("API_BIND", "127.0.0.1:0")], env].concat())
            .await?;
        let line = process.logged(LISTENING).await;
        let port = line.rsplit(':').next().context(line.clone())?.trim();
        let api = Api {
            process,
            base: format!("http://127.0.0.1:{port}"),
        };
        crate::eventually("the api is ready", async || {
            let response = api
                .visitor()
                .request(reqwest::Method::GET, "/readyz")
                .send()
                .await
                .ok()?;
            (response.status() == 200).then_some(())
        })
        .await;
        Ok(api)
    }

    /// Starts a worker, and returns when it works.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn worker(&self) -> anyhow::Result<Process> {
        self.worker_with(&[]).await
    }

    /// [`Self::worker`] with further settings.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn worker_with(&self, env: &[(&'static str, &str)]) -> anyhow::Result<Process> {
        let mut process = self.start("worker", env).await?;
        process.logged("worker started").await;
        Ok(process)
    }

    /// Starts one of our programs with the deployment's settings.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start(&self, program: &str, env: &[(&'static str, &str)]) -> anyhow::Result<Process> {
        let more = env.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Process::start(
            program,
            &[],
            &self.env.iter().cloned().chain(more).collect::<Vec<_>>(),
        )
        .await
    }

    /// Runs one of our programs with arguments.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn command(&self, program: &str, args: &[&str]) -> anyhow::Result<Process> {
        Process::start(program, args, &self.env).await
    }
}
