//! Dialogues with a script: played through the engine with a model, over HTTP, against the fake model server.

use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use bench::model::{FakeModel, NOTHING_FITS, Script};
use clap::Parser;
use worker::llm::ModelManager;
use worker::llm::config::LlmArgs;

use super::file::folder;
use super::{Dialogue, Engine, Played};

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    args: LlmArgs,
}

/// Plays `dialogue` against a fake model that has its script; `None` where it has none.
///
/// # Errors
/// The script cannot be read, or the server cannot be started.
pub async fn play(dialogue: &Dialogue) -> Result<Option<Played>> {
    let Some(name) = &dialogue.script else {
        return Ok(None);
    };
    let script = Script::load(&folder().join("scripts").join(format!("{name}.toml")))?;
    let server = FakeModel::start(script.clone()).await?;
    let mut played = super::play(&asking(&server)?, Engine::Model, dialogue).await;
    if played.transcript.contains(NOTHING_FITS) {
        played
            .problems
            .push("the script has no line for some question".to_owned());
    }
    for (number, rule) in script.rules.iter().enumerate() {
        // What nothing asks for proves nothing.
        if rule.used.load(Ordering::SeqCst) == 0 {
            played
                .problems
                .push(format!("line {} of the script was never said", number + 1));
        }
    }
    let asked = server.requests().len() as u64;
    if asked != played.cost.requests {
        played.problems.push(format!(
            "{asked} questions came, {} are counted",
            played.cost.requests
        ));
    }
    Ok(Some(played))
}

/// The engine with `server` as its model, whatever the environment says.
///
/// # Errors
/// The HTTP client cannot be built.
pub fn asking(server: &FakeModel) -> Result<ModelManager> {
    shared::tls::install();
    let url = server.base_url();
    let settings = [
        ("--llm-base-url", url.as_str()),
        ("--llm-api-key", "any"),
        ("--llm-model", "fake"),
        ("--llm-fallback-model", ""),
        ("--llm-transcription-model", ""),
        ("--llm-images", "false"),
        ("--llm-history-tokens", "4000"),
    ];
    let settings = settings.iter().flat_map(|(name, value)| [*name, *value]);
    let args = Settings::try_parse_from(["dialogues"].into_iter().chain(settings))?.args;
    ModelManager::new(args.settings()?.context("all three settings are there")?)
}
