//! Waiting between tries: exponential, with jitter, and with an end. The only file that knows the `backoff` crate.

use std::time::Duration;

use backoff::backoff::Backoff as _;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use tokio_util::sync::CancellationToken;

/// How long to wait and when to stop.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The first wait; each later one is up to 1.5 times as long, give or take half.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
    /// How long to try in all; `None` = until cancelled.
    pub give_up_after: Option<Duration>,
}

/// For something that has to be there sooner or later, such as a server that we depend on.
pub const UNTIL_CANCELLED: Policy = Policy {
    first: Duration::from_millis(100),
    longest: Duration::from_secs(2),
    give_up_after: None,
};

/// For a call of the database that ran into a deadlock or lost its connection.
pub const BRIEFLY: Policy = Policy {
    first: Duration::from_millis(20),
    longest: Duration::from_millis(500),
    give_up_after: Some(Duration::from_secs(3)),
};

/// The waits of one policy.
pub struct Waits(ExponentialBackoff);

impl Policy {
    /// Starts to count.
    pub fn waits(self) -> Waits {
        Waits(
            ExponentialBackoffBuilder::new()
                .with_initial_interval(self.first)
                .with_max_interval(self.longest)
                .with_max_elapsed_time(self.give_up_after)
                .build(),
        )
    }

    /// The wait before try `attempt` (1 = the first repetition), with jitter.
    pub fn wait_before(self, attempt: u32) -> Duration {
        let mut waits = Self {
            give_up_after: None,
            ..self
        }
        .waits();
        let mut wait = self.first;
        for _ in 0..attempt.clamp(1, 30) {
            wait = waits.next().unwrap_or(self.longest);
        }
        wait
    }
}

impl Iterator for Waits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next_backoff()
    }
}

/// Calls `operation` until it succeeds, fails for good (`worth_it` is false), the policy gives up, or `cancel` is cancelled.
///
/// # Errors
/// The last error.
pub async fn retry<T, E, Answer>(
    policy: Policy,
    cancel: &CancellationToken,
    mut worth_it: impl FnMut(&E) -> bool,
    mut operation: impl FnMut() -> Answer,
) -> Result<T, E>
where
    Answer: Future<Output = Result<T, E>>,
{
    let mut waits = policy.waits();
    loop {
        let error = match operation().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let wait = match waits.next() {
            Some(wait) if worth_it(&error) => wait,
            _ => return Err(error),
        };
        tokio::select! {
            () = cancel.cancelled() => return Err(error),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_tries_until_it_succeeds_or_the_policy_gives_up() {
        let cancel = CancellationToken::new();
        let mut tries = 0;
        let result = retry(
            BRIEFLY,
            &cancel,
            |_: &&str| true,
            || {
                tries += 1;
                std::future::ready(if tries < 3 { Err("not yet") } else { Ok(tries) })
            },
        );
        assert_eq!(result.await, Ok(3));
        assert_eq!(
            retry(BRIEFLY, &cancel, |_| true, async || Err::<(), _>("never")).await,
            Err("never")
        );
    }

    #[tokio::test]
    async fn it_does_not_repeat_what_will_not_go_well() {
        let cancel = CancellationToken::new();
        let mut tries = 0;
        let result = retry(
            UNTIL_CANCELLED,
            &cancel,
            |_| false,
            || {
                tries += 1;
                std::future::ready(Err::<(), _>("broken"))
            },
        );
        assert_eq!(result.await, Err("broken"));
        assert_eq!(tries, 1);
    }
}
