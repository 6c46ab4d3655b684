//! The file that says what runs in a folder. Its lock is held while it runs; the kernel lets go of it when
//! the process is gone, so a stale file means nothing.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The lock on a folder, and what it says of the last start.
#[derive(Debug)]
pub(crate) struct Instance {
    file: File,
    last: String,
}

impl Instance {
    /// Takes the lock.
    ///
    /// # Errors
    /// Another process runs there: the message is what it recorded.
    pub(crate) fn lock(dir: &Path) -> Result<Self> {
        let path = dir.join("running");
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            // The addresses in it have the password.
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("could not open {}; another user's?", path.display()))?;
        let mut last = String::new();
        file.read_to_string(&mut last)
            .with_context(|| format!("could not read {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, last }),
            Err(TryLockError::WouldBlock) => {
                bail!("already running here ({}):\n{}", dir.display(), last.trim_end())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("could not lock {}", path.display()))
            }
        }
    }

    /// What another process recorded that runs in the folder; `None` if none does.
    pub(crate) fn look(dir: &Path) -> Result<Option<String>> {
        let path = dir.join("running");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("could not open {}", path.display())),
        };
        let mut lines = String::new();
        file.read_to_string(&mut lines)?;
        Ok(matches!(file.try_lock(), Err(TryLockError::WouldBlock)).then_some(lines))
    }

    /// A number that the last start recorded under `name`.
    pub(crate) fn last_port(&self, name: &str) -> Option<u16> {
        self.last
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    }

    /// Records what runs now, a line each.
    pub(crate) fn record(&mut self, lines: &str) -> Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file
            .write_all(lines.as_bytes())
            .context("could not record what runs")
    }
}
