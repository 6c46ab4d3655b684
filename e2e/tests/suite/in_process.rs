//! Workers in this process, with agents of our own.

use std::sync::Arc;

use clap::Parser;
use e2e::Deployment;
use shared::config::CommonArgs;
use shared::lifecycle::Lifecycle;
use worker::agents::Agent;
use worker::config::Config;

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// A worker of this process; it ends with the value.
pub struct InProcess(Lifecycle);

impl Drop for InProcess {
    fn drop(&mut self) {
        self.0.hard.cancel();
        self.0.soft.cancel();
    }
}

/// Starts one with the deployment's settings, changed by `set`.
pub fn worker_with(
    deployment: &Deployment,
    agent: impl Agent + 'static,
    set: impl FnOnce(&mut Config),
) -> InProcess {
    worker_of(deployment.settings(), agent, set)
}

/// The same with these settings.
pub fn worker_of(
    common: CommonArgs,
    agent: impl Agent + 'static,
    set: impl FnOnce(&mut Config),
) -> InProcess {
    let mut config = Settings::parse_from(["worker"]).config;
    config.common = common;
    set(&mut config);
    let lifecycle = Lifecycle::new();
    tokio::spawn(worker::run_with(config, lifecycle.clone(), Arc::new(agent)));
    InProcess(lifecycle)
}
