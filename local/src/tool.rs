//! Finds the servers' programs: PostgreSQL's, and a NATS server that is new enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The oldest PostgreSQL that the queries are written for.
const POSTGRES_OLDEST: u32 = 14;

/// The oldest NATS server that knows the stream settings in use (2.12).
const NATS_OLDEST: (u32, u32) = (2, 12);

/// The folder of PostgreSQL's programs: the newest installed, or the version that `data` was made with.
pub(crate) fn postgres(data: &Path) -> Result<PathBuf> {
    let made_with: Option<u32> = fs::read_to_string(data.join("PG_VERSION"))
        .ok()
        .and_then(|version| version.trim().parse().ok());
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for folder in postgres_folders() {
        if let Some((major, _)) = version(&folder.join("postgres"))
            && major >= POSTGRES_OLDEST
            && folder.join("initdb").exists()
            && found.iter().all(|(other, _)| *other != major)
        {
            found.push((major, folder));
        }
    }
    match made_with {
        Some(made_with) => {
            let same = found.into_iter().find(|(major, _)| *major == made_with);
            same.map(|(_, folder)| folder).with_context(|| {
                format!(
                    "the data in {} was made with PostgreSQL {made_with}, which is not installed; install it, or \
                     start anew with `make clean-data`",
                    data.display()
                )
            })
        }
        None => found.into_iter().max().map(|(_, folder)| folder).with_context(|| {
            format!("found no PostgreSQL server (version {POSTGRES_OLDEST} or newer); `make setup` installs it")
        }),
    }
}

/// Where packages put them, then `PATH`.
fn postgres_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for parent in [
        "/usr/lib/postgresql",
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/usr",
    ] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path().join("bin")));
    }
    folders.extend(search_path());
    folders.retain(|folder| folder.join("postgres").exists());
    folders
}

/// The NATS server on `PATH` if it is new enough, else the one that `make setup` downloaded.
pub(crate) fn nats() -> Result<PathBuf> {
    let mut programs: Vec<PathBuf> = search_path()
        .into_iter()
        .map(|folder| folder.join("nats-server"))
        .collect();
    programs.extend(downloaded());
    for program in programs {
        if program.exists() && version(&program).is_some_and(|version| version >= NATS_OLDEST) {
            return Ok(program);
        }
    }
    let (major, minor) = NATS_OLDEST;
    bail!("found no NATS server (version {major}.{minor} or newer); `make setup` installs it")
}

/// `PATH`, which is no setting of ours.
fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default()
}

/// What scripts/setup.sh left in the user's cache: `frontdesk/nats-server-<version>/nats-server`.
fn downloaded() -> Vec<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let entries = cache
        .map(|cache| fs::read_dir(cache.join("frontdesk")))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .flatten()
        .map(|entry| entry.path().join("nats-server"))
        .collect()
}

/// Major and minor, from what `--version` prints: `postgres (PostgreSQL) 15.18 (…)`, `nats-server: v2.12.1`.
fn version(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = |word: &str| {
        let (major, rest) = word.strip_prefix('v').unwrap_or(word).split_once('.')?;
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    text.split_whitespace().find_map(number)
}
