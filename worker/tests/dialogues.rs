//! Dialogues as data: every file in `e2e/dialogues/` is played through the offline engine, turn by turn.
//!
//! `DIALOGUE=name cargo test -p worker --test dialogues -- --nocapture` prints the dialogues whose name contains `name`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use shared::clinic::Clinic;
use shared::media::{Media, MediaKind};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use tokio::sync::mpsc;
use uuid::Uuid;
use worker::agents::offline::Manager;
use worker::agents::{Agent, AlreadySent, Effect, IncomingMessage, Outcome, Profile, Reply, Turn};

/// Wednesday, noon in Istanbul.
const NOW: OffsetDateTime = datetime!(2026-11-25 09:00 UTC);

/// The shipped clinic, read once.
static CLINIC: LazyLock<Arc<Clinic>> = LazyLock::new(|| Arc::new(Clinic::shipped()));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    dialogue: Vec<Dialogue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dialogue {
    name: String,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    user_consented: bool,
    /// What is stored of a returning visitor's language, as a BCP 47 tag.
    #[serde(default)]
    user_language: Option<String>,
    /// RFC 3339; noon of a Wednesday where it is absent.
    #[serde(default)]
    now: Option<String>,
    /// The state that the first turn finds.
    #[serde(default)]
    state: Option<Value>,
    turn: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// What the visitor writes; several messages where it is a list.
    say: Say,
    /// How often the text is repeated, for very long ones.
    #[serde(default)]
    times: Option<usize>,
    /// Links to pictures and to voice notes ("audio:…"), all on the last message.
    #[serde(default)]
    media: Vec<String>,
    #[serde(default)]
    must_say: Vec<String>,
    #[serde(default)]
    must_not_say: Vec<String>,
    /// The effects in short form: "consent yes", "name John", "consultation John | … | … | …". Absent: none at all.
    #[serde(default)]
    effects: Vec<String>,
    /// Paths into the state and what they hold.
    #[serde(default)]
    state: std::collections::BTreeMap<String, Value>,
    #[serde(default)]
    agent: Option<String>,
    #[serde(default)]
    quick_replies: Option<Vec<String>>,
    /// How many attachments the consultation of this turn lists.
    #[serde(default)]
    attached: Option<usize>,
    /// Fragments of the summary for the staff.
    #[serde(default)]
    staff: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Say {
    One(String),
    Burst(Vec<String>),
}

/// What an AI is called in the languages that Anna speaks.
const AI: [&str; 4] = ["AI", "yapay zek", "KI-", "الذكاء الاصطناعي"];

/// What every step is checked for besides what it says itself.
const NEVER: [&str; 3] = ["{", "}", "  "];

#[tokio::test]
async fn every_dialogue_goes_as_written() {
    let only = option_env!("DIALOGUE");
    let mut failures = Vec::new();
    let mut played = 0;
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for dialogue in file.dialogue {
            if only.is_some_and(|only| !dialogue.name.contains(only)) {
                continue;
            }
            played += 1;
            let mut transcript = String::new();
            let problems = play(&dialogue, &mut transcript).await;
            if only.is_some() || !problems.is_empty() {
                println!("== {}\n{transcript}", dialogue.name);
            }
            failures.extend(
                problems
                    .into_iter()
                    .map(|problem| format!("{}: {problem}", dialogue.name)),
            );
        }
    }
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
    assert!(
        only.is_some() || played >= 110,
        "only {played} dialogues were found"
    );
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/dialogues");
    let entries = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    files
}

async fn play(dialogue: &Dialogue, transcript: &mut String) -> Vec<String> {
    let clinic = Arc::clone(&CLINIC);
    let mut state = dialogue.state.clone().unwrap_or_else(|| json!({}));
    let mut active_agent = None;
    let greeted = state.get("greeted") == Some(&json!(true));
    let mut problems = Vec::new();
    for (number, step) in dialogue.turn.iter().enumerate() {
        let now = dialogue.now.as_deref().map_or(NOW, |now| {
            OffsetDateTime::parse(now, &Rfc3339).expect("an RFC 3339 time")
        });
        let turn = Turn {
            clinic: Arc::clone(&clinic),
            user: Profile {
                name: dialogue.user_name.clone(),
                language: dialogue.user_language.clone(),
                consented: dialogue.user_consented,
            },
            active_agent: active_agent.take(),
            state,
            history: Vec::new(),
            requests: requests(step),
            now,
            written: now,
            is_late: false,
            already_sent: AlreadySent::default(),
        };
        let (text, outcome) = run(&turn).await;
        let again = run(&turn).await;
        let heard: Vec<&str> = turn
            .requests
            .iter()
            .map(|request| request.content.as_str())
            .collect();
        let heard: String = heard.join("\n").chars().take(300).collect();
        transcript.push_str(&format!("\n> {heard}\n{text}\n"));
        let mut here = check(step, &text, &outcome);
        if again != (text.clone(), outcome.clone()) {
            here.push("a second run says something else".to_owned());
        }
        if number == 0 && !greeted && !(text.contains("Anna") && AI.iter().any(|ai| text.contains(ai))) {
            here.push("the first reply does not say who speaks".to_owned());
        }
        problems.extend(
            here.into_iter()
                .map(|problem| format!("turn {}: {problem}", number + 1)),
        );
        state = outcome.state;
        active_agent = Some(outcome.active_agent);
    }
    problems
}

