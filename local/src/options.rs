//! What a caller of [`Services::start`](crate::Services::start) can choose.

use std::path::PathBuf;

/// Where the servers keep their data, and on which ports they listen.
#[derive(Debug, Clone)]
pub struct Options {
    /// Data, logs, and the file that says what runs.
    pub dir: PathBuf,
    /// 0: the one of the last start if it is free, else any free one.
    pub postgres_port: u16,
    /// As `postgres_port`.
    pub nats_port: u16,
    /// The data is not worth a disk sync, and `dir` is removed at the end, also if this process is killed.
    pub throwaway: bool,
}

impl Options {
    /// Durable data in `dir`, free ports.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            postgres_port: 0,
            nats_port: 0,
            throwaway: false,
        }
    }

    /// A folder of its own under the system's folder for temporary files, removed at the end. Syncs are off
    /// in PostgreSQL; what was committed still survives a `kill -9` of it, though not a power cut.
    pub fn throwaway() -> Self {
        let name = format!("frontdesk-{}-{:08x}", std::process::id(), rand::random::<u32>());
        Self {
            throwaway: true,
            ..Self::new(std::env::temp_dir().join(name))
        }
    }
}
