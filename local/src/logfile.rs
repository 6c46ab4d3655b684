//! Log files: the one of the last start is kept beside the new one, and errors quote the end.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Renames the log of the start before to `<name>.old`.
pub(crate) fn rotate(log: &Path) -> Result<()> {
    if log.exists() {
        fs::rename(log, log.with_extension("log.old"))
            .with_context(|| format!("could not rename {}", log.display()))?;
    }
    Ok(())
}

/// The last lines, indented, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(15)..].iter();
    last.map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}
