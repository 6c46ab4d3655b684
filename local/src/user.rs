//! Whom PostgreSQL runs as: it refuses to run as root, so root hands it to an unprivileged user.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A user other than ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl User {
    /// The user to change to: `postgres`, else `nobody`, if we are root; `None` if we are an ordinary user.
    pub(crate) fn unprivileged() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        for name in ["postgres", "nobody"] {
            if let (Some(uid), Some(gid)) = (id("-u", name), id("-g", name)) {
                return Ok(Some(Self { uid, gid }));
            }
        }
        bail!(
            "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it as"
        )
    }

    /// Whether this user can enter the folder, asked by trying.
    pub(crate) fn reaches(self, folder: &Path) -> bool {
        Command::new("/bin/sh")
            .args(["-c", r#"cd -- "$1""#, "reach"])
            .arg(folder)
            .uid(self.uid)
            .gid(self.gid)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Makes the folder or file this user's own.
    pub(crate) fn take(self, path: &Path) -> Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("could not change the owner of {}", path.display()))
    }
}

fn id(which: &str, name: &str) -> Option<u32> {
    let output = Command::new("id")
        .args([which, name])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
