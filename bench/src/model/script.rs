//! What the fake server answers: rules on the last message, in order; the first that matches counts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use super::fault::Fault;
use super::gate::Gate;

/// What is said where no rule fits.
pub const NOTHING_FITS: &str = "I am a scripted model, and nothing in my script fits.";

/// A script, from TOML or JSON.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Milliseconds before each token.
    #[serde(default)]
    pub pace_ms: u64,
    /// What every voice message says.
    #[serde(default)]
    pub transcript: String,
    /// What goes wrong when one is asked for what it says: one a request, as far as it is a refusal; after the last one nothing does.
    #[serde(default)]
    pub transcript_faults: Vec<Fault>,
    /// The rules.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// One answer, and when it is given.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// The last message of the user contains this, in any case; absent: any message.
    pub when: Option<String>,
    /// The place of that message among the user's, from 1; absent: any.
    pub turn: Option<usize>,
    /// So many rounds of tools have followed it; absent: 0.
    pub round: usize,
    /// What the tools have answered to it since then has this in it; absent: whatever they said.
    pub told: Option<String>,
    /// The model that is asked for; absent: any.
    pub model: Option<String>,
    /// The text.
    pub reply: String,
    /// The tool calls, behind the text.
    #[serde(rename = "call")]
    pub calls: Vec<Call>,
    /// What goes wrong, one a request; after the last one nothing does.
    pub faults: Vec<Fault>,
    /// What goes wrong every time.
    pub always: Option<Fault>,
    /// Milliseconds before each token, for this answer.
    pub pace_ms: Option<u64>,
    /// Holds each token back until a test lets it through.
    #[serde(skip)]
    pub gate: Option<Gate>,
    /// How often the rule was used.
    #[serde(skip)]
    pub used: Arc<AtomicUsize>,
}

/// A tool call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// Its arguments: an object, or a string that is sent as it is (to be something else than JSON).
    pub arguments: Value,
}

/// What a request is answered with.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The text, or what is left of it where the request asks to go on.
    pub text: String,
    /// The tool calls.
    pub calls: Vec<Call>,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// Milliseconds before each token.
    pub pace_ms: u64,
    /// What each token has to pass.
    pub gate: Option<Gate>,
}

impl Rule {
    /// A rule for messages that contain `when`.
    pub fn when(when: &str) -> Self {
        Self {
            when: Some(when.to_owned()),
            ..Self::default()
        }
    }

    /// The same after `round` rounds of tools.
    #[must_use]
    pub fn in_round(self, round: usize) -> Self {
        Self { round, ..self }
    }

    /// The same with a text.
    #[must_use]
    pub fn says(self, reply: &str) -> Self {
        Self {
            reply: reply.to_owned(),
            ..self
        }
    }

    /// The same with one more tool call.
    #[must_use]
    pub fn calls(mut self, name: &str, arguments: Value) -> Self {
        self.calls.push(Call {
            name: name.to_owned(),
            arguments,
        });
        self
    }

    /// The same with faults, one a request.
    #[must_use]
    pub fn fails(mut self, faults: &[Fault]) -> Self {
        self.faults.extend(faults);
        self
    }

    /// The same with a fault for every request.
    #[must_use]
    pub fn always(self, fault: Fault) -> Self {
        Self {
            always: Some(fault),
            ..self
        }
    }

    /// The same at another pace.
    #[must_use]
    pub fn paced(self, pace_ms: u64) -> Self {
        Self {
            pace_ms: Some(pace_ms),
            ..self
        }
    }

    /// The same behind a gate.
    #[must_use]
    pub fn behind(self, gate: &Gate) -> Self {
        Self {
            gate: Some(gate.clone()),
            ..self
        }
    }
}

impl From<Vec<Rule>> for Script {
    fn from(rules: Vec<Rule>) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }
}

