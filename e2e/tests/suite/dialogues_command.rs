//! The command that plays the dialogues against a model: what it says of one that does well, and of one that does not.

use std::process::Output;

use anyhow::Result;
use bench::model::{FakeModel, Fault, Rule, Script};
use e2e::dialogues::file;
use e2e::process::programs;

/// Runs it as an operator would, with nothing set but `env`.
async fn dialogues(args: &[&str], env: &[(&str, &str)]) -> Result<(Option<i32>, String, String)> {
    let mut command = tokio::process::Command::new(programs().await?.join("dialogues"));
    command.args(args).env_clear().envs(env.iter().copied());
    let Output {
        status,
        stdout,
        stderr,
    } = command.kill_on_drop(true).output().await?;
    Ok((
        status.code(),
        String::from_utf8(stdout)?,
        String::from_utf8(stderr)?,
    ))
}

fn model(url: &str) -> [(&str, &str); 4] {
    [
        ("LLM_BASE_URL", url),
        ("LLM_API_KEY", "any"),
        ("LLM_MODEL", "fake"),
        ("LLM_RETRY_FOR", "1ms"),
    ]
}

#[tokio::test]
async fn a_model_that_passes_is_told_what_it_has_cost() -> Result<()> {
    let script = Script::load(&file::folder().join("scripts/withdrawn.toml"))?;
    let server = FakeModel::start(script).await?;
    let name = "consent is withdrawn";
    let (code, out, _) = dialogues(&["--dialogue", name], &model(&server.base_url())).await?;
    let asked = server.requests().len();
    let turns = file::all()?
        .iter()
        .find(|dialogue| dialogue.name == name)
        .map_or(0, |dialogue| dialogue.turns.len());
    let sum = format!(
        "\n1 ok, 0 failed, 0 skipped; {turns} turns, {asked} questions to the model, {asked}00 tokens in, "
    );
    assert!(out.contains(&sum) && asked > turns / 2, "{sum}\n{out}");
    assert!(out.starts_with(&format!("ok      {name}\n")), "{out}");
    assert_eq!(code, Some(0));

    // Those with a script need no model.
    let (code, out, _) = dialogues(&["--scripted", "--dialogue", "one by one"], &[]).await?;
    assert!(out.contains("\n3 ok, 0 failed, 0 skipped; "), "{out}");
    assert_eq!(code, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_model_that_fails_fails_the_command() -> Result<()> {
    let server = FakeModel::start(vec![Rule::when("").always(Fault::ServerError)]).await?;
    let one = ["--dialogue", "consent is withdrawn"];
    let (code, out, _) = dialogues(&one, &model(&server.base_url())).await?;
    assert!(out.starts_with("FAILED  consent is withdrawn\n"), "{out}");
    assert!(
        out.contains("turn 1: the model failed: model_server_error"),
        "{out}"
    );
    assert!(out.contains("\n0 ok, 1 failed, 0 skipped; "), "{out}");
    assert_eq!(code, Some(1));

    let (code, _, error) = dialogues(&one, &[]).await?;
    assert!(error.contains("no language model is set"), "{error}");
    assert_eq!(code, Some(2), "it is not the model's fault");
    Ok(())
}
