//! The invariant checker: what a visitor saw, held against what was stored, journalled and shown to others.

use std::collections::{BTreeMap, HashMap, HashSet};

use shared::event::RESET_STRIDE;
use shared::ids::RequestId;

use super::evidence::{Evidence, Replay, StoredMessage};
use super::heard::Heard;
use super::script::{self, Manner};
use super::visitors::Conversation;

/// Every guarantee that `conversation` did not get, a sentence each.
pub fn violations(conversation: &Conversation, evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    let stored = Stored::of(evidence);
    for heard in &conversation.heard {
        let about = |what: String| format!("request {} ({:?}): {what}", heard.request, heard.key);
        found.extend(heard.breaches.iter().cloned().map(about));
        found.extend(stored.of_one(heard).into_iter().map(about));
    }
    found.extend(nothing_else(conversation, evidence));
    found.extend(in_order(conversation, &stored));
    found.extend(one_at_a_time(evidence));
    found.extend(leases(evidence));
    found.extend(nobody_elses(conversation, evidence));
    found.extend(effects(conversation, evidence));
    for replay in &evidence.replays {
        let heard = conversation
            .heard
            .iter()
            .find(|heard| heard.request == replay.request);
        found.extend(heard.and_then(|heard| second_reading(heard, replay)));
    }
    let session = conversation.visitor.session();
    found
        .into_iter()
        .map(|what| format!("session {session}: {what}"))
        .collect()
}

/// The rows, found by what they are looked for.
struct Stored<'a> {
    rows: &'a [StoredMessage],
    incoming: HashMap<RequestId, &'a StoredMessage>,
    replies: HashMap<RequestId, Vec<&'a StoredMessage>>,
}

impl<'a> Stored<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let mut replies: HashMap<_, Vec<_>> = HashMap::new();
        for row in &evidence.rows {
            if let Some(request) = row.reply_to {
                replies.entry(request).or_default().push(row);
            }
        }
        let incoming = evidence.rows.iter().filter(|row| row.reply_to.is_none());
        let incoming = incoming.map(|row| (RequestId(row.id), row)).collect();
        Self {
            rows: &evidence.rows,
            incoming,
            replies,
        }
    }

    /// Nothing accepted is lost; one reply; its text to the byte; one final event.
    fn of_one(&self, heard: &Heard) -> Vec<String> {
        let Some(row) = self.incoming.get(&heard.request) else {
            let lost = heard.accepted.is_some();
            return lost
                .then(|| "accepted and lost: it is not stored".to_owned())
                .into_iter()
                .collect();
        };
        let mut found = Vec::new();
        if row.body != heard.content {
            found.push(format!("stored as {:?}", row.body));
        }
        if row.status == "pending" {
            found.push(format!("still pending after {} attempts", row.attempts));
        }
        let replies = self.replies.get(&heard.request).map_or(&[][..], Vec::as_slice);
        let [reply] = replies else {
            found.push(format!("{} stored replies", replies.len()));
            return found;
        };
        let Some(last) = &heard.last else {
            return found;
        };
        if reply.body != heard.text {
            found.push(differ(
                "the client assembled",
                &heard.text,
                "what is stored",
                &reply.body,
            ));
        }
        if last.extra.error.is_some() != (row.status == "failed") {
            found.push(format!(
                "the final event says {:?}, and the row is {}",
                last.extra.error, row.status
            ));
        }
        let stopped = last.extra.status.as_deref() == Some("stopped");
        if stopped != (reply.status == "stopped") {
            found.push(format!(
                "the final event says {:?}, and the reply is {}",
                last.extra.status, reply.status
            ));
        }
        let honest = match heard.stop.as_deref() {
            Some("stopped") => stopped,
            Some("too_late") => !stopped,
            // What is said without the database cannot be stopped in it.
            Some("requested") => stopped || last.extra.error.is_some() || reply.degraded,
            _ => true,
        };
        if !honest {
            found.push(format!(
                "the visitor was told {:?}, and the reply is {}",
                heard.stop, reply.status
            ));
        }
        if last.extra.message_id != Some(reply.id) {
            found.push(format!(
                "the final event names {:?}, and the reply is {}",
                last.extra.message_id, reply.id
            ));
        }
        found
    }

    fn place(&self, request: RequestId) -> Option<i64> {
        self.incoming.get(&request)?.stream_seq
    }
}

