//! Sends webhooks as the providers do: again and again until they are taken or patience ends, and notes how long each answer
//! took.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// One request to the clinic, signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where it goes.
    pub url: String,
    /// Signature and content type.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// How a webhook that is not taken is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before the first repetition; it doubles each time.
    pub first: Duration,
    /// Before a repetition at most.
    pub longest: Duration,
    /// How often it is sent at most; none: until it is taken.
    pub attempts: Option<u32>,
}

impl Patience {
    /// Five repetitions, which `#rc=5&rp=all` in the webhook's address asks Twilio for, and which it has 15 s for; at the pace of
    /// a test. Then the webhook is lost.
    pub const TWILIO: Self = Self {
        first: Duration::from_millis(100),
        longest: Duration::from_secs(2),
        attempts: Some(6),
    };
}

impl Default for Patience {
    /// 100 ms to 2 s without an end: Meta's seven days, at the pace of a test.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(2),
            attempts: None,
        }
    }
}

/// How webhooks were answered.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// How many were answered with each status; `none` where no answer came.
    pub statuses: BTreeMap<String, usize>,
    /// Half of the answers came within so many milliseconds,
    pub median_ms: f64,
    /// ninety-nine of a hundred within so many,
    pub p99_ms: f64,
    /// and the slowest took so many.
    pub slowest_ms: f64,
}

#[derive(Debug, Default)]
struct Answers {
    statuses: BTreeMap<String, usize>,
    times: VecDeque<Duration>,
}

impl Answers {
    /// Of so many answers the times are kept.
    const MOST: usize = 100_000;

    fn add(&mut self, status: Option<u16>, took: Duration) {
        let name = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        *self.statuses.entry(name).or_default() += 1;
        if self.times.len() == Self::MOST {
            self.times.pop_front();
        }
        self.times.push_back(took);
    }

    fn summary(&self) -> Summary {
        let mut times: Vec<_> = self.times.iter().copied().collect();
        times.sort_unstable();
        let at = |percent: usize| {
            let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
        };
        Summary {
            statuses: self.statuses.clone(),
            median_ms: at(50),
            p99_ms: at(99),
            slowest_ms: at(100),
        }
    }
}

#[derive(Debug)]
struct Inner {
    client: reqwest::Client,
    patience: Mutex<Patience>,
    answers: Mutex<Answers>,
    /// Requests on their way at once.
    slots: Semaphore,
    pending: watch::Sender<usize>,
    tasks: Mutex<JoinSet<()>>,
}

/// The sender of webhooks; a clone sends in the same name.
#[derive(Clone, Debug)]
pub struct Courier(Arc<Inner>);

/// Counts a task down also where it is ended.
struct Pending(Courier);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.0.pending.send_modify(|pending| *pending -= 1);
    }
}

impl Default for Courier {
    fn default() -> Self {
        Self::new()
    }
}

impl Courier {
    const MOST_AT_ONCE: usize = 256;
    /// So many wait at most; what is too much is dropped, and counted among the statuses as `dropped`.
    const MOST_PENDING: usize = 50_000;
    /// After that the providers count a webhook as not taken.
    const DEADLINE: Duration = Duration::from_secs(10);

    /// One that has sent nothing yet.
    ///
    /// # Panics
    /// Never: the client's settings are constant.
    pub fn new() -> Self {
        shared::tls::install();
        let client = reqwest::Client::builder()
            .timeout(Self::DEADLINE)
            .connect_timeout(Self::DEADLINE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("the settings are constant");
        Self(Arc::new(Inner {
            client,
            patience: Mutex::default(),
            answers: Mutex::default(),
            slots: Semaphore::new(Self::MOST_AT_ONCE),
            pending: watch::Sender::new(0),
            tasks: Mutex::default(),
        }))
    }

    /// How webhooks are repeated from now on.
    pub fn set_patience(&self, patience: Patience) {
        *self.0.patience.lock().unwrap_or_else(PoisonError::into_inner) = patience;
    }

    /// Sends once. The status of the answer; none where there was none.
    pub async fn attempt(&self, webhook: &Webhook) -> Option<u16> {
        let _slot = self.0.slots.acquire().await;
        let mut request = self.0.client.post(&webhook.url).body(webhook.body.clone());
        for (name, value) in &webhook.headers {
            request = request.header(*name, value);
        }
        let begun = Instant::now();
        let status = match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                // To its end, so that the connection can be used again.
                response.bytes().await.ok().map(|_| status)
            }
            Err(_) => None,
        };
        let mut answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.add(status, begun.elapsed());
        status
    }

    /// Sends until it is taken (any 2xx); `false` where patience ended first.
    pub async fn deliver(&self, webhook: &Webhook) -> bool {
        let patience = *self.0.patience.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait = patience.first;
        for attempt in 1.. {
            let status = self.attempt(webhook).await;
            if status.is_some_and(|status| (200..300).contains(&status)) {
                return true;
            }
            if patience.attempts.is_some_and(|most| attempt >= most) {
                break;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(patience.longest);
        }
        false
    }

    /// Sends in the background. Two of these may come in any order; for one order use [`Courier::deliver`].
    pub fn post(&self, webhook: Webhook) {
        let courier = self.clone();
        self.spawn(async move {
            courier.deliver(&webhook).await;
        });
    }

    /// Something to be done in the background, which [`Courier::idle`] waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if *self.0.pending.borrow() >= Self::MOST_PENDING {
            let mut answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
            *answers.statuses.entry("dropped".to_owned()).or_default() += 1;
            return;
        }
        self.0.pending.send_modify(|pending| *pending += 1);
        let counted = Pending(self.clone());
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let _counted = counted;
            task.await;
        });
    }

    /// Waits until all that is on its way has been taken.
    pub async fn idle(&self) {
        let _ = self.0.pending.subscribe().wait_for(|pending| *pending == 0).await;
    }

    /// How many are on their way.
    pub fn pending(&self) -> usize {
        *self.0.pending.borrow()
    }

    /// How all that was sent so far was answered.
    pub fn summary(&self) -> Summary {
        self.0
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .summary()
    }

    /// Ends all that is on its way.
    pub(super) fn close(&self) {
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.abort_all();
    }
}
