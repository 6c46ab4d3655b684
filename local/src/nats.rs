//! The private NATS server: the repository's nats.conf, with an address and a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::leftover;
use crate::probe::Probe;
use crate::server::Launch;
use crate::tool;

/// The very file that docker compose uses; embedded, so that tests need not look for it.
const SETTINGS: &str = include_str!("../../nats.conf");

/// Written by the server.
const PID_FILE: &str = "nats.pid";

/// Ends what an earlier process of ours may have left running on this data.
pub(crate) async fn end_leftover(dir: &Path) -> Result<()> {
    let home = dir.join("nats");
    leftover::end("NATS", &home.join(PID_FILE), &home).await
}

/// How to start the server on this port.
pub(crate) fn launch(dir: &Path, port: u16, log: PathBuf) -> Result<Launch> {
    let home = dir.join("nats");
    fs::create_dir_all(&home).with_context(|| format!("could not make {}", home.display()))?;
    let settings = home.join("nats.conf");
    fs::write(&settings, SETTINGS).with_context(|| format!("could not write {}", settings.display()))?;
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let args = vec![
        "--config".to_owned(),
        path(&settings),
        "--addr".to_owned(),
        "127.0.0.1".to_owned(),
        "--port".to_owned(),
        port.to_string(),
        "--store_dir".to_owned(),
        path(&home),
        "--pid".to_owned(),
        path(&home.join(PID_FILE)),
    ];
    Ok(Launch {
        name: "NATS",
        program: tool::nats()?,
        args,
        user: None,
        home,
        port,
        log,
        probe: Probe::Nats(url(port)),
    })
}

/// The URL of the server.
pub(crate) fn url(port: u16) -> String {
    format!("nats://127.0.0.1:{port}")
}