/// What is stored was said by this visitor, and history shows all of it in that order.
fn nothing_else(conversation: &Conversation, evidence: &Evidence) -> Vec<String> {
    let said: HashSet<_> = conversation.heard.iter().map(|heard| heard.request).collect();
    let strange = evidence.rows.iter().filter(|row| {
        let request = row.reply_to.unwrap_or(RequestId(row.id));
        !said.contains(&request)
    });
    let mut found: Vec<_> = strange
        .map(|row| format!("message {} belongs to nothing that was said", row.id))
        .collect();
    let bodies: Vec<_> = evidence.rows.iter().map(|row| row.body.as_str()).collect();
    if evidence.history != bodies {
        found.push(format!(
            "history shows {} messages, {} are stored, or in another order",
            evidence.history.len(),
            bodies.len()
        ));
    }
    found
}

/// Replies are stored in the order of the queue, and the queue has the order in which messages were accepted.
fn in_order(conversation: &Conversation, stored: &Stored<'_>) -> Vec<String> {
    let mut found = Vec::new();
    // What was answered without the database has no order.
    let in_turn = stored.rows.iter().filter(|row| !row.degraded);
    let answered: Vec<_> = in_turn.filter_map(|row| row.reply_to).collect();
    for pair in answered.windows(2) {
        if stored.place(pair[0]) >= stored.place(pair[1]) {
            found.push(format!(
                "{} was answered before {}, which came first",
                pair[0], pair[1]
            ));
        }
    }
    for (number, earlier) in conversation.heard.iter().enumerate() {
        for later in &conversation.heard[number + 1..] {
            let waited = earlier
                .accepted
                .zip(later.posted)
                .is_some_and(|(accepted, posted)| accepted < posted);
            let places = stored.place(earlier.request).zip(stored.place(later.request));
            if waited && places.is_some_and(|(earlier, later)| earlier >= later) {
                found.push(format!(
                    "{} was accepted before {} was sent, and is behind it",
                    earlier.request, later.request
                ));
            }
        }
    }
    found
}

/// Epochs grow by one, and whoever stores a reply holds the lease.
fn leases(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    for (number, acquired) in evidence.leases.iter().enumerate() {
        let before = number
            .checked_sub(1)
            .and_then(|before| evidence.leases.get(before));
        let expected = before.map_or(acquired.epoch_before, |before| before.epoch);
        if acquired.epoch_before != expected || acquired.epoch != expected + 1 {
            found.push(format!("epoch {} follows {expected}", acquired.epoch));
        }
    }
    for (process, holder) in &evidence.trespasses {
        found.push(format!("{process:?} changed the lease that {holder:?} had taken"));
    }
    let degraded: HashSet<_> = evidence
        .rows
        .iter()
        .filter(|row| row.degraded)
        .filter_map(|row| row.reply_to)
        .collect();
    for reply in &evidence.stored_by {
        // An answer that was given without the database is stored by whoever takes it in.
        if reply.process != reply.holder && !degraded.contains(&reply.request) {
            let (process, holder) = (&reply.process, &reply.holder);
            found.push(format!(
                "the reply to {} was stored by {process:?} while {holder:?} had the lease",
                reply.request
            ));
        }
    }
    found
}

