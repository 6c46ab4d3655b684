//! The command line of `local`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs Frontdesk on this machine, with a private PostgreSQL and NATS.
#[derive(Debug, Parser)]
#[command(name = "local")]
pub struct Cli {
    /// Where, on which ports.
    #[command(flatten)]
    pub place: Place,
    /// Which WhatsApp.
    #[command(flatten)]
    pub phone: Phone,
    /// What to do: `run` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where the servers keep their data and on which ports they listen.
#[derive(Debug, Args)]
pub struct Place {
    /// Folder of the data, the logs, and the file that says what runs
    #[arg(long, env = "LOCAL_DIR", default_value = ".local", global = true)]
    pub dir: PathBuf,
    /// PostgreSQL's port on 127.0.0.1; 0: the one of the last start if it is free, else any
    #[arg(long, env = "LOCAL_POSTGRES_PORT", default_value_t = 0, global = true)]
    pub postgres_port: u16,
    /// NATS's port on 127.0.0.1; 0 as above
    #[arg(long, env = "LOCAL_NATS_PORT", default_value_t = 0, global = true)]
    pub nats_port: u16,
}

/// WhatsApp without an account.
#[derive(Debug, Args)]
pub struct Phone {
    /// sim: `run` starts a simulator of WhatsApp's providers, and a page that plays a phone
    #[arg(long, env, global = true)]
    pub whatsapp: Option<WhatsApp>,
    /// Where that page is
    #[arg(long, env, default_value = "127.0.0.1:8012", global = true)]
    pub whatsapp_sim_bind: SocketAddr,
}

/// Where WhatsApp comes from, if not from the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhatsApp {
    /// The simulator.
    Sim,
}

impl Place {
    /// The same for the library.
    pub fn options(&self) -> local::Options {
        let mut options = local::Options::new(&self.dir);
        options.postgres_port = self.postgres_port;
        options.nats_port = self.nats_port;
        options
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything: the servers, the api and a worker (the default). Their settings are environment variables; `api --help` and `worker --help` list them
    Run,
    /// Start only PostgreSQL and NATS, print DATABASE_URL=… and NATS_URL=…, until stopped
    Services,
    /// Remove all data and logs; refused while something runs there
    Clean,
}
