//! Conversations, one after the other in each lane, until the run is over.

use std::time::Duration;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::heard::Heard;
use super::reader::Reader;
use super::script::{self, Manner, Script};
use crate::client::Visitor;

/// One in so many messages of a hasty visitor is to be stopped again.
const STOPS: u32 = 8;

/// After how long at most, in milliseconds.
const STOPS_WITHIN: u64 = 1_500;

/// A conversation that was held.
#[derive(Debug)]
pub struct Conversation {
    /// What was to be said.
    pub script: Script,
    /// By whom.
    pub visitor: Visitor,
    /// What came of each line that was sent.
    pub heard: Vec<Heard>,
    /// When it ended.
    pub ended: Instant,
}

/// What all lanes share.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// What chance is left to.
    pub seed: u64,
    /// Where the apis are.
    pub bases: Vec<String>,
    /// No new messages from here on.
    pub quit: CancellationToken,
    /// No reply is waited for from here on.
    pub give_up: CancellationToken,
    /// Where conversations go.
    pub held: mpsc::UnboundedSender<Conversation>,
}

impl Lanes {
    /// Holds one conversation after the other.
    pub async fn run(self, lane: u64) {
        let mut rng = StdRng::seed_from_u64(self.seed ^ (lane << 32) ^ 0x5eed);
        while !self.quit.is_cancelled() {
            let script = script::write(&mut rng);
            let visitor = Visitor::new(&self.bases[0]);
            let heard = match script.manner {
                Manner::Polite => self.politely(&mut rng, &visitor, &script).await,
                Manner::Hasty => self.hastily(&mut rng, &visitor, &script).await,
            };
            if heard.is_empty() {
                return;
            }
            let ended = Instant::now();
            // Whoever listened is gone only where the run has failed anyway.
            let _ = self.held.send(Conversation {
                script,
                visitor,
                heard,
                ended,
            });
        }
    }

    async fn politely(&self, rng: &mut StdRng, visitor: &Visitor, script: &Script) -> Vec<Heard> {
        let mut heard = Vec::new();
        for (number, line) in script.lines.iter().enumerate() {
            if self.quit.is_cancelled() {
                break;
            }
            heard.push(self.say(rng.random(), visitor, number, line, false).await);
        }
        heard
    }

    async fn hastily(&self, rng: &mut StdRng, visitor: &Visitor, script: &Script) -> Vec<Heard> {
        let mut start = Duration::ZERO;
        let said = script.lines.iter().enumerate().map(|(number, line)| {
            // Close enough for one worker to be stuck with a message while another has the next.
            start += Duration::from_millis(rng.random_range(0..150));
            let (seed, start, stops) = (rng.random(), start, rng.random_ratio(1, STOPS));
            async move {
                tokio::select! {
                    () = self.quit.cancelled() => None,
                    () = tokio::time::sleep(start) => Some(self.say(seed, visitor, number, line, stops).await),
                }
            }
        });
        let said: Vec<_> = said.collect();
        join_all(said).await.into_iter().flatten().collect()
    }

    async fn say(&self, seed: u64, visitor: &Visitor, number: usize, line: &str, stops: bool) -> Heard {
        let reader = |seed| Reader {
            visitor: visitor.clone(),
            bases: self.bases.clone(),
            rng: StdRng::seed_from_u64(seed),
            quit: self.quit.clone(),
        };
        let (mut asks, mut regrets) = (reader(seed), reader(!seed));
        let mut heard = Heard::new(visitor.session(), format!("line-{number}"), line.to_owned());
        let request = heard.request;
        let after = Duration::from_millis(regrets.rng.random_range(0..STOPS_WITHIN));
        let stop = async {
            if !stops {
                return None;
            }
            tokio::time::sleep(after).await;
            regrets.stop(request).await
        };
        let (stuck, stop) = tokio::select! {
            ((), stop) = async { tokio::join!(asks.ask(&mut heard), stop) } => (false, stop),
            () = self.give_up.cancelled() => (true, None),
        };
        heard.stop = stop;
        if stuck && heard.accepted.is_some() {
            heard.breach("accepted, and no final event long after the last fault was mended");
        }
        heard
    }
}
