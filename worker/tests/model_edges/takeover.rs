//! Replies that another run has begun.

use bench::model::{Fault, Rule};
use serde_json::json;
use worker::agents::{AlreadySent, Effect};

use crate::harness::{manager, next, run, server, turn};

const WHOLE: &str = "Hello! I'm Anna, an AI assistant. How can I help you?";

#[tokio::test]
async fn a_reply_that_was_whole_stays_as_it_is() {
    // One model has nothing to add and says nothing, the other one says it all again.
    for rule in [
        Rule::when("").always(Fault::Empty),
        Rule::when("cut off").says(WHOLE),
    ] {
        let server = server(vec![rule]).await;
        let mut turn = turn("Hello");
        turn.already_sent.text = WHOLE.to_owned();
        let said = run(&manager(&server, &[]), &turn).await;
        assert_eq!((said.text.as_str(), said.goes_on), ("", true));
        assert_eq!(server.requests().len(), 1, "silence is an answer");
    }
}

#[tokio::test]
async fn a_reply_that_stopped_in_a_sentence_is_not_whole() {
    let server = server(vec![Rule::when("").always(Fault::Empty)]).await;
    let mut turn = turn("Hello");
    turn.already_sent.text = "Hello! I'm Anna and I".to_owned();
    let said = run(&manager(&server, &[]), &turn).await;
    assert!(said.text.contains("I can't think as freely"), "{}", said.text);
}

/// A session that waits for the visitor's yes to everything.
fn waiting_for_a_yes() -> serde_json::Value {
    let details = json!({"name": "John Doe", "treatments": ["veneers"], "phone": "+44 20 7946 0000", "email": null,
        "time": "any afternoon", "dates": []});
    json!({"greeted": true, "consent": "given", "asked": "confirm", "details": details})
}

#[tokio::test]
async fn whatever_a_model_calls_whoever_goes_on_comes_to_the_same_effects() {
    let noise = json!({"name": "x".repeat(12_000)});
    let mut noisy = Rule::when("yes").says("One moment.");
    for _ in 0..8 {
        noisy = noisy.calls("save_details", noise.clone());
    }
    let server = server(vec![
        noisy.always(Fault::WholeCalls),
        Rule::when("yes")
            .in_round(1)
            .calls("submit_consultation", json!({})),
        Rule::when("yes").in_round(2).says("Your request is on its way."),
        Rule::when("cut off").always(Fault::Empty),
    ])
    .await;
    let manager = manager(&server, &[]);
    let mut turn = turn("yes, send it");
    turn.state = waiting_for_a_yes();
    turn.active_agent = Some("scheduling".into());
    let first = run(&manager, &turn).await;
    assert!(matches!(
        first.outcome.effects.as_slice(),
        [Effect::Consultation(_)]
    ));
    turn.already_sent = AlreadySent {
        text: first.text.clone(),
        note: first.note.clone(),
    };
    let second = run(&manager, &turn).await;
    assert_eq!(second.outcome.effects, first.outcome.effects);
    assert_eq!(second.text, "");
}

#[tokio::test]
async fn a_request_is_sent_once_however_often_a_model_sends_it() {
    let submit = |round| {
        Rule::when("")
            .in_round(round)
            .calls("submit_consultation", json!({}))
    };
    let server = server(vec![
        submit(0).calls("submit_consultation", json!({})),
        submit(1),
        Rule::when("").in_round(2).says("It is on its way."),
    ])
    .await;
    let manager = manager(&server, &[]);
    let mut turn = turn("yes, send it");
    turn.state = waiting_for_a_yes();
    turn.active_agent = Some("scheduling".into());
    let said = run(&manager, &turn).await;
    assert_eq!(said.outcome.effects.len(), 1);
    let again = run(&manager, &next("yes, send it", &said.outcome)).await;
    assert!(again.outcome.effects.is_empty(), "{:?}", again.outcome.effects);
}
