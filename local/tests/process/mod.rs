//! The program `local` as a child process of a test.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// A `LOCAL_DIR` that is removed at the end of the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("frontdesk-test-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder.canonicalize()?))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `local services`, running and ready. It is stopped when dropped.
pub struct Local {
    process: Child,
    folder: PathBuf,
    pub database_url: String,
    pub nats_url: String,
}

impl Local {
    pub fn services(folder: &Folder) -> Result<Self> {
        Self::with(folder, &[])
    }

    /// The error is what it printed.
    pub fn with(folder: &Folder, settings: &[(&str, &str)]) -> Result<Self> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_local"))
            .arg("services")
            .env("LOCAL_DIR", &folder.0)
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        let mut value = |name: &str| Some(lines.next()?.ok()?.strip_prefix(name)?.to_owned());
        let (Some(database_url), Some(nats_url)) = (value("DATABASE_URL="), value("NATS_URL=")) else {
            let mut error = String::new();
            process
                .stderr
                .take()
                .context("no errors")?
                .read_to_string(&mut error)?;
            assert!(!process.wait()?.success());
            bail!(error);
        };
        Ok(Self {
            process,
            folder: folder.0.clone(),
            database_url,
            nats_url,
        })
    }

    /// The process ids of its two servers, by their own files.
    pub fn servers(&self) -> Result<Vec<Pid>> {
        let read = |file: &str| {
            let text = fs::read_to_string(self.folder.join(file))?;
            Pid::from_raw(text.lines().next().context("empty")?.trim().parse()?).context("0")
        };
        Ok(vec![
            read("postgres/data/postmaster.pid")?,
            read("nats/nats.pid")?,
        ])
    }

    pub fn terminate(mut self) -> Result<ExitStatus> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        Ok(self.process.wait()?)
    }

    pub fn kill(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.process), Signal::TERM);
            let _ = self.process.wait();
        }
    }
}

/// Whether it runs; one that has ended and only waits to be collected does not.
pub fn alive(pid: Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let zombie = state.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')));
    test_kill_process(pid).is_ok() && !zombie
}

/// Asks again until it holds, for half a minute.
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "not within 30 s: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A small stream.
pub fn stream(name: &str) -> async_nats::jetstream::stream::Config {
    async_nats::jetstream::stream::Config {
        name: name.to_owned(),
        subjects: vec![format!("{}.>", name.to_lowercase())],
        ..Default::default()
    }
}
