//! The dialogues of `e2e/dialogues/` through the offline rules, and those with a script through the engine with a model.

use bench::model::{FakeModel, Rule};
use e2e::dialogues::meter::Cost;
use e2e::dialogues::{Dialogue, Engine, Played, file, play, scripted};
use serde_json::json;
use worker::agents::offline::Manager;

/// What is to be read where a dialogue went wrong; nothing where it went well.
fn report(dialogue: &Dialogue, played: &Played) -> Option<String> {
    let (name, problems) = (&dialogue.name, &played.problems);
    (!problems.is_empty()).then(|| format!("== {name}\n{}\n{}\n", problems.join("\n"), played.transcript))
}

#[tokio::test]
async fn every_dialogue_goes_as_written_by_the_rules() {
    let dialogues = file::all().unwrap();
    assert!(
        dialogues.len() >= 120,
        "only {} dialogues were found",
        dialogues.len()
    );
    let mut failed = Vec::new();
    for dialogue in &dialogues {
        let played = play(&Manager::new(), Engine::Rules, dialogue).await;
        assert_eq!(played.turns, dialogue.turns.len(), "{}", dialogue.name);
        failed.extend(report(dialogue, &played));
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

#[tokio::test]
async fn every_dialogue_with_a_script_goes_as_written_with_a_model() {
    let (mut count, mut failed) = (0, Vec::new());
    for dialogue in &file::all().unwrap() {
        let Some(played) = scripted::play(dialogue).await.unwrap() else {
            continue;
        };
        count += 1;
        assert_eq!(played.turns, dialogue.turns.len(), "{}", dialogue.name);
        failed.extend(report(dialogue, &played));
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
    assert!(count >= 24, "only {count} dialogues have a script");
}

#[test]
fn every_script_is_of_some_dialogue() {
    let dialogues = file::all().unwrap();
    for entry in std::fs::read_dir(file::folder().join("scripts")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let used = dialogues
            .iter()
            .any(|dialogue| dialogue.script.as_deref() == name);
        assert!(used, "{}", path.display());
    }
}

/// Emergencies go well without it, and where nothing is said, a greeting may do; the others have to ask for more.
#[tokio::test]
async fn a_model_that_greets_whatever_is_said_passes_few_dialogues() {
    let greeting = "Hello! I'm Anna, the AI consultation assistant. Is it okay for me to collect your personal information?";
    let server = FakeModel::start(vec![Rule::when("").says(greeting)])
        .await
        .unwrap();
    let model = scripted::asking(&server).unwrap();
    let (mut count, mut passed) = (0, Vec::new());
    for dialogue in &file::all().unwrap() {
        if dialogue.rules_only.is_none() {
            count += 1;
            let played = play(&model, Engine::Model, dialogue).await;
            passed.extend(played.problems.is_empty().then(|| dialogue.name.clone()));
        }
    }
    assert!(
        passed.len() * 5 < count,
        "{} of {count} pass: {passed:?}",
        passed.len()
    );
}

/// Two questions to the model in the first turn, one in the second; the fake one reads 100 tokens each time and writes one a word.
#[tokio::test]
async fn what_a_conversation_costs_is_the_sum_of_what_the_server_counts() {
    let server = FakeModel::start(vec![
        Rule::when("open").calls("lookup", json!({"topic": "hours"})),
        Rule::when("open").in_round(1).says("We are open every day."),
        Rule::when("thanks").says("You are welcome."),
    ])
    .await
    .unwrap();
    let turns = "name = 'cost'\nturn = [{say = 'When are you open?'}, {say = 'Thanks'}]";
    let dialogue: Dialogue = toml::from_str(turns).unwrap();
    let played = play(&scripted::asking(&server).unwrap(), Engine::Model, &dialogue).await;
    let expected = Cost {
        requests: 3,
        prompt_tokens: 300,
        completion_tokens: 5 + 3,
        failures: Vec::new(),
    };
    assert_eq!(played.cost, expected, "{}", played.transcript);
}
