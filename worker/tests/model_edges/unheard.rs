//! Replies that begin and fail before the visitor has a word of them: as if they had not begun.

use bench::model::{FakeModel, Fault, Rule};

use crate::harness::{manager, run, server, turn};

/// Thoughts, and words that wait in case a diagnosis follows.
const UNHEARD: [&str; 2] = [
    "<think>one two three four five</think>Hello there!",
    "You have a busy week before you.",
];
const FAULTS: [Fault; 4] = [
    Fault::Stall,
    Fault::Disconnect,
    Fault::ErrorChunk,
    Fault::CutShort,
];

fn models(server: &FakeModel) -> Vec<String> {
    let requests = server.requests().into_iter();
    let models = requests.map(|request| request.body["model"].as_str().expect("text").to_owned());
    models.collect()
}

#[tokio::test]
async fn it_is_asked_for_again() {
    for text in UNHEARD {
        for fault in FAULTS {
            let server = server(vec![Rule::when("").says(text).fails(&[fault, fault])]).await;
            let said = run(&manager(&server, &["--llm-retry-for", "20s"]), &turn("Hello")).await;
            assert!(
                text.ends_with(&said.text) && !said.text.is_empty(),
                "{fault:?}: {}",
                said.text
            );
            let requests = server.requests();
            assert_eq!(requests.len(), 3, "{fault:?}");
            let whole = &requests[0].body["messages"];
            assert_eq!(
                &requests[2].body["messages"], whole,
                "nothing is there to go on with"
            );
        }
    }
}

#[tokio::test]
async fn then_the_next_model_answers_then_the_rules() {
    let always = Rule {
        model: Some("first".into()),
        ..Rule::when("").says(UNHEARD[0]).always(Fault::Disconnect)
    };
    let server = server(vec![always, Rule::when("").says("Good day!")]).await;
    let said = run(
        &manager(&server, &["--llm-fallback-model", "second"]),
        &turn("Hello"),
    )
    .await;
    assert_eq!(said.text, "Good day!");
    assert_eq!(models(&server), ["first", "first", "first", "second"]);

    let before = server.requests().len();
    let said = run(&manager(&server, &[]), &turn("Hello")).await;
    assert!(said.text.starts_with("I can't think as freely"), "{}", said.text);
    assert_eq!(server.requests().len(), before + 3);
}

#[tokio::test]
async fn a_model_whose_replies_end_so_is_left_alone() {
    let server = server(vec![Rule::when("").says(UNHEARD[0]).always(Fault::Disconnect)]).await;
    let manager = manager(&server, &["--llm-retry-for", "1ms", "--llm-rest", "1h"]);
    for _ in 0..3 {
        run(&manager, &turn("Hello")).await;
    }
    let asked = server.requests().len();
    assert_eq!(asked, 3, "who has no patience asks once");
    let said = run(&manager, &turn("Hello")).await;
    assert!(said.text.starts_with("I can't think as freely"), "{}", said.text);
    assert_eq!(server.requests().len(), asked, "nobody asks");
}

#[tokio::test]
async fn thoughts_alone_are_no_reply() {
    let server = server(vec![Rule::when("").says("<think>What is there to say?</think>")]).await;
    let said = run(&manager(&server, &[]), &turn("Hello")).await;
    assert!(said.text.starts_with("I can't think as freely"), "{}", said.text);
    assert_eq!(server.requests().len(), 3);
}
