//! Plays the dialogues against a language model, and says which of them it cannot be trusted with.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use e2e::dialogues::meter::Cost;
use e2e::dialogues::{Dialogue, Engine, Played, file, play, scripted};
use futures_util::{StreamExt, stream};
use worker::agents::offline::Manager;
use worker::llm::ModelManager;
use worker::llm::config::LlmArgs;

/// What is said where no model is set.
const NO_MODEL: &str = "\
no language model is set: LLM_BASE_URL, LLM_API_KEY and LLM_MODEL are missing. For example:

  LLM_BASE_URL=http://127.0.0.1:11434/v1 LLM_API_KEY=none LLM_MODEL=qwen3:8b make dialogues

Without a model, those dialogues that have a script can be played against the fake one, and all of them by the offline rules:

  make dialogues ARGS=--scripted
  make dialogues ARGS=--rules";

/// Plays the conversations of e2e/dialogues through the agents with a language model, and checks what they understand, what
/// they store, and what they say and do not say. It fails where one of them goes wrong.
#[derive(Parser)]
struct Args {
    /// Only the dialogues whose name has this in it.
    #[arg(long, env = "DIALOGUE", default_value = "")]
    dialogue: String,
    /// Print what was said in all of them; without it, only in those that went wrong.
    #[arg(long)]
    transcripts: bool,
    /// Print what was said in none of them.
    #[arg(long, conflicts_with = "transcripts")]
    brief: bool,
    /// How many are played at once; 1 for a model that serves one at a time.
    #[arg(long, default_value_t = 4)]
    at_once: usize,
    /// Play those that have a script, against the fake model.
    #[arg(long, conflicts_with = "rules")]
    scripted: bool,
    /// Play all by the offline rules.
    #[arg(long)]
    rules: bool,
    #[command(flatten)]
    llm: LlmArgs,
}

/// Who answers.
enum Player {
    Model(Box<ModelManager>),
    Script,
    Rules,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all went well.
#[expect(clippy::print_stdout, reason = "what the command is for")]
async fn run(args: &Args) -> Result<bool> {
    let (player, began) = (&Player::of(args)?, Instant::now());
    let mut dialogues = file::all()?;
    dialogues.retain(|dialogue| {
        dialogue.name.contains(&args.dialogue)
            && (!matches!(player, Player::Script) || dialogue.script.is_some())
    });
    let mut sum = Sum::default();
    let mut all = stream::iter(&dialogues)
        .map(|dialogue| async move { (dialogue, player.play(dialogue).await) })
        .buffered(args.at_once.max(1));
    while let Some((dialogue, end)) = all.next().await {
        let end = end.with_context(|| dialogue.name.clone())?;
        println!("{}", end.line(dialogue));
        if let End::Played(played) = &end {
            for problem in &played.problems {
                println!("        {problem}");
            }
            if args.transcripts || !args.brief && !played.problems.is_empty() {
                println!("{}", indented(&played.transcript));
            }
        }
        sum.add(end);
    }
    ensure!(
        sum.ok + sum.failed > 0,
        "nothing was played: none of these dialogues has {:?} in its name",
        args.dialogue
    );
    println!("\n{} in {:.0?}", sum.line(), began.elapsed());
    Ok(sum.failed == 0)
}

impl Player {
    fn of(args: &Args) -> Result<Self> {
        shared::tls::install();
        if args.rules {
            return Ok(Self::Rules);
        }
        if args.scripted {
            return Ok(Self::Script);
        }
        let settings = args.llm.settings()?.context(NO_MODEL)?;
        Ok(Self::Model(Box::new(ModelManager::new(settings)?)))
    }

    async fn play(&self, dialogue: &Dialogue) -> Result<End> {
        let played = match (self, &dialogue.rules_only) {
            (Self::Rules, _) => play(&Manager::new(), Engine::Rules, dialogue).await,
            (_, Some(reason)) => return Ok(End::Skipped(reason.clone())),
            (Self::Model(model), None) => play(model.as_ref(), Engine::Model, dialogue).await,
            (Self::Script, None) => scripted::play(dialogue).await?.context("it has no script")?,
        };
        Ok(End::Played(Box::new(played)))
    }
}

/// What became of a dialogue.
enum End {
    Played(Box<Played>),
    Skipped(String),
}

impl End {
    fn line(&self, dialogue: &Dialogue) -> String {
        match self {
            Self::Skipped(reason) => format!("skipped {}: {reason}", dialogue.name),
            Self::Played(played) if played.problems.is_empty() => format!("ok      {}", dialogue.name),
            Self::Played(_) => format!("FAILED  {}", dialogue.name),
        }
    }
}

#[derive(Default)]
struct Sum {
    ok: usize,
    failed: usize,
    skipped: usize,
    turns: usize,
    cost: Cost,
}

impl Sum {
    fn add(&mut self, end: End) {
        let End::Played(played) = end else {
            self.skipped += 1;
            return;
        };
        match played.problems.is_empty() {
            true => self.ok += 1,
            false => self.failed += 1,
        }
        self.turns += played.turns;
        self.cost.add(played.cost);
    }

    fn line(&self) -> String {
        let Self {
            ok,
            failed,
            skipped,
            turns,
            cost,
        } = self;
        format!(
            "{ok} ok, {failed} failed, {skipped} skipped; {turns} turns, {} questions to the model, {} tokens in, {} out,",
            cost.requests, cost.prompt_tokens, cost.completion_tokens
        )
    }
}

fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("        | {line}"));
    lines.collect::<Vec<_>>().join("\n")
}
