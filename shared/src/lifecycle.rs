//! How a process ends: the soft token asks for an orderly end, the hard one for an immediate one.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The two tokens. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Take nothing new, finish what runs.
    pub soft: CancellationToken,
    /// Let go of everything now.
    pub hard: CancellationToken,
}

impl Lifecycle {
    /// One that only its owner ends.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that SIGTERM and SIGINT end: the first softly, the second hard.
    ///
    /// # Errors
    /// The signal handlers could not be installed.
    pub fn from_signals() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let lifecycle = Self::new();
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let tokens = lifecycle.clone();
        tokio::spawn(async move {
            for token in [&tokens.soft, &tokens.hard] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(lifecycle)
    }

    /// Cancels the hard token `deadline` after the soft one.
    pub fn harden_after(&self, deadline: Duration) {
        let tokens = self.clone();
        tokio::spawn(async move {
            tokens.soft.cancelled().await;
            tokio::select! {
                () = tokens.hard.cancelled() => {}
                () = tokio::time::sleep(deadline) => tokens.hard.cancel(),
            }
        });
    }

    /// Ends softly.
    pub fn stop(&self) {
        self.soft.cancel();
    }
}
