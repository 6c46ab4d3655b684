//! The engine with a language model, against the fake server: real HTTP, no queue, no database.

mod conversation;
mod faults;

use std::sync::Arc;
use std::time::Duration;

use bench::model::FakeModel;
use clap::Parser;
use shared::clinic::Clinic;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::sync::mpsc;
use uuid::Uuid;
use worker::agents::{Agent, IncomingMessage, Outcome, Reply, Turn};
use worker::llm::ModelManager;
use worker::llm::config::LlmArgs;

/// Wednesday, noon in Istanbul.
const NOW: OffsetDateTime = datetime!(2026-11-25 09:00 UTC);
/// How long something is waited for that never takes so long.
const PATIENCE: Duration = Duration::from_secs(30);
const HELLO: &str = "Hello! I'm Anna, an AI assistant. Günaydın 😀! May I collect your details?";

#[derive(Parser)]
#[command(args_override_self = true)]
struct Command {
    #[command(flatten)]
    args: LlmArgs,
}

/// A manager that asks `server`, with as little patience for failures as a test needs.
fn manager(server: &FakeModel, more: &[&str]) -> ModelManager {
    manager_at(&server.base_url(), more)
}

fn manager_of_nobody() -> ModelManager {
    manager_at("http://127.0.0.1:9/v1", &["--llm-retry-for", "100ms"])
}

fn manager_at(url: &str, more: &[&str]) -> ModelManager {
    shared::tls::install();
    let common = [
        "worker",
        "--llm-base-url",
        url,
        "--llm-api-key",
        "k3y",
        "--llm-model",
        "first",
        "--llm-retry-for",
        "2500ms",
    ];
    let args = Command::parse_from([&common, more].concat()).args;
    ModelManager::new(args.settings().expect("good settings").expect("a model")).expect("a client")
}

fn turn(text: &str) -> Turn {
    let request = IncomingMessage {
        request_id: Uuid::from_u128(7),
        content: text.to_owned(),
        media: Vec::new(),
        written: NOW,
    };
    Turn::bare(Arc::new(Clinic::shipped()), request, NOW)
}

struct Said {
    text: String,
    outcome: Outcome,
    goes_on: bool,
    note: Option<String>,
}

async fn run(manager: &ModelManager, turn: &Turn) -> Said {
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
    let (outcome, text) = tokio::time::timeout(PATIENCE, both).await.expect("never a hang");
    Said {
        text,
        outcome,
        goes_on: asides.goes_on(),
        note: asides.take_note(),
    }
}