impl Script {
    /// The script that the program has where none is named.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn shipped() -> Self {
        toml::from_str(include_str!("../../scripts/anna.toml")).expect("a test reads the shipped script")
    }

    /// Reads a file: JSON where it ends so, else TOML.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        if path.extension().is_some_and(|end| end == "json") {
            return serde_json::from_str(&text).with_context(|| path.display().to_string());
        }
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// The answer to a request.
    pub fn answer(&self, model: &str, messages: &[Value]) -> Answer {
        let by_name = model
            .split_once("fault:")
            .and_then(|(_, name)| Fault::named(name));
        let (rule, text) = match self.continued(model, messages) {
            Some((rule, rest)) => (Some(rule), rest),
            None => {
                let rule = self.rule(model, messages);
                (
                    rule,
                    rule.map_or_else(|| NOTHING_FITS.to_owned(), |rule| rule.reply.clone()),
                )
            }
        };
        let Some(rule) = rule else {
            return Answer {
                text,
                fault: by_name,
                pace_ms: self.pace_ms,
                ..Answer::default()
            };
        };
        let used = rule.used.fetch_add(1, Ordering::SeqCst);
        Answer {
            text,
            calls: rule.calls.clone(),
            fault: by_name.or(rule.always).or_else(|| rule.faults.get(used).copied()),
            pace_ms: rule.pace_ms.unwrap_or(self.pace_ms),
            gate: rule.gate.clone(),
        }
    }

    fn rule(&self, model: &str, messages: &[Value]) -> Option<&Rule> {
        let last = messages.iter().rposition(|message| message["role"] == "user")?;
        let said = content(&messages[last]).to_lowercase();
        let turn = messages
            .iter()
            .filter(|message| message["role"] == "user")
            .count();
        let since = &messages[last..];
        let round = since
            .iter()
            .filter(|message| message["tool_calls"].is_array())
            .count();
        let told = |text: &String| {
            let mut results = since.iter().filter(|message| message["role"] == "tool");
            results.any(|result| content(result).contains(text))
        };
        self.rules.iter().find(|rule| {
            rule.round == round
                && rule.turn.is_none_or(|wanted| wanted == turn)
                && rule.told.as_ref().is_none_or(told)
                && rule.model.as_deref().is_none_or(|name| name == model)
                && rule
                    .when
                    .as_deref()
                    .is_none_or(|when| said.contains(&when.to_lowercase()))
        })
    }

    /// Where the last but one message is the beginning of a reply of ours: the rule, and what is left to say.
    fn continued(&self, model: &str, messages: &[Value]) -> Option<(&Rule, String)> {
        let (partial, before) = messages.split_last()?.1.split_last()?;
        let begun = content(partial);
        if partial["role"] != "assistant" || partial["tool_calls"].is_array() || begun.is_empty() {
            return None;
        }
        let rule = self.rule(model, before)?;
        // The text of earlier rounds may stand before it.
        let paragraph = begun.rsplit("\n\n").next().unwrap_or_default();
        let rest = rule
            .reply
            .strip_prefix(&begun)
            .or_else(|| rule.reply.strip_prefix(paragraph))?;
        (!rest.is_empty()).then(|| (rule, rest.to_owned()))
    }
}

/// The text of a message, also where it comes in parts.
fn content(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shipped_script_is_one() {
        assert!(!Script::shipped().rules.is_empty());
    }

    #[test]
    fn rules_count_rounds_and_go_on_where_a_reply_was_cut_off() {
        let script = Script::from(vec![
            Rule::when("book").in_round(1).says("Noted. What next?"),
            Rule::when("book").calls("save_details", json!({"name": "A"})),
        ]);
        let user = json!({"role": "user", "content": "I want to BOOK"});
        let call = json!({"role": "assistant", "tool_calls": [{"id": "1"}]});
        let result = json!({"role": "tool", "content": "ok"});
        assert_eq!(script.answer("m", std::slice::from_ref(&user)).calls.len(), 1);
        let second = [user, call, result];
        assert_eq!(script.answer("m", &second).text, "Noted. What next?");
        let [user, call, result] = second;
        let begun = json!({"role": "assistant", "content": "Noted. Wh"});
        let note = json!({"role": "user", "content": "Go on."});
        let rest = script.answer("m", &[user, call, result, begun, note]).text;
        assert_eq!(rest, "at next?");
    }

    #[test]
    fn rules_know_which_message_they_answer_and_what_tools_have_said() {
        let script: Script = toml::from_str(
            "rule = [{turn = 1, reply = \"one\"}, {turn = 2, round = 1, told = \"too short\", reply = \"two\"}]",
        )
        .unwrap();
        let user = json!({"role": "user", "content": "yes"});
        let said = json!({"role": "assistant", "content": "one"});
        let call = json!({"role": "assistant", "tool_calls": [{"id": "1"}]});
        let result = |text: &str| json!({"role": "tool", "content": text});
        let first = script.answer("m", std::slice::from_ref(&user));
        assert_eq!(first.text, "one");
        let mut messages = vec![user.clone(), said, user, call, result("it is too short")];
        assert_eq!(script.answer("m", &messages).text, "two");
        messages[4] = result("fine");
        assert_eq!(script.answer("m", &messages).text, NOTHING_FITS);
    }

    #[test]
    fn faults_come_by_sequence_and_by_the_name_of_the_model() {
        let script = Script::from(vec![Rule::when("").says("x").fails(&[Fault::ServerError])]);
        let messages = [json!({"role": "user", "content": "hi"})];
        assert_eq!(script.answer("m", &messages).fault, Some(Fault::ServerError));
        assert_eq!(script.answer("m", &messages).fault, None);
        assert_eq!(script.answer("fault:stall", &messages).fault, Some(Fault::Stall));
    }
}
