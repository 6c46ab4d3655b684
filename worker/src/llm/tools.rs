//! The tools: what they are called with, checked. No argument can name another visitor, a session or a row.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

use crate::agents::offline::joint::{HUMAN, INFORMATION, SCHEDULING};

static TOOLS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("prompts/tools.json")).expect("a test reads the tools")
});

/// The tools that an agent has, as the model is told.
pub(crate) fn of(agent: &str) -> Vec<Value> {
    let names: &[&str] = match agent {
        SCHEDULING => &[
            "save_details",
            "submit_consultation",
            "lookup",
            "switch_agent",
            "request_human",
        ],
        INFORMATION => &["lookup", "switch_agent", "request_human"],
        _ => &["switch_agent", "lookup"],
    };
    let has = |tool: &&Value| {
        tool["function"]["name"]
            .as_str()
            .is_some_and(|name| names.contains(&name))
    };
    TOOLS.iter().filter(has).cloned().collect()
}

/// A call with good arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    SaveDetails(Box<Given>),
    SubmitConsultation,
    Lookup(Topic),
    SwitchAgent(&'static str),
    RequestHuman,
}

/// What the visitor said, according to the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Given {
    pub(crate) consent: Option<bool>,
    pub(crate) name: Option<String>,
    pub(crate) treatment: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) preferred_time: Option<String>,
    pub(crate) preferred_date: Option<String>,
    pub(crate) preferred_clock: Option<String>,
}

/// What can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Topic {
    Treatments,
    Hours,
    Answers,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    topic: Topic,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    agent: String,
}

/// Reads a call that `agent` has made.
///
/// # Errors
/// Why it cannot be made, for the model.
pub(crate) fn read(agent: &str, name: &str, arguments: &str) -> Result<Tool, String> {
    let allowed = of(agent)
        .iter()
        .any(|tool| tool["function"]["name"].as_str() == Some(name));
    if !allowed {
        return Err("there is no such tool for this task; switch_agent moves to another one".into());
    }
    // No arguments at all are sent as nothing by some servers.
    let arguments = if arguments.trim().is_empty() {
        "{}"
    } else {
        arguments
    };
    match name {
        "save_details" => arguments_of(arguments).map(|given| Tool::SaveDetails(Box::new(given))),
        "submit_consultation" => arguments_of::<Nothing>(arguments).map(|_| Tool::SubmitConsultation),
        "lookup" => arguments_of::<About>(arguments).map(|about| Tool::Lookup(about.topic)),
        "request_human" => arguments_of::<Nothing>(arguments).map(|_| Tool::RequestHuman),
        _ => match arguments_of::<To>(arguments)?.agent.as_str() {
            SCHEDULING => Ok(Tool::SwitchAgent(SCHEDULING)),
            INFORMATION => Ok(Tool::SwitchAgent(INFORMATION)),
            HUMAN => Err("only request_human passes the conversation to a person".into()),
            _ => Err("the agents are scheduling and information".into()),
        },
    }
}

fn arguments_of<'a, T: Deserialize<'a>>(arguments: &'a str) -> Result<T, String> {
    serde_json::from_str(arguments).map_err(|error| format!("the arguments do not fit the schema: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_of_the_file_can_be_read_and_bad_calls_have_a_reason() {
        assert_eq!(of(SCHEDULING).len(), TOOLS.len());
        assert_eq!(
            read(SCHEDULING, "submit_consultation", ""),
            Ok(Tool::SubmitConsultation)
        );
        assert_eq!(
            read(INFORMATION, "lookup", "{\"topic\":\"hours\"}"),
            Ok(Tool::Lookup(Topic::Hours))
        );
        let Ok(Tool::SaveDetails(given)) =
            read(SCHEDULING, "save_details", "{\"name\":\"A\",\"consent\":null}")
        else {
            panic!()
        };
        assert_eq!((given.name.as_deref(), given.consent), (Some("A"), None));
        let bad = [
            (INFORMATION, "save_details", "{}", "no such tool"),
            (SCHEDULING, "drop_table", "{}", "no such tool"),
            (SCHEDULING, "save_details", "{\"name\":", "do not fit"),
            (SCHEDULING, "save_details", "{\"name\":{\"a\":1}}", "do not fit"),
            (SCHEDULING, "save_details", "{\"user_id\":\"1\"}", "unknown field"),
            (
                SCHEDULING,
                "lookup",
                "{\"topic\":\"visitors\"}",
                "unknown variant",
            ),
            (
                SCHEDULING,
                "switch_agent",
                "{\"agent\":\"admin\"}",
                "the agents are",
            ),
            (
                SCHEDULING,
                "switch_agent",
                "{\"agent\":\"human\"}",
                "request_human",
            ),
        ];
        for (agent, name, arguments, reason) in bad {
            let error = read(agent, name, arguments).unwrap_err();
            assert!(error.contains(reason), "{name} {arguments}: {error}");
        }
    }
}
