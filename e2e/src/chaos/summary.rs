//! What a run was: counted, and printed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::evidence::Evidence;
use super::faults::Kind;
use super::heard::Heard;
use super::visitors::Conversation;

/// A run in numbers.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Repeats the schedule.
    pub seed: u64,
    /// How long faults were made.
    pub lasted: Duration,
    /// Conversations checked.
    pub conversations: usize,
    /// Messages sent.
    pub messages: usize,
    /// Of those: an api said 200.
    pub accepted: usize,
    /// Of those: the final event named an error.
    pub failed: usize,
    /// Requests by their number of attempts, from the second on.
    pub repeated: usize,
    /// Requests that more than one epoch spoke for.
    pub takeovers: usize,
    /// POSTs beyond the first of a message.
    pub repeated_posts: u64,
    /// Streams resumed.
    pub reconnects: u64,
    /// Replies begun anew.
    pub resets: u64,
    /// The longest time in which a session that waited for something heard nothing. (One message waits for another.)
    pub longest_silence: Duration,
    /// See above: which session, and when it ended, to be found in the logs.
    pub slowest: String,
    /// Faults done.
    pub faults: BTreeMap<Kind, u32>,
    /// What must not be.
    pub violations: Vec<String>,
    /// All that is known of the conversations concerned: a file name and a text.
    pub exhibits: Vec<(String, String)>,
}

impl Summary {
    /// Adds a conversation.
    pub fn add(&mut self, conversation: &Conversation, evidence: &Evidence) {
        self.conversations += 1;
        for heard in conversation.heard.iter().filter(|heard| heard.posts > 0) {
            self.messages += 1;
            self.accepted += usize::from(heard.accepted.is_some());
            self.failed += usize::from(heard.last.as_ref().is_some_and(|last| last.extra.error.is_some()));
            self.repeated_posts += u64::from(heard.posts.saturating_sub(1));
            self.reconnects += u64::from(heard.reconnects);
            self.resets += u64::from(heard.resets);
            let spoken = evidence
                .journal
                .iter()
                .filter(|(request, event)| *request == heard.request && event.epoch > 0);
            let mut epochs: Vec<_> = spoken.map(|(_, event)| event.epoch).collect();
            epochs.sort_unstable();
            epochs.dedup();
            self.takeovers += usize::from(epochs.len() > 1);
        }
        let (silence, until) = longest_silence(conversation);
        if silence > self.longest_silence {
            self.longest_silence = silence;
            self.slowest = format!("session {}, until {until}", conversation.visitor.session());
        }
        self.repeated += evidence.rows.iter().filter(|row| row.attempts > 1).count();
    }

    /// Notes something that must not be, once.
    pub fn violation(&mut self, what: String) {
        if !self.violations.contains(&what) {
            eprintln!("VIOLATION {what}");
            self.violations.push(what);
        }
    }
}

/// The longest time between two signs (an acceptance, an event) while a message was accepted and not answered, and when it ended,
/// as logs write the time.
fn longest_silence(conversation: &Conversation) -> (Duration, String) {
    let waited = |heard: &Heard| Some((heard.accepted?, heard.answered().unwrap_or(conversation.ended)));
    let waits: Vec<_> = conversation.heard.iter().filter_map(waited).collect();
    let events = conversation.heard.iter().flat_map(|heard| &heard.events);
    let mut signs: Vec<_> = waits.iter().flat_map(|(from, to)| [*from, *to]).collect();
    signs.extend(events.map(|event| event.at));
    signs.sort_unstable();
    let gaps = signs
        .windows(2)
        .filter(|gap| waits.iter().any(|(from, to)| *from <= gap[0] && gap[1] <= *to));
    let longest = gaps.max_by_key(|gap| gap[1] - gap[0]);
    longest.map_or_else(Default::default, |gap| {
        let until = time::OffsetDateTime::now_utc() - gap[1].elapsed();
        (gap[1] - gap[0], super::run::clock_at(until))
    })
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            lasted,
            conversations,
            messages,
            accepted,
            failed,
            ..
        } = self;
        writeln!(f, "seed {seed}, {} s of faults", lasted.as_secs())?;
        writeln!(
            f,
            "  {messages} messages in {conversations} conversations: {accepted} accepted, {failed} ended in an error"
        )?;
        writeln!(
            f,
            "  {} requests had more than one turn, {} replies were taken over midway, {} begun anew",
            self.repeated, self.takeovers, self.resets
        )?;
        writeln!(
            f,
            "  clients sent {} messages again and came back {} times; longest time without an event {:.1} s ({})",
            self.repeated_posts,
            self.reconnects,
            self.longest_silence.as_secs_f32(),
            self.slowest
        )?;
        let faults: Vec<_> = self
            .faults
            .iter()
            .map(|(kind, count)| format!("{count} × {kind}"))
            .collect();
        writeln!(f, "  faults: {}", faults.join(", "))?;
        for violation in &self.violations {
            writeln!(f, "  VIOLATION {violation}")?;
        }
        write!(f, "  {} violations", self.violations.len())
    }
}
