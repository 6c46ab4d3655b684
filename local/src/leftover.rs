//! A server that an earlier process of ours left behind: it is ended before a new one takes its data.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::poll;

/// Ends the server whose process id is in `pid_file`, if it still runs and its command line names `home`.
///
/// Usually the guard of the earlier process is about to do the same, and this only waits for it. The command
/// line is compared because a process id is given anew, after a restart of the machine for example.
pub(crate) async fn end(name: &str, pid_file: &Path, home: &Path) -> Result<()> {
    let Some(pid) = recorded(pid_file) else {
        return Ok(());
    };
    let runs = || test_kill_process(pid).is_ok() && command_line(pid).contains(&*home.to_string_lossy());
    for signal in [Signal::INT, Signal::KILL] {
        if !runs() {
            return Ok(());
        }
        tracing::info!(
            server = name,
            pid = pid.as_raw_nonzero().get(),
            "ending a server left behind"
        );
        // It may end between the look and the signal.
        let _ = kill_process(pid, signal);
        poll::until(poll::STOP_DEADLINE, || !runs()).await;
    }
    if runs() {
        bail!(
            "{name} of an earlier start still runs and cannot be ended: process {}",
            pid.as_raw_nonzero()
        );
    }
    Ok(())
}

fn recorded(pid_file: &Path) -> Option<Pid> {
    Pid::from_raw(
        fs::read_to_string(pid_file)
            .ok()?
            .lines()
            .next()?
            .trim()
            .parse()
            .ok()?,
    )
}

fn command_line(pid: Pid) -> String {
    let pid = pid.as_raw_nonzero().to_string();
    // Linux has it in a file, also where no `ps` is installed; macOS has `ps`.
    let line = fs::read(format!("/proc/{pid}/cmdline")).or_else(|_| {
        Command::new("ps")
            .args(["-ww", "-o", "command=", "-p", &pid])
            .output()
            .map(|output| output.stdout)
    });
    String::from_utf8_lossy(&line.unwrap_or_default()).into_owned()
}
