//! Measures how fast webhooks are answered at a steady rate.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::Customer;
use super::meta::{Message, Meta};

/// How webhooks are sent.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Webhooks a second.
    pub rate: u32,
    /// For so long.
    pub length: Duration,
    /// By so many customers, in turn.
    pub customers: u32,
    /// Messages in each webhook.
    pub batch: usize,
}

/// What came of it. Times are counted from the instant at which a webhook was due, so that a server that is slow is not
/// measured by fewer questions.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many were answered with each status; `none`: no answer within ten seconds.
    pub statuses: BTreeMap<String, usize>,
    /// All times, sorted.
    pub times: Vec<Duration>,
    /// From the first to the last answer.
    pub took: Duration,
}

impl Outcome {
    /// The time within which so many of a hundred were answered.
    pub fn percentile(&self, percent: usize) -> Duration {
        let index = self.times.len() * percent / 100;
        let last = self.times.len().saturating_sub(1);
        self.times.get(index.min(last)).copied().unwrap_or_default()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |percent| self.percentile(percent).as_secs_f64() * 1_000.0;
        let rate = self.times.len() as f64 / self.took.as_secs_f64().max(f64::EPSILON);
        let statuses: Vec<_> = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{count} × {status}"))
            .collect();
        write!(
            f,
            "{} webhooks, {rate:.0} a second: {}\nanswer time: median {:.1} ms, p99 {:.1} ms, slowest {:.1} ms",
            self.times.len(),
            statuses.join(", "),
            ms(50),
            ms(99),
            ms(100),
        )
    }
}

/// Sends webhooks with new messages at the rate, however slow the answers are, each once.
pub async fn run(meta: &Meta, load: Load) -> Outcome {
    let begun = Instant::now();
    let total = u64::from(load.rate) * load.length.as_millis() as u64 / 1_000;
    let (answered, mut answers) = mpsc::unbounded_channel();
    let courier = meta.line().courier.clone();
    for number in 0..total {
        let due = begun + Duration::from_secs_f64(number as f64 / f64::from(load.rate.max(1)));
        // Made before it is due: signing is not the server's time.
        let customer = Customer::with_phone(&format!("1650{:07}", number % u64::from(load.customers.max(1))));
        let messages: Vec<_> = (0..load.batch.max(1))
            .map(|part| {
                Message::text(
                    &customer,
                    &format!("What are your opening hours? {number}.{part}"),
                )
                .into()
            })
            .collect();
        let webhook = meta.webhook(&messages);
        tokio::time::sleep_until(due.into()).await;
        let (courier, answered) = (courier.clone(), answered.clone());
        courier.clone().spawn(async move {
            let status = courier.attempt(&webhook).await;
            let _ = answered.send((status, due.elapsed()));
        });
    }
    drop(answered);
    let mut outcome = Outcome::default();
    while let Some((status, time)) = answers.recv().await {
        let name = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        *outcome.statuses.entry(name).or_default() += 1;
        outcome.times.push(time);
    }
    outcome.took = begun.elapsed();
    outcome.times.sort_unstable();
    outcome
}
