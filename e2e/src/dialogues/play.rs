//! Playing one dialogue through an agent, turn by turn.

use std::time::Duration;

use tokio::sync::mpsc;
use tracing::instrument::WithSubscriber;
use worker::agents::{Agent, AgentError, Outcome, Reply, Turn};

use super::Engine;
use super::check::{self, Place};
use super::file::{Dialogue, Step};
use super::meter::{Cost, Meter};
use super::session::Session;

/// How long a reply may take: the worker's own `AGENT_DEADLINE`.
const DEADLINE: Duration = Duration::from_secs(120);
/// How much of what the visitor says is shown in a transcript, in characters.
const SHOWN: usize = 300;

/// What came of a dialogue.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What was wrong, a sentence each with its turn; empty where all went well.
    pub problems: Vec<String>,
    /// What was said by both.
    pub transcript: String,
    /// Turns that were played.
    pub turns: usize,
    /// What it has cost.
    pub cost: Cost,
}

/// One reply.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    text: String,
    /// In how many pieces it came.
    pieces: usize,
    outcome: Outcome,
}

/// Plays `dialogue`; after a turn without a reply it ends.
pub async fn play(agent: &impl Agent, engine: Engine, dialogue: &Dialogue) -> Played {
    let mut session = Session::of(dialogue);
    let mut spoken = dialogue.language.as_deref().unwrap_or("en");
    let mut played = Played::default();
    for step in &dialogue.turns {
        played.turns += 1;
        spoken = step.language.as_deref().unwrap_or(spoken);
        let place = Place {
            engine,
            first: played.turns == 1 && !session.greeted(),
            language: spoken,
        };
        let turn = session.turn(step);
        played.hears(&turn);
        let meter = Meter::default();
        let said = run(agent, &turn).with_subscriber(meter.clone()).await;
        let cost = meter.read();
        played.judge(engine, step, &cost);
        played.cost.add(cost);
        let said = match said {
            Ok(said) => said,
            Err(problem) => {
                played.problem(problem);
                break;
            }
        };
        played.transcript.push_str(&format!("{}\n", said.text));
        for problem in check::turn(step, place, &said.text, &said.outcome) {
            played.problem(problem);
        }
        if engine == Engine::Rules {
            if run(agent, &turn).await.as_ref() != Ok(&said) {
                played.problem("a second run says something else".to_owned());
            }
            if said.pieces == 1 && said.text.split_whitespace().count() > 1 {
                played.problem("the text came in one piece".to_owned());
            }
        }
        session.commit(&turn, &said.text, said.outcome);
    }
    played
}

impl Played {
    fn hears(&mut self, turn: &Turn) {
        let said: Vec<&str> = turn
            .requests
            .iter()
            .map(|request| request.content.as_str())
            .collect();
        let said: String = said.join("\n").chars().take(SHOWN).collect();
        self.transcript.push_str(&format!("\n> {said}\n"));
    }

    fn problem(&mut self, problem: String) {
        self.problems.push(format!("turn {}: {problem}", self.turns));
    }

    /// Whether it was the model that answered, where it had to, and only there.
    fn judge(&mut self, engine: Engine, step: &Step, cost: &Cost) {
        if !cost.failures.is_empty() {
            self.problem(format!("the model failed: {}", cost.failures.join(", ")));
        }
        let asks = engine == Engine::Model && !step.by_rule;
        if asks && cost.requests == 0 {
            self.problem("the model was not asked".to_owned());
        }
        if !asks && cost.requests > 0 {
            self.problem("a model was asked".to_owned());
        }
    }
}

/// Runs one turn; the text is what the pieces make together.
async fn run(agent: &impl Agent, turn: &Turn) -> Result<Said, String> {
    let (sender, mut received) = mpsc::channel(4);
    let mut reply = Reply::new(sender, Duration::ZERO);
    let speaker = async {
        let outcome = agent.run(turn, &mut reply).await;
        drop(reply);
        outcome
    };
    let reader = async {
        let (mut text, mut pieces) = (String::new(), 0);
        while let Some(piece) = received.recv().await {
            text.push_str(&piece);
            pieces += 1;
        }
        (text, pieces)
    };
    let both = async { tokio::join!(speaker, reader) };
    let (outcome, (text, pieces)) = tokio::time::timeout(DEADLINE, both)
        .await
        .map_err(|_| format!("no reply within {DEADLINE:?}"))?;
    let outcome = outcome.map_err(|error: AgentError| format!("no reply: {error}"))?;
    Ok(Said {
        text,
        pieces,
        outcome,
    })
}
