//! Starting anew: removes what earlier starts keep in a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::instance::Instance;
use crate::postgres::far_home;

/// Removes the folder with all data and logs, and PostgreSQL's data where that lies elsewhere. Returns what
/// it removed: nothing if nothing was there.
///
/// # Errors
/// Something runs there, or the files belong to another user.
pub fn remove(dir: &Path) -> Result<Vec<PathBuf>> {
    let dir = match dir.canonicalize() {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("could not look at {}", dir.display())),
    };
    // A folder that nothing of ours has ever run in may be anything.
    if !dir.join("running").exists() {
        return Ok(Vec::new());
    }
    let _lock = Instance::lock(&dir)?;
    let mut removed = Vec::new();
    for folder in [far_home(&dir), dir] {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("could not remove {}", folder.display()))?;
            removed.push(folder);
        }
    }
    Ok(removed)
}