/// No worker says anything of a session after another has taken its lease. (A final event comes after the commit, when the next
/// turn may have begun, and a network that holds things back may bring anything late: what counts is when it was said. Epoch 0 is
/// no worker's turn.)
fn one_at_a_time(evidence: &Evidence) -> Vec<String> {
    let mut late: BTreeMap<(RequestId, u64), Vec<u64>> = BTreeMap::new();
    for (request, event) in evidence
        .journal
        .iter()
        .filter(|(_, event)| !event.is_final && event.epoch > 0)
    {
        let later = evidence
            .leases
            .iter()
            .find(|lease| lease.epoch.unsigned_abs() > event.epoch);
        let said = event.data().map(|data| data.timestamp);
        if later.is_some_and(|next| said.is_ok_and(|said| said > next.at)) {
            late.entry((*request, event.epoch)).or_default().push(event.seq);
        }
    }
    let sentence = |((request, epoch), seqs)| {
        format!(
            "the events {seqs:?} of {request} were said under epoch {epoch} when another worker had taken the lease"
        )
    };
    late.into_iter().map(sentence).collect()
}

/// Another visitor's word is nowhere in this one's conversation.
fn nobody_elses(conversation: &Conversation, evidence: &Evidence) -> Vec<String> {
    let own = conversation.script.token.to_lowercase();
    let heard = conversation.heard.iter().map(|heard| heard.text.as_str());
    let stored = evidence.rows.iter().map(|row| row.body.as_str());
    let shown = evidence.history.iter().map(String::as_str);
    let words: HashSet<_> = heard
        .chain(stored)
        .chain(shown)
        .flat_map(script::tokens)
        .collect();
    let others = words.into_iter().filter(|word| *word != own);
    others
        .map(|word| format!("{word} is another visitor's word"))
        .collect()
}

/// What a reply brings about happens once.
fn effects(conversation: &Conversation, evidence: &Evidence) -> Vec<String> {
    let script = &conversation.script;
    let answered = |heard: &Heard| {
        heard
            .last
            .as_ref()
            .is_some_and(|last| last.extra.error.is_none() && !last.extra.degraded)
    };
    let whole = conversation.heard.len() == script.lines.len() && conversation.heard.iter().all(answered);
    let (expected, consultations, consents) =
        (script.consultations, evidence.consultations, evidence.consents);
    let doubled = consultations > expected || consents > expected.max(1);
    let missing =
        script.manner == Manner::Polite && whole && (consultations, consents) != (expected, expected);
    let wrong = doubled || missing;
    let found =
        wrong.then(|| format!("{consultations} consultations and {consents} consents instead of {expected}"));
    found.into_iter().collect()
}

/// Whoever reads again from any event gets what the first reader got after it.
fn second_reading(heard: &Heard, replay: &Replay) -> Option<String> {
    let place = heard.events.iter().position(|event| event.seq == replay.after);
    let (events, text) = match place {
        Some(place) => (
            &heard.events[place + 1..],
            heard.text.get(heard.events[place].end..),
        ),
        None => (&heard.events[..], Some(heard.text.as_str())),
    };
    let anew = heard
        .events
        .iter()
        .rev()
        .find(|event| event.seq.is_multiple_of(RESET_STRIDE));
    if anew.is_some_and(|anew| replay.after < anew.seq) {
        // Where the text was begun anew, what came before is no part of it, and need not be shown again.
        return None;
    }
    let about = format!(
        "a second reading of {} after event {}",
        replay.request, replay.after
    );
    let seqs: Vec<_> = replay.events.iter().map(|(seq, _)| *seq).collect();
    if !events.iter().map(|event| event.seq).eq(seqs.iter().copied()) {
        let first: Vec<_> = events.iter().map(|event| event.seq).collect();
        return Some(format!("{about} has the events {seqs:?} instead of {first:?}"));
    }
    let again: String = replay
        .events
        .iter()
        .map(|(_, data)| data.content.as_str())
        .collect();
    let same = text == Some(again.as_str());
    (!same).then(|| differ(&about, &again, "the first", text.unwrap_or_default()))
}

/// Says where two texts part.
fn differ(one: &str, a: &str, other: &str, b: &str) -> String {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let rest = |text: &str| text.chars().skip(same).take(60).collect::<String>();
    format!(
        "{one} ({} bytes) and {other} ({} bytes) part after {same} characters: {:?} and {:?}",
        a.len(),
        b.len(),
        rest(a),
        rest(b)
    )
}
