//! One process of ours: started under a guard, so that it never outlives the test run.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::LazyLock;

use anyhow::{Context, ensure};
use local::Guard;
use tokio::sync::OnceCell;

use crate::eventually;

/// Ends whatever the tests have started, even where the test process is killed.
static GUARD: LazyLock<Guard> = LazyLock::new(|| Guard::start(&[]).expect("there is a shell"));

/// The programs, built once per test run, so that a test never runs an old one: with the features of the whole workspace, as
/// the tests themselves, so that nothing is compiled twice.
static PROGRAMS: OnceCell<PathBuf> = OnceCell::const_new();

/// A running (or ended) process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// The folder with the programs `api`, `worker` and `local`: for a command the one that it is in, for a test the one where it
/// has them built.
///
/// # Errors
/// They do not compile.
pub async fn programs() -> anyhow::Result<&'static Path> {
    let folder = PROGRAMS.get_or_try_init(|| async {
        let this = std::env::current_exe()?;
        let folder = this.parent().context("a program lies in a folder")?;
        if !folder.ends_with("deps") {
            return Ok(folder.to_owned());
        }
        let mut build = tokio::process::Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet", "--workspace", "--bins"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        // What cargo tells a test of its own package would make build scripts run again, and then all that depends on them.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&*name);
            }
        }
        let build = build.status().await.context("cargo")?;
        ensure!(build.success(), "the programs do not compile");
        Ok(folder.parent().context("target/<profile>/deps")?.to_owned())
    });
    Ok(folder.await?)
}

impl Process {
    /// Starts `program` (one of ours) with these environment variables; its log goes to a file.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start(program: &str, args: &[&str], env: &[(&str, String)]) -> anyhow::Result<Self> {
        let path = programs().await?.join(program);
        let log = std::env::temp_dir().join(format!("frontdesk-{program}-{}.log", uuid::Uuid::now_v7()));
        let mut command = GUARD.command()?;
        let child = command
            .arg(path)
            .args(args)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("{program} could not be started"))?;
        Ok(Self { child, log })
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits for a line of the log that contains `text`, and returns it.
    ///
    /// # Panics
    /// It does not come; the panic shows the log.
    pub async fn logged(&mut self, text: &str) -> String {
        let what = format!("a log line with {text:?}");
        let found = eventually(&what, async || {
            let log = self.log();
            let line = log.lines().find(|line| line.contains(text)).map(str::to_owned);
            if line.is_none() && self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return Some(Err(log));
            }
            line.map(Ok)
        });
        found
            .await
            .unwrap_or_else(|log| panic!("the process ended without {what}:\n{log}"))
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// It cannot be waited for.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("a child can be waited for");
        GUARD.forget(self.child.id());
    }

    /// Sends a signal by its name, such as `TERM`, `STOP` or `CONT`.
    ///
    /// # Panics
    /// There is no `kill` program.
    pub fn signal(&self, name: &str) {
        let status = std::process::Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .expect("every Unix has kill");
        assert!(status.success());
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// It does not end.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = eventually("the process ends", async || self.child.try_wait().ok().flatten()).await;
        GUARD.forget(self.child.id());
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
        let _ = std::fs::remove_file(&self.log);
    }
}
