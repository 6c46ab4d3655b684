//! A place in the deployment, taken by one process after another: always the same settings, proxies and log file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use local::Guard;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::proxy::Proxy;

/// How long a process may take to say that it is up, or to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(40);

/// Between two looks.
const EVERY: Duration = Duration::from_millis(10);

/// So soon after its start a process may not know yet what to do on SIGTERM, and has nothing to hand over either.
const UNPREPARED: Duration = Duration::from_secs(2);

/// What stands in a seat's settings for the process that takes it.
pub const PROCESS: &str = "{process}";

/// A place for processes of ours.
#[derive(Debug)]
pub struct Seat {
    /// `api-1`, `worker-3`.
    pub name: String,
    /// Between it and the nodes of NATS.
    pub nats: Vec<Proxy>,
    /// Between it and PostgreSQL.
    pub postgres: Proxy,
    /// Between clients and it, where it is an api.
    pub front: Option<Proxy>,
    program: PathBuf,
    /// Settings; [`PROCESS`] in them is replaced by the process's own name.
    env: Vec<(&'static str, String)>,
    log: PathBuf,
    guard: Arc<Guard>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    child: Option<Child>,
    /// Processes so far.
    starts: u32,
    /// When the last of them was started.
    since: Option<Instant>,
}

/// A seat that nobody else changes for now.
#[derive(Debug)]
pub struct Held<'a> {
    seat: &'a Seat,
    taken: MutexGuard<'a, Taken>,
}

/// What it takes to fill a seat.
#[derive(Debug)]
pub struct Fitting {
    /// The program.
    pub program: PathBuf,
    /// Its settings.
    pub env: Vec<(&'static str, String)>,
    /// Where its log goes.
    pub log: PathBuf,
    /// Who ends it with us.
    pub guard: Arc<Guard>,
}

impl Seat {
    /// An empty seat.
    pub fn new(
        name: String,
        nats: Vec<Proxy>,
        postgres: Proxy,
        front: Option<Proxy>,
        fitting: Fitting,
    ) -> Self {
        let Fitting {
            program,
            env,
            log,
            guard,
        } = fitting;
        Self {
            name,
            nats,
            postgres,
            front,
            program,
            env,
            log,
            guard,
            taken: Mutex::default(),
        }
    }

    /// Waits until nobody else works on the seat.
    pub async fn hold(&self) -> Held<'_> {
        Held {
            seat: self,
            taken: self.taken.lock().await,
        }
    }

    /// Everything that its processes have logged.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The address at which clients reach it.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.front.as_ref().map_or(0, Proxy::port))
    }
}

impl Held<'_> {
    /// The name of the process: the seat's, and a number that grows.
    pub fn process(&self) -> String {
        format!("{}.{}", self.seat.name, self.taken.starts)
    }

    /// Starts a process, and returns when it can be reached (an api) or has begun (a worker).
    ///
    /// # Errors
    /// It ends at once, or is not up in time.
    pub async fn start(&mut self) -> Result<()> {
        self.taken.starts += 1;
        let process = self.process();
        let log = File::options().create(true).append(true).open(&self.seat.log)?;
        let begun = log.metadata()?.len();
        let mut command = self.seat.guard.command()?;
        command.arg(&self.seat.program).stderr(log);
        for (name, value) in &self.seat.env {
            command.env(name, value.replace(PROCESS, &process));
        }
        self.taken.child = Some(
            command
                .spawn()
                .with_context(|| self.seat.program.display().to_string())?,
        );
        self.taken.since = Some(Instant::now());
        let Some(front) = &self.seat.front else {
            return Ok(());
        };
        let line = self.logged(crate::deployment::LISTENING, begun).await?;
        let port = line.rsplit(':').next().and_then(|port| port.trim().parse().ok());
        front.redirect(port.with_context(|| line.clone())?);
        Ok(())
    }

    /// Waits for a line that the process has logged after byte `begun`.
    async fn logged(&mut self, text: &str, begun: u64) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut log = File::open(&self.seat.log)?;
            log.seek(SeekFrom::Start(begun))?;
            let mut lines = String::new();
            log.read_to_string(&mut lines)?;
            if let Some(line) = lines
                .split_inclusive('\n')
                .find(|line| line.ends_with('\n') && line.contains(text))
            {
                return Ok(line.to_owned());
            }
            self.still_runs()?;
            ensure!(
                Instant::now() < deadline,
                "{} did not log {text:?} in time",
                self.process()
            );
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Fails where the process has ended without having been told to.
    ///
    /// # Errors
    /// How it ended.
    pub fn still_runs(&mut self) -> Result<()> {
        let process = self.process();
        if let Some(child) = &mut self.taken.child
            && let Some(status) = child.try_wait()?
        {
            self.seat.guard.forget(child.id());
            self.taken.child = None;
            bail!("{process} ended by itself: {status}");
        }
        Ok(())
    }

    /// Whether a process sits there.
    pub fn is_taken(&self) -> bool {
        self.taken.child.is_some()
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.taken.child.take() {
            child.kill()?;
            child.wait()?;
            self.seat.guard.forget(child.id());
        }
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process has ended by itself.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.still_runs()?;
        if let Some(child) = &self.taken.child {
            kill_process(Pid::from_child(child), signal)?;
        }
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// It does not end in time, or not well.
    pub async fn terminate(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let process = self.process();
        let unprepared = self.taken.since.is_some_and(|since| since.elapsed() < UNPREPARED);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(child) = &mut self.taken.child
                && let Some(status) = child.try_wait()?
            {
                self.seat.guard.forget(child.id());
                self.taken.child = None;
                let well = status.success() || unprepared && status.signal().is_some();
                ensure!(well, "{process} was asked to end and ended with {status}");
                return Ok(());
            }
            tokio::time::sleep(EVERY).await;
        }
        self.kill()?;
        bail!("{process} did not end within {PATIENCE:?} after SIGTERM")
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(child) = &mut self.taken.get_mut().child {
            let _ = child.kill();
            let _ = child.wait();
            self.guard.forget(child.id());
        }
    }
}
