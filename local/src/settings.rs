//! The settings of the api and the worker, taken from the environment under their usual names.

use bench::whatsapp::Simulator;
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

    /// Puts the simulator's two numbers in, and `page` as the public address where there is none. Returns that address,
    /// without a slash at its end.
    pub fn use_simulator(&mut self, simulator: &Simulator, page: &str) -> String {
        let secret = |value: &str| Some(Secret::from(value.to_owned()));
        let (meta, twilio) = (simulator.meta().account(), simulator.twilio().account());
        let common: [&mut CommonArgs; 2] = [&mut self.api.common, &mut self.worker.common];
        for common in common {
            let whatsapp = &mut common.whatsapp;
            whatsapp.meta_base_url = simulator.base_url();
            whatsapp.meta_phone_number_id = Some(meta.phone_number_id.clone());
            whatsapp.meta_app_secret = secret(&meta.app_secret);
            whatsapp.meta_verify_token = secret(&meta.verify_token);
            whatsapp.meta_access_token = secret(&meta.access_token);
            whatsapp.twilio_base_url = simulator.base_url();
            whatsapp.twilio_account_sid = Some(twilio.account_sid.clone());
            whatsapp.twilio_auth_token = secret(&twilio.auth_token);
            whatsapp.twilio_from = Some(twilio.from.clone());
            // Twilio signs for it.
            common.public_url.get_or_insert_with(|| page.to_owned());
        }
        let public = self.api.common.public_url.as_deref().unwrap_or(page);
        public.trim_end_matches('/').to_owned()
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
