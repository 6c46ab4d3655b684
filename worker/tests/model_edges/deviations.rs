//! Servers that do something else than the protocol says.

use bench::model::{Fault, Rule};
use serde_json::json;

use crate::harness::{manager, results, run, server, turn};

const HELLO: &str = "Hello! I'm Anna, an AI assistant. Günaydın 😀! May I collect your details?";

#[tokio::test]
async fn every_fault_that_comes_once_ends_in_the_models_reply_or_an_honest_one() {
    for fault in Fault::ALL {
        let server = server(vec![Rule::when("hello").says(HELLO).fails(&[*fault])]).await;
        let said = run(&manager(&server, &[]), &turn("Hello")).await;
        let expected = match fault {
            Fault::Unauthorized | Fault::RateLimitedLong => "I can't think as freely",
            Fault::Nul => "Hello! [31m",
            Fault::Endless => "Hello!",
            _ => HELLO,
        };
        assert!(said.text.starts_with(expected), "{fault:?}: {}", said.text);
        let again = matches!(
            fault,
            Fault::BrokenJson
                | Fault::Stall
                | Fault::StallAtOnce
                | Fault::Disconnect
                | Fault::DisconnectAtOnce
                | Fault::RateLimited
                | Fault::ServerError
                | Fault::Empty
                | Fault::Html
                | Fault::ErrorChunk
                | Fault::ErrorBody
                | Fault::CutShort
                | Fault::Flood
                | Fault::EmptyReasons
        );
        assert_eq!(server.requests().len(), 1 + usize::from(again), "{fault:?}");
        let whole = said.text == HELLO;
        assert_eq!(whole, expected == HELLO, "{fault:?}: {}", said.text);
        assert!(!said.text.contains("never see"), "{fault:?}: {}", said.text);
    }
}

#[tokio::test]
async fn who_asks_for_an_hours_patience_is_not_asked_again() {
    let server = server(vec![Rule::when("").says(HELLO).always(Fault::RateLimitedLong)]).await;
    assert!(
        run(&manager(&server, &[]), &turn("Hello"))
            .await
            .text
            .starts_with("I can't think")
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn calls_that_share_an_index_are_two_calls() {
    for fault in [Fault::SameIndex, Fault::SameIndexNoIds, Fault::WholeCalls] {
        let server = server(vec![
            Rule::when("").in_round(1).says("We are open every day."),
            Rule::when("")
                .calls("lookup", json!({"topic": "hours"}))
                .calls("lookup", json!({"topic": "treatments"}))
                .fails(&[fault]),
        ])
        .await;
        run(&manager(&server, &[]), &turn("When are you open?")).await;
        let results = results(&server);
        assert_eq!(results.len(), 2, "{fault:?}: {results:?}");
        assert!(
            results[0]["week"].is_string() && results[1].is_array(),
            "{fault:?}: {results:?}"
        );
    }
}

#[tokio::test]
async fn a_number_that_was_held_back_when_the_stream_broke_is_said_once() {
    let server = server(vec![
        Rule::when("")
            .says("It costs 400 euros today.")
            .fails(&[Fault::Disconnect]),
    ])
    .await;
    let said = run(&manager(&server, &[]), &turn("Hello")).await;
    assert_eq!(said.text, "It costs 400 euros today.");
}

#[tokio::test]
async fn a_model_that_has_said_all_beside_its_call_may_be_silent_behind_it() {
    let noted = |text: &str| {
        let details = json!({"name": "John Doe"});
        vec![
            Rule::when("").says(text).calls("save_details", details),
            Rule::when("").in_round(1),
        ]
    };
    let behind_a_sentence = server(noted("I have noted that. Which treatment is it about?")).await;
    let said = run(
        &manager(&behind_a_sentence, &[]),
        &turn("I am John Doe and want to book"),
    )
    .await;
    assert_eq!(said.text, "I have noted that. Which treatment is it about?");
    assert_eq!(said.outcome.state["details"]["name"], "John Doe");
    assert_eq!(behind_a_sentence.requests().len(), 2, "silence is an answer");

    // Within a sentence it is none.
    let within_one = server(noted("I have noted that, and")).await;
    let said = run(
        &manager(&within_one, &[]),
        &turn("I am John Doe and want to book"),
    )
    .await;
    assert!(
        said.text
            .starts_with("I have noted that, and…\n\nI'm sorry, I was interrupted"),
        "{}",
        said.text
    );
    assert!(within_one.requests().len() > 2);
}
