//! What a provider can do wrong with a request, and to which requests it does so.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// One failure. In JSON: `"drop"`, `{"error": 131056}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Refused with this code of the provider, with the body and the HTTP status that belong to it.
    Error(i64),
    /// Refused with this HTTP status and a page of HTML, as by a load balancer.
    Http(u16),
    /// Not accepted, and the connection breaks instead of an answer.
    Drop,
    /// Not accepted, and no answer comes; the connection stays.
    Stall,
    /// Not accepted, and answered with 200 and something that is no JSON.
    Garbage,
    /// Accepted, and the connection breaks instead of an answer.
    AcceptAndDrop,
    /// Accepted, and no answer comes; the connection stays.
    AcceptAndStall,
    /// Accepted, and answered with 200 and something that is no JSON.
    AcceptAndGarbage,
    /// Accepted with the proper answer; later a status says that it failed, with this code.
    FailLater(i64),
    /// Accepted with the proper answer, but only after so many milliseconds.
    Slow(u64),
    /// All goes well: a pause in a sequence of faults.
    None,
}

impl Fault {
    /// Whether the message is accepted all the same.
    pub fn accepts(self) -> bool {
        use Fault::{AcceptAndDrop, AcceptAndGarbage, AcceptAndStall, FailLater, None, Slow};
        matches!(
            self,
            AcceptAndDrop | AcceptAndStall | AcceptAndGarbage | FailLater(_) | Slow(_) | None
        )
    }
}

/// What kind of request a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Messages to customers.
    #[default]
    Messages,
    /// Read marks and typing indicators.
    Marks,
    /// Media that is fetched.
    Media,
}

/// To which requests a fault happens; what is left out restricts nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// The kind of request.
    #[serde(default)]
    pub on: Target,
    /// The recipient: digits, or a user id. For media: its id.
    #[serde(default)]
    pub to: Option<String>,
    /// Every so many of the requests that the rule is about; 1: each.
    #[serde(default = "each")]
    pub every: u32,
    /// So often at most.
    #[serde(default)]
    pub times: Option<u32>,
    /// How many requests it has met.
    #[serde(skip)]
    met: u32,
}

fn each() -> u32 {
    1
}

impl Rule {
    /// A rule for every message.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            on: Target::default(),
            to: None,
            every: 1,
            times: None,
            met: 0,
        }
    }

    /// The same for one recipient.
    #[must_use]
    pub fn to(self, to: &str) -> Self {
        Self {
            to: Some(to.trim_start_matches('+').to_owned()),
            ..self
        }
    }

    /// The same for every `nth` request.
    #[must_use]
    pub fn every(self, nth: u32) -> Self {
        Self {
            every: nth.max(1),
            ..self
        }
    }

    /// The same, so often at most.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// The same for another kind of request.
    #[must_use]
    pub fn on(self, on: Target) -> Self {
        Self { on, ..self }
    }

    /// Whether it strikes a request that it is about.
    fn strikes(&mut self, on: Target, to: &str) -> bool {
        let about = self.on == on && self.to.as_deref().is_none_or(|only| only == to);
        if !about || self.times == Some(0) {
            return false;
        }
        self.met += 1;
        let strikes = self.met.is_multiple_of(self.every.max(1));
        if strikes && let Some(times) = &mut self.times {
            *times -= 1;
        }
        strikes
    }
}

/// The rules, in order: the first that strikes a request decides, and those behind it do not hear of the request.
#[derive(Debug, Default)]
pub struct Plan(Mutex<Vec<Rule>>);

impl Plan {
    /// How many rules there can be.
    const MOST: usize = 1_000;

    /// Adds a rule behind the others; `false` if there are too many.
    pub fn add(&self, rule: Rule) -> bool {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = rules.len() < Self::MOST;
        if fits {
            rules.push(rule);
        }
        fits
    }

    /// The next message that no earlier rule strikes. Several calls make a sequence.
    pub fn next(&self, fault: Fault) {
        self.add(Rule::new(fault).times(1));
    }

    /// The next message to one recipient.
    pub fn next_to(&self, to: &str, fault: Fault) {
        self.add(Rule::new(fault).to(to).times(1));
    }

    /// Every `nth` message.
    pub fn every(&self, nth: u32, fault: Fault) {
        self.add(Rule::new(fault).every(nth));
    }

    /// Every message from now on.
    pub fn always(&self, fault: Fault) {
        self.add(Rule::new(fault));
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is still to happen.
    pub fn rules(&self) -> Vec<Rule> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What happens to a request. Each call is one request.
    pub(super) fn strike(&self, on: Target, to: &str) -> Fault {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let to = to.trim_start_matches('+');
        let Some(index) = rules.iter_mut().position(|rule| rule.strikes(on, to)) else {
            return Fault::None;
        };
        let fault = rules[index].fault;
        if rules[index].times == Some(0) {
            rules.remove(index);
        }
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_sequence_by_recipient_and_by_number() {
        let plan = Plan::default();
        let strike = |to| plan.strike(Target::Messages, to);
        plan.next_to("+49151", Fault::Stall);
        plan.next(Fault::Error(131056));
        plan.next(Fault::None);
        plan.next(Fault::Drop);
        plan.every(2, Fault::Http(503));
        assert_eq!(strike("1"), Fault::Error(131056));
        assert_eq!(strike("1"), Fault::None);
        assert_eq!(strike("49151"), Fault::Stall);
        assert_eq!(strike("49151"), Fault::Drop);
        let rest = [strike("1"), strike("2"), strike("3"), strike("4")];
        let broken = Fault::Http(503);
        assert_eq!(rest, [Fault::None, broken, Fault::None, broken]);
        assert_eq!(plan.strike(Target::Marks, "1"), Fault::None);
    }

    #[test]
    fn a_rule_can_be_written_as_json() {
        let rule: Rule =
            serde_json::from_str(r#"{"fault": {"error": 131047}, "to": "1", "times": 2}"#).unwrap();
        assert_eq!((rule.fault, rule.times), (Fault::Error(131047), Some(2)));
        let rule: Rule = serde_json::from_str(r#"{"fault": "accept_and_drop", "every": 3}"#).unwrap();
        assert_eq!((rule.fault, rule.every), (Fault::AcceptAndDrop, 3));
    }
}
