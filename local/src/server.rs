//! One server as a child process: start, stop, kill, and again, always on the same port with the same data.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::Mutex;

use crate::guard::Guard;
use crate::logfile;
use crate::poll;
use crate::probe::Probe;
use crate::user::User;

/// What PostgreSQL says while sessions of a killed one are still about to end.
const STILL_IN_USE: &str = "pre-existing shared memory block";

/// What it takes to start the server.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) user: Option<User>,
    /// Its working directory, which the user can reach.
    pub(crate) home: PathBuf,
    pub(crate) port: u16,
    pub(crate) log: PathBuf,
    pub(crate) probe: Probe,
}

/// PostgreSQL or NATS, running or not. All methods take `&self`; calls wait for each other.
#[derive(Debug)]
pub struct Server {
    launch: Launch,
    guard: Arc<Guard>,
    process: Mutex<Option<Child>>,
}

impl Server {
    pub(crate) fn new(launch: Launch, guard: Arc<Guard>) -> Self {
        Self {
            launch,
            guard,
            process: Mutex::new(None),
        }
    }

    /// Starts the server on its port and returns when it answers; nothing to do if it runs already.
    ///
    /// # Errors
    /// It ended, or does not answer within a minute; the message has the end of its log.
    pub async fn start(&self) -> Result<()> {
        let mut slot = self.process.lock().await;
        if let Some(process) = slot.as_mut() {
            if process.try_wait()?.is_none() {
                return Ok(());
            }
            self.guard.forget(process.id());
        }
        let launch = &self.launch;
        let process = slot.insert(self.spawn()?);
        let begun = Instant::now();
        loop {
            let Err(not_yet) = launch.probe.check().await else {
                return Ok(());
            };
            let ended = process.try_wait()?;
            let problem = if ended.is_some() && logfile::tail(&launch.log).contains(STILL_IN_USE) {
                if begun.elapsed() < poll::STOP_DEADLINE {
                    tokio::time::sleep(poll::EVERY * 10).await;
                    self.guard.forget(process.id());
                    *process = self.spawn()?;
                    continue;
                }
                format!("processes of an earlier {} still run", launch.name)
            } else if let Some(status) = ended {
                format!("{} ended at once ({status})", launch.name)
            } else if begun.elapsed() > poll::START_DEADLINE {
                format!(
                    "{} does not answer on port {}: {not_yet:#}",
                    launch.name, launch.port
                )
            } else {
                tokio::time::sleep(poll::EVERY).await;
                continue;
            };
            self.end(&mut slot, Signal::KILL).await?;
            bail!(
                "{problem}\n\nThe end of {}:\n{}",
                launch.log.display(),
                logfile::tail(&launch.log)
            );
        }
    }

    fn spawn(&self) -> Result<Child> {
        let launch = &self.launch;
        let log = File::options()
            .create(true)
            .append(true)
            .open(&launch.log)
            .with_context(|| format!("could not open {}", launch.log.display()))?;
        let mut command = self.guard.command()?;
        command
            .arg(&launch.program)
            .args(&launch.args)
            .current_dir(&launch.home)
            .stderr(log);
        if let Some(user) = launch.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
            .spawn()
            .with_context(|| format!("could not start {}", launch.program.display()))
    }

    /// Stops the server in an orderly way (PostgreSQL: a fast shutdown); kills it if that takes over 20 s.
    ///
    /// # Errors
    /// The operating system refuses the signal.
    pub async fn stop(&self) -> Result<()> {
        self.end(&mut *self.process.lock().await, Signal::INT).await
    }

    /// Ends the server as a crash would (`kill -9`), and returns when it is gone.
    ///
    /// # Errors
    /// The operating system refuses the signal.
    pub async fn kill(&self) -> Result<()> {
        self.end(&mut *self.process.lock().await, Signal::KILL).await
    }

    /// [`stop`](Self::stop), then [`start`](Self::start).
    ///
    /// # Errors
    /// As those two.
    pub async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start().await
    }

    async fn end(&self, slot: &mut Option<Child>, signal: Signal) -> Result<()> {
        let Some(mut process) = slot.take() else {
            return Ok(());
        };
        let ended = |process: &mut Child| !matches!(process.try_wait(), Ok(None));
        if !ended(&mut process) {
            let pid = Pid::from_child(&process);
            kill_process(pid, signal).with_context(|| format!("could not signal {}", self.launch.name))?;
            if !poll::until(poll::STOP_DEADLINE, || ended(&mut process)).await {
                process.kill()?;
                poll::until(poll::STOP_DEADLINE, || ended(&mut process)).await;
            }
        }
        self.guard.forget(process.id());
        Ok(())
    }

    /// Waits until the server ends without having been told to, and says how.
    pub(crate) async fn ended(&self) -> ExitStatus {
        loop {
            if let Some(process) = self.process.lock().await.as_mut()
                && let Ok(Some(status)) = process.try_wait()
            {
                return status;
            }
            tokio::time::sleep(poll::EVERY).await;
        }
    }

    /// The port on 127.0.0.1, the same for as long as this value lives.
    pub fn port(&self) -> u16 {
        self.launch.port
    }

    /// The server's process id while it runs (to pause it, for example).
    pub async fn pid(&self) -> Option<u32> {
        self.process.lock().await.as_ref().map(Child::id)
    }

    /// The file that has the server's output.
    pub fn log(&self) -> &Path {
        &self.launch.log
    }

    /// What to call it in a message.
    pub fn name(&self) -> &'static str {
        self.launch.name
    }
}
