//! Models that take too long, or are not there at all.

use std::time::Duration;

use bench::model::{Fault, Rule};
use serde_json::json;
use tokio::sync::mpsc;
use worker::agents::{Agent, Reply};

use crate::harness::{manager, run, server, turn};

#[tokio::test]
async fn a_reply_that_never_ends_is_ended() {
    let server = server(vec![Rule::when("").says(&"word ".repeat(2_000)).paced(50)]).await;
    let said = run(
        &manager(&server, &["--llm-reply-deadline", "700ms"]),
        &turn("Hello"),
    )
    .await;
    assert!(
        said.text.starts_with("word") && said.text.contains("I was interrupted"),
        "{}",
        said.text
    );
    assert_eq!(said.outcome.state["greeted"], true);
}

#[tokio::test]
async fn a_model_that_is_down_is_left_alone_after_three_turns() {
    let server = server(vec![Rule::when("").says("Hi!").always(Fault::ServerError)]).await;
    let manager = manager(&server, &["--llm-retry-for", "1ms", "--llm-rest", "1h"]);
    for _ in 0..3 {
        run(&manager, &turn("Hello")).await;
    }
    let asked = server.requests().len();
    let said = run(&manager, &turn("Hello")).await;
    assert!(said.text.starts_with("I can't think as freely"), "{}", said.text);
    assert_eq!(server.requests().len(), asked, "nobody asks");
}

#[tokio::test]
async fn a_model_that_is_back_is_asked_again() {
    let server = server(vec![Rule::when("").says("Hi!").fails(&[Fault::ServerError; 3])]).await;
    // No time at all to rest: the fourth turn is the one that tries it.
    let manager = manager(&server, &["--llm-retry-for", "1ms", "--llm-rest", "1ms"]);
    for _ in 0..3 {
        run(&manager, &turn("Hello")).await;
    }
    let mut said = String::new();
    while said != "Hi!" {
        said = run(&manager, &turn("Hello")).await.text;
    }
    assert_eq!(run(&manager, &turn("Hello")).await.text, "Hi!");
}

#[tokio::test]
async fn a_turn_that_is_dropped_before_the_first_word_hangs_up() {
    let server = server(vec![Rule::when("").says("Hi!").always(Fault::StallAtOnce)]).await;
    let manager = manager(&server, &["--llm-read-deadline", "1h"]);
    let (sender, _pieces) = mpsc::channel(64);
    let task = tokio::spawn(async move {
        let mut reply = Reply::new(sender, Duration::ZERO);
        manager.run(&turn("Hello"), &mut reply).await.map(|_| ())
    });
    let until = async |left: bool| {
        while server
            .requests()
            .first()
            .is_none_or(|request| request.abandoned != left)
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let told = async {
        until(false).await;
        task.abort();
        until(true).await;
    };
    tokio::time::timeout(Duration::from_secs(30), told)
        .await
        .expect("the server is told");
}

#[tokio::test]
async fn calls_that_are_too_many_or_too_long_are_not_made_and_the_text_before_them_is_not_left_to_stand_alone()
 {
    let mut many = Rule::when("").says("I'll pass you on.");
    for _ in 0..9 {
        many = many.calls("request_human", json!({}));
    }
    let long = Rule::when("")
        .says("I'll pass you on.")
        .calls("request_human", json!({"why": "x".repeat(17 << 10)}));
    for rule in [many, long] {
        let server = server(vec![rule]).await;
        let said = run(&manager(&server, &[]), &turn("Hello")).await;
        assert!(
            said.text
                .starts_with("I'll pass you on.\n\nI'm sorry, I was interrupted"),
            "{}",
            said.text
        );
        assert_ne!(said.outcome.active_agent, "human");
        assert_eq!(server.requests().len(), 1, "it would do the same again");
    }
}
