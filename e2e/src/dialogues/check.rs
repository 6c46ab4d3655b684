//! What is expected of a turn, against what came of it.

use serde_json::Value;
use worker::agents::{Consultation, Effect, Outcome};

use super::file::Step;
use super::{Engine, alike, language};

/// What an AI is called in the languages that Anna speaks.
const AI: [&str; 5] = ["AI", "yapay zek", "KI-", "künstliche", "الذكاء الاصطناعي"];
/// What the rules never say: the braces of a template that was not filled, and a gap where a value was empty.
const NEVER: [&str; 3] = ["{", "}", "  "];
/// What no reply quotes: a template, the names of the tools, the words that the model is given.
const INTERNAL: [&str; 7] = [
    "{{",
    "save_details",
    "submit_consultation",
    "switch_agent",
    "request_human",
    "You are Anna",
    "Your task now",
];
/// The longest reply, in characters: what anyone reads in a chat.
const MAX_CHARS: usize = 1_200;

/// Where a turn stands in its dialogue.
#[derive(Clone, Copy, Debug)]
pub struct Place<'d> {
    /// What thinks.
    pub engine: Engine,
    /// It is the first that the visitor hears of us.
    pub first: bool,
    /// The language that the reply is to be in.
    pub language: &'d str,
}

/// What is wrong with a turn, a sentence each.
#[must_use]
pub fn turn(step: &Step, place: Place<'_>, text: &str, outcome: &Outcome) -> Vec<String> {
    let mut problems = Problems::default();
    problems.understood(step, place.engine, outcome);
    problems.said(step, place, text);
    if place.engine == Engine::Rules || step.by_rule {
        problems.worded(step, text, outcome);
    }
    problems.0
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn expect(&mut self, fine: bool, problem: impl FnOnce() -> String) {
        if !fine {
            self.0.push(problem());
        }
    }

    /// What is understood and stored, whatever the words were.
    fn understood(&mut self, step: &Step, engine: Engine, outcome: &Outcome) {
        let effects: Vec<String> = outcome.effects.iter().map(short).collect();
        let fine = alike::effects(&step.effects, &step.optional, &effects, engine);
        self.expect(fine, || {
            format!("effects are {effects:?}, not {:?}", step.effects)
        });
        for (path, expected) in &step.state {
            let found = at(&outcome.state, path);
            let fine = alike::value(expected, found, engine);
            self.expect(fine, || format!("state {path} is {found}, not {expected}"));
        }
        if let Some(agent) = &step.agent {
            let active = &outcome.active_agent;
            self.expect(active == agent, || format!("agent is {active}, not {agent}"));
        }
        let consultation = consultation(outcome);
        if let Some(count) = step.attached {
            let attached = consultation.map(|consultation| consultation.media.len());
            self.expect(attached == Some(count), || {
                format!("attached are {attached:?}, not {count}")
            });
        }
        for fragment in &step.staff {
            let told = consultation.is_some_and(|consultation| consultation.summary.contains(fragment));
            self.expect(told, || format!("the staff are not told {fragment:?}"));
        }
    }

    /// What is said, whoever has worded it.
    fn said(&mut self, step: &Step, place: Place<'_>, text: &str) {
        for fragment in &step.must_say {
            self.expect(alike::says(text, fragment), || {
                format!("does not say {fragment:?}")
            });
        }
        for fragment in step.must_not_say.iter().map(String::as_str).chain(INTERNAL) {
            self.expect(!alike::says(text, fragment), || format!("says {fragment:?}"));
        }
        if place.first {
            let fine = text.contains("Anna") && AI.iter().any(|ai| text.contains(ai));
            self.expect(fine, || "the first reply does not say who speaks".to_owned());
        }
        let spoken = language::of(text);
        let fine = spoken.is_none_or(|spoken| spoken == place.language);
        self.expect(fine, || format!("speaks {spoken:?}, not {:?}", place.language));
        self.expect(!text.trim().is_empty(), || "is empty".to_owned());
        let length = text.chars().count();
        self.expect(length < MAX_CHARS, || format!("is too long: {length} characters"));
    }

    /// How the rules say it.
    fn worded(&mut self, step: &Step, text: &str, outcome: &Outcome) {
        let wording = &step.rules;
        for fragment in &wording.say {
            self.expect(text.contains(fragment), || format!("does not say {fragment:?}"));
        }
        for fragment in wording.not_say.iter().map(String::as_str).chain(NEVER) {
            self.expect(!text.contains(fragment), || format!("says {fragment:?}"));
        }
        let emergency = step.state.get("emergency").is_some_and(|told| *told == true);
        let fine = emergency || !text.contains("112");
        self.expect(fine, || "says the emergency number".to_owned());
        self.expect(text.trim() == text, || "has white space around it".to_owned());
        if let Some(replies) = &wording.quick_replies {
            let found = &outcome.quick_replies;
            self.expect(found == replies, || {
                format!("quick replies are {found:?}, not {replies:?}")
            });
        }
        for (path, expected) in &wording.state {
            let found = at(&outcome.state, path);
            let fine = alike::value(expected, found, Engine::Rules);
            self.expect(fine, || format!("state {path} is {found}, not {expected}"));
        }
    }
}

fn at<'s>(state: &'s Value, path: &str) -> &'s Value {
    state
        .pointer(&format!("/{}", path.replace('.', "/")))
        .unwrap_or(&Value::Null)
}

fn consultation(outcome: &Outcome) -> Option<&Consultation> {
    outcome.effects.iter().find_map(|effect| match effect {
        Effect::Consultation(consultation) => Some(consultation),
        _ => None,
    })
}

fn short(effect: &Effect) -> String {
    match effect {
        Effect::Consent { given, .. } => format!("consent {}", if *given { "yes" } else { "no" }),
        Effect::Name { name } => format!("name {name}"),
        Effect::Consultation(made) => {
            format!(
                "consultation {} | {} | {} | {}",
                made.name, made.treatment, made.contact, made.preferred_time
            )
        }
    }
}
