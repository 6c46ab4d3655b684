//! The settings of the api and the worker, taken from the environment under their usual names.

use clap::Parser;
use local::Services;
use shared::config::{CommonArgs, Secret};

/// Two parsers, since the programs share some settings by name.
#[derive(Debug, Parser)]
struct Api {
    #[command(flatten)]
    config: api::Config,
}

#[derive(Debug, Parser)]
struct Worker {
    #[command(flatten)]
    config: worker::config::Config,
}

/// What both are run with.
#[derive(Debug)]
pub struct Settings {
    /// The api's.
    pub api: api::Config,
    /// The worker's.
    pub worker: worker::config::Config,
}

impl Settings {
    /// Reads them; a wrong value ends the program as usual, with clap's message.
    pub fn from_environment() -> Self {
        Self {
            api: Api::parse_from(["api"]).config,
            worker: Worker::parse_from(["worker"]).config,
        }
    }

    /// Puts the private servers' addresses in, whatever `DATABASE_URL` and `NATS_URL` say.
    pub fn use_servers(&mut self, services: &Services) {
        let common: [&mut CommonArgs; 2] = [&mut self.api.common, &mut self.worker.common];
        for common in common {
            common.database_url = Secret::from(services.database_url().to_owned());
            common.nats.nats_url = Secret::from(services.nats_url());
        }
    }
}
