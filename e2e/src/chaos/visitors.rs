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
            heard.push(self.say(rng.random(), visitor, number, line).await);
        }
        heard
    }

    async fn hastily(&self, rng: &mut StdRng, visitor: &Visitor, script: &Script) -> Vec<Heard> {
        let mut start = Duration::ZERO;
        let said = script.lines.iter().enumerate().map(|(number, line)| {
            // Close enough for one worker to be stuck with a message while another has the next.
            start += Duration::from_millis(rng.random_range(0..150));
            let (seed, start) = (rng.random(), start);
            async move {
                tokio::select! {
                    () = self.quit.cancelled() => None,
                    () = tokio::time::sleep(start) => Some(self.say(seed, visitor, number, line).await),
                }
            }
        });
        let said: Vec<_> = said.collect();
        join_all(said).await.into_iter().flatten().collect()
    }

    async fn say(&self, seed: u64, visitor: &Visitor, number: usize, line: &str) -> Heard {
        let mut reader = Reader {
            visitor: visitor.clone(),
            bases: self.bases.clone(),
            rng: StdRng::seed_from_u64(seed),
            quit: self.quit.clone(),
        };
        let mut heard = Heard::new(visitor.session(), format!("line-{number}"), line.to_owned());
        let stuck = tokio::select! {
            () = reader.ask(&mut heard) => false,
            () = self.give_up.cancelled() => true,
        };
        if stuck && heard.accepted.is_some() {
            heard.breach("accepted, and no final event long after the last fault was mended");
        }
        heard
    }
}
