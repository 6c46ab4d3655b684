//! A manager that asks a fake server, and turns to give it.

use std::sync::Arc;
use std::time::Duration;

use bench::model::{FakeModel, Script};
use clap::Parser;
use serde_json::Value;
use shared::clinic::Clinic;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::sync::mpsc;
use uuid::Uuid;
use worker::agents::{Agent, IncomingMessage, Outcome, PastMessage, Reply, Turn};
use worker::llm::ModelManager;
use worker::llm::config::LlmArgs;

/// Wednesday, noon in Istanbul.
const NOW: OffsetDateTime = datetime!(2026-11-25 09:00 UTC);

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: LlmArgs,
}

/// A server with this script.
pub async fn server(script: impl Into<Script>) -> FakeModel {
    FakeModel::start(script).await.expect("a free port")
}

/// A manager that asks `server` and has little patience.
pub fn manager(server: &FakeModel, more: &[&str]) -> ModelManager {
    shared::tls::install();
    let url = server.base_url();
    let common = [
        "worker",
        "--llm-base-url",
        &url,
        "--llm-api-key",
        "k3y",
        "--llm-model",
        "first",
    ];
    let patience = [["--llm-read-deadline", "400ms"], ["--llm-retry-for", "1500ms"]];
    let patience = patience.iter().filter(|[name, _]| !more.contains(name)).flatten();
    let all = common.iter().chain(patience).chain(more);
    let args = Command::parse_from(all).args;
    ModelManager::new(args.settings().expect("good settings").expect("a model")).expect("a client")
}

/// The first turn of a session.
pub fn turn(text: &str) -> Turn {
    let request = IncomingMessage {
        request_id: Uuid::from_u128(7),
        content: text.to_owned(),
        media: Vec::new(),
        written: NOW,
    };
    Turn::bare(Arc::new(Clinic::shipped()), request, NOW)
}

/// The turn after `outcome`.
pub fn next(text: &str, outcome: &Outcome) -> Turn {
    Turn {
        state: outcome.state.clone(),
        active_agent: Some(outcome.active_agent.clone()),
        ..turn(text)
    }
}

/// A message of the past.
pub fn past(incoming: bool, body: &str) -> PastMessage {
    PastMessage {
        incoming,
        body: body.to_owned(),
    }
}

/// What came of a turn.
pub struct Said {
    pub text: String,
    pub outcome: Outcome,
    pub goes_on: bool,
    pub note: Option<String>,
}

/// Runs a turn to its end.
pub async fn run(manager: &ModelManager, turn: &Turn) -> Said {
    let (sender, mut pieces) = mpsc::channel(64);
    let mut reply = Reply::new(sender, Duration::ZERO);
    let asides = reply.asides();
    let agent = async {
        let outcome = manager.run(turn, &mut reply).await.expect("an outcome");
        drop(reply);
        outcome
    };
    let reader = async {
        let mut text = String::new();
        while let Some(piece) = pieces.recv().await {
            text.push_str(&piece);
        }
        text
    };
    let both = async { tokio::join!(agent, reader) };
    let (outcome, text) = tokio::time::timeout(Duration::from_secs(30), both)
        .await
        .expect("never a hang");
    Said {
        text,
        outcome,
        goes_on: asides.goes_on(),
        note: asides.take_note(),
    }
}

/// What a tool answered in the last request, in the order of the calls.
pub fn results(server: &FakeModel) -> Vec<Value> {
    let last = server.requests().pop().expect("a request").body;
    let messages = last["messages"].as_array().expect("messages").clone();
    let of_tools = messages.iter().filter(|message| message["role"] == "tool");
    of_tools
        .map(|message| serde_json::from_str(message["content"].as_str().expect("text")).expect("JSON"))
        .collect()
}
