//! What a provider received, for those who check it afterwards.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accepted {
    /// The provider's id: `wamid.…` or `SM…`.
    pub id: String,
    /// Digits, or a user id.
    pub to: String,
    /// Its text; of a template its name.
    pub text: String,
    /// What the customer can press: (id, title).
    pub buttons: Vec<(String, String)>,
    /// `text`, `interactive` or `template`.
    pub kind: String,
    /// The message of the customer that it answers.
    pub context: Option<String>,
    /// What its sender calls it: Meta's `biz_opaque_callback_data`, the `delivery` of Twilio's `StatusCallback`.
    pub our_id: Option<String>,
    /// Whether its sender was told: false where the answer was lost.
    pub told: bool,
    /// When it came.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// All of it; form fields as an object.
    pub body: Value,
}

/// A message that was not accepted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refused {
    /// Digits, or a user id; empty where the request did not say.
    pub to: String,
    /// As in [`Accepted`].
    pub our_id: Option<String>,
    /// Why: the provider's code, or the HTTP status, or what the connection did.
    pub why: String,
    /// When it came.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// A read mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// The message of the customer.
    pub message: String,
    /// Whether it came with a typing indicator.
    pub typing: bool,
}

/// A message that its sender sent more than once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repeated {
    /// The sender's id of it.
    pub our_id: String,
    /// How often it was accepted, two at least.
    pub times: usize,
    /// After how many of these acceptances but the last the sender had been told: 0 is as good as a sender without an
    /// idempotency key can be.
    pub needless: usize,
}

/// So many of each kind, and their number. The oldest go first.
#[derive(Debug)]
struct Latest<T> {
    kept: VecDeque<T>,
    total: usize,
    most: usize,
}

impl<T> Latest<T> {
    fn new(most: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            total: 0,
            most,
        }
    }

    fn add(&mut self, one: T) {
        self.total += 1;
        if self.kept.len() == self.most {
            self.kept.pop_front();
        }
        self.kept.push_back(one);
    }
}

#[derive(Debug)]
struct Kept {
    accepted: Latest<Accepted>,
    refused: Latest<Refused>,
    marks: Latest<Mark>,
}

/// All that was received, in the order in which it was.
#[derive(Debug)]
pub struct Records(Mutex<Kept>);

impl Records {
    /// The newest `most` of each kind are kept.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        Self(Mutex::new(Kept {
            accepted: Latest::new(most),
            refused: Latest::new(most),
            marks: Latest::new(most),
        }))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn accept(&self, accepted: Accepted) {
        self.with(|kept| kept.accepted.add(accepted));
    }

    pub(super) fn refuse(&self, refused: Refused) {
        self.with(|kept| kept.refused.add(refused));
    }

    pub(super) fn mark(&self, mark: Mark) {
        self.with(|kept| kept.marks.add(mark));
    }

    /// Messages that were accepted, also those of which the sender was not told.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.with(|kept| kept.accepted.kept.iter().cloned().collect())
    }

    /// Those to one recipient, with or without `+`.
    pub fn accepted_by(&self, to: &str) -> Vec<Accepted> {
        let to = to.trim_start_matches('+');
        self.with(|kept| {
            let theirs = kept.accepted.kept.iter().filter(|accepted| accepted.to == to);
            theirs.cloned().collect()
        })
    }

    /// How many were accepted, also those that are not kept any more.
    pub fn total(&self) -> usize {
        self.with(|kept| kept.accepted.total)
    }

    /// Messages that were not accepted.
    pub fn refused(&self) -> Vec<Refused> {
        self.with(|kept| kept.refused.kept.iter().cloned().collect())
    }

    /// Read marks and typing indicators.
    pub fn marks(&self) -> Vec<Mark> {
        self.with(|kept| kept.marks.kept.iter().cloned().collect())
    }

    /// What was accepted more than once under the same id of its sender.
    pub fn repeated(&self) -> Vec<Repeated> {
        self.with(|kept| {
            let mut by_id = HashMap::<&str, Vec<bool>>::new();
            for accepted in &kept.accepted.kept {
                if let Some(id) = &accepted.our_id {
                    by_id.entry(id).or_default().push(accepted.told);
                }
            }
            let mut repeated: Vec<_> = by_id
                .into_iter()
                .filter(|(_, told)| told.len() > 1)
                .map(|(id, told)| Repeated {
                    our_id: id.to_owned(),
                    times: told.len(),
                    needless: told[..told.len() - 1].iter().filter(|told| **told).count(),
                })
                .collect();
            repeated.sort_by(|a, b| a.our_id.cmp(&b.our_id));
            repeated
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(our_id: &str, told: bool) -> Accepted {
        Accepted {
            id: "wamid.1".to_owned(),
            to: "1".to_owned(),
            text: String::new(),
            buttons: Vec::new(),
            kind: "text".to_owned(),
            context: None,
            our_id: Some(our_id.to_owned()),
            told,
            at: OffsetDateTime::UNIX_EPOCH,
            body: Value::Null,
        }
    }

    #[test]
    fn a_repetition_is_needless_where_its_sender_had_been_told() {
        let records = Records::new(10);
        for (id, told) in [("a", true), ("b", false), ("b", true), ("c", true), ("c", true)] {
            records.accept(accepted(id, told));
        }
        let of = |our_id: &str, needless| Repeated {
            our_id: our_id.to_owned(),
            times: 2,
            needless,
        };
        assert_eq!(records.repeated(), [of("b", 0), of("c", 1)]);
    }

    #[test]
    fn the_oldest_go_first_and_are_still_counted() {
        let records = Records::new(2);
        for id in ["a", "b", "c"] {
            records.accept(accepted(id, true));
        }
        let kept: Vec<_> = records
            .accepted()
            .into_iter()
            .filter_map(|one| one.our_id)
            .collect();
        assert_eq!((kept, records.total()), (vec!["b".to_owned(), "c".to_owned()], 3));
    }
}
