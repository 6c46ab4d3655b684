//! Where the programs are that a command starts.

use std::path::PathBuf;

use anyhow::Context;

/// Part of the arguments of each command.
#[derive(Debug, clap::Args)]
pub struct Programs {
    /// The folder with the programs api and worker; without it, the one that this program is in.
    #[arg(long)]
    programs: Option<PathBuf>,
}

impl Programs {
    /// The folder.
    ///
    /// # Errors
    /// The system does not say where this program is.
    pub fn folder(self) -> anyhow::Result<PathBuf> {
        if let Some(named) = self.programs {
            return Ok(named);
        }
        let this = std::env::current_exe()?;
        Ok(this.parent().context("a program lies in a folder")?.to_owned())
    }
}