fn requests(step: &Step) -> Vec<IncomingMessage> {
    let texts: Vec<String> = match &step.say {
        Say::One(text) => vec![text.repeat(step.times.unwrap_or(1))],
        Say::Burst(texts) => texts.clone(),
    };
    let last = texts.len() - 1;
    let media: Vec<Media> = step.media.iter().map(|link| media(link)).collect();
    let request = |(index, content)| IncomingMessage {
        request_id: Uuid::from_u128(7),
        content,
        media: if index == last { media.clone() } else { Vec::new() },
    };
    texts.into_iter().enumerate().map(request).collect()
}

fn media(link: &str) -> Media {
    match link.strip_prefix("audio:") {
        Some(url) => Media::new(MediaKind::Audio, url),
        None => Media::new(MediaKind::Media, link),
    }
}

/// Runs one turn; the text is what the pieces make together.
async fn run(turn: &Turn) -> (String, Outcome) {
    let (sender, mut pieces) = mpsc::channel(4);
    let mut reply = Reply::new(sender, Duration::ZERO);
    let manager = Manager::new();
    let agent = async {
        let outcome = manager.run(turn, &mut reply).await.expect("the reader listens");
        drop(reply);
        outcome
    };
    let reader = async {
        let mut text = String::new();
        let mut count = 0;
        while let Some(piece) = pieces.recv().await {
            text.push_str(&piece);
            count += 1;
        }
        assert!(
            count > 1 || text.split_whitespace().count() <= 1,
            "the text came in one piece: {text}"
        );
        text
    };
    let (outcome, text) = tokio::join!(agent, reader);
    (text, outcome)
}

fn check(step: &Step, text: &str, outcome: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expect = |fine: bool, problem: String| {
        if !fine {
            problems.push(problem);
        }
    };
    for fragment in &step.must_say {
        expect(
            text.contains(fragment.as_str()),
            format!("does not say {fragment:?}"),
        );
    }
    for fragment in step.must_not_say.iter().map(String::as_str).chain(NEVER) {
        expect(!text.contains(fragment), format!("says {fragment:?}"));
    }
    let emergency = step.state.get("emergency") == Some(&json!(true));
    expect(
        emergency || !text.contains("112"),
        "says the emergency number".to_owned(),
    );
    expect(
        !text.trim().is_empty() && text.trim() == text,
        "is empty or has white space around it".to_owned(),
    );
    expect(text.chars().count() < 1_200, "is too long".to_owned());
    let effects: Vec<String> = outcome.effects.iter().map(short).collect();
    expect(effects == step.effects, format!("effects are {effects:?}"));
    for (path, expected) in &step.state {
        let found = outcome
            .state
            .pointer(&format!("/{}", path.replace('.', "/")))
            .unwrap_or(&Value::Null);
        let empty = expected == "" && (found.is_null() || found == &json!([]));
        expect(found == expected || empty, format!("state {path} is {found}"));
    }
    if let Some(agent) = &step.agent {
        expect(
            outcome.active_agent == *agent,
            format!("agent is {}", outcome.active_agent),
        );
    }
    if let Some(replies) = &step.quick_replies {
        expect(
            outcome.quick_replies == *replies,
            format!("quick replies are {:?}", outcome.quick_replies),
        );
    }
    let consultation = outcome.effects.iter().find_map(|effect| match effect {
        Effect::Consultation(consultation) => Some(consultation),
        _ => None,
    });
    if let Some(count) = step.attached {
        let attached = consultation.map(|consultation| consultation.media.len());
        expect(attached == Some(count), format!("attached are {attached:?}"));
    }
    for fragment in &step.staff {
        let says = consultation.is_some_and(|consultation| consultation.summary.contains(fragment.as_str()));
        expect(says, format!("the staff are not told {fragment:?}"));
    }
    problems
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
