//! The guard: a small shell process that ends the servers when this process is gone, however it went.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

use crate::poll;

/// Reads `start <pid>` and `gone <pid>` until its input closes, which the kernel does for us even after a
/// `kill -9`. Then it stops what is still there, and removes the folders given as arguments.
///
/// It is a shell script because a test binary has no `local` beside it that it could start.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
servers=' '
while read -r what pid; do
  case $what in
    start) servers="$servers$pid " ;;
    gone) case $servers in *" $pid "*) servers="${servers%% $pid *} ${servers#* $pid }" ;; esac ;;
  esac
done
for pid in $servers; do kill -INT "$pid" 2>/dev/null; done
tries=0
alive=yes
while [ -n "$alive" ] && [ "$tries" -lt 150 ]; do
  alive=
  for pid in $servers; do kill -0 "$pid" 2>/dev/null && alive="$alive $pid"; done
  [ -z "$alive" ] || sleep 0.1
  tries=$((tries + 1))
done
for pid in $alive; do kill -KILL "$pid" 2>/dev/null; done
[ "$#" -eq 0 ] || rm -rf -- "$@"
"#;

/// What a server is started through: it names itself to the guard, then becomes the server. So there is no
/// moment in which the server runs and the guard does not know of it.
const INTRODUCE: &str = r#"echo "start $$"; exec "$@" >&2"#;

/// A running guard. Dropping it closes its input, so that it stops the servers and goes.
#[derive(Debug)]
pub struct Guard {
    /// `None` once it is closed.
    input: Mutex<Option<File>>,
    process: Mutex<Child>,
}

impl Guard {
    /// Starts the guard. `remove` are folders that it removes at the end (throw-away data).
    ///
    /// # Errors
    /// There is no shell.
    pub fn start(remove: &[PathBuf]) -> Result<Self> {
        let mut process = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "frontdesk-guard"])
            .args(remove)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // The terminal's Ctrl-C is for us: we drain first and stop the servers after that.
            .process_group(0)
            .spawn()
            .context("could not start /bin/sh")?;
        let input = process.stdin.take().context("the guard has no input")?;
        Ok(Self {
            input: Mutex::new(Some(File::from(OwnedFd::from(input)))),
            process: Mutex::new(process),
        })
    }

    /// The start of a command line: what is appended to it runs in the guard's care. Its output goes to its
    /// standard error.
    ///
    /// # Errors
    /// The guard has been closed.
    pub fn command(&self) -> Result<Command> {
        let input = match &*held(&self.input) {
            Some(input) => input.try_clone().context("could not share the guard's input")?,
            None => bail!("the servers have been stopped for good"),
        };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", INTRODUCE, "frontdesk-server"])
            .stdin(Stdio::null())
            .stdout(input)
            .process_group(0);
        Ok(command)
    }

    /// Says that this server has ended, so that its process id, which may be given anew, is never signalled.
    pub fn forget(&self, pid: u32) {
        if let Some(input) = &mut *held(&self.input) {
            // A guard that is gone cannot stop anything either.
            let _ = writeln!(input, "gone {pid}");
        }
    }

    /// Closes the input and waits until the guard has done its work.
    pub async fn close(&self) {
        drop(held(&self.input).take());
        poll::until(poll::STOP_DEADLINE, || {
            !matches!(held(&self.process).try_wait(), Ok(None))
        })
        .await;
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
