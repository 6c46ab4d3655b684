//! Models that call tools when they must not.

use bench::model::Rule;
use serde_json::{Value, json};
use worker::agents::Effect;

use crate::harness::{manager, next, results, run, server, turn};

#[tokio::test]
async fn after_a_refusal_consent_takes_another_question() {
    let consents = |when: &str| {
        [
            Rule::when(when).calls("save_details", json!({"consent": true, "name": "John Doe"})),
            Rule::when(when)
                .in_round(1)
                .says("May I collect your details after all?"),
        ]
    };
    let server = server(
        [
            consents("prices"),
            consents("okay, yes"),
            consents("you may collect"),
        ]
        .concat(),
    )
    .await;
    let manager = manager(&server, &[]);
    let mut first = turn("And what are your prices? I am John Doe");
    first.state = json!({"greeted": true, "consent": "refused"});
    first.active_agent = Some("scheduling".into());
    let said = run(&manager, &first).await;
    assert!(said.outcome.effects.is_empty(), "{:?}", said.outcome.effects);
    assert!(results(&server)[0]["problems"]["consent"].is_string());
    assert_eq!(said.outcome.state["details"]["name"], Value::Null);

    let given = |effects: &[Effect]| {
        matches!(
            effects,
            [Effect::Consent { given: true, .. }, Effect::Name { .. }]
        )
    };
    let asked = run(&manager, &next("okay, yes", &said.outcome)).await;
    assert!(given(&asked.outcome.effects), "{:?}", asked.outcome.effects);
    // Who says it in so many words need not be asked.
    first.requests[0].content = "I have changed my mind, you may collect my information".into();
    let said = run(&manager, &first).await;
    assert!(given(&said.outcome.effects), "{:?}", said.outcome.effects);
}

#[tokio::test]
async fn a_refusal_stays_where_nobody_asks_again() {
    let server = server(vec![
        Rule::when("").calls("save_details", json!({"consent": true})),
        Rule::when("").in_round(1).says("As you like."),
    ])
    .await;
    let mut turn = turn("And what are your prices?");
    turn.state = json!({"greeted": true, "consent": "refused"});
    turn.active_agent = Some("scheduling".into());
    let said = run(&manager(&server, &[]), &turn).await;
    assert_eq!(said.outcome.state["consent"], "refused");
}

#[tokio::test]
async fn a_no_in_any_language_is_none_that_a_model_can_read_as_a_yes() {
    let details = json!({"name": "Jane Doe", "treatments": ["veneers"], "phone": "+44 20 7946 0000", "time": "any afternoon"});
    for no in [
        "Nein, noch nicht",
        "Hayır, göndermeyin",
        "لا، ليس الآن",
        "No, not yet",
    ] {
        let server = server(vec![
            Rule::when("").calls("submit_consultation", json!({})),
            Rule::when("").in_round(1).says("As you like."),
        ])
        .await;
        let mut turn = turn(no);
        turn.state = json!({"greeted": true, "consent": "given", "asked": "confirm", "details": details});
        turn.active_agent = Some("scheduling".into());
        let said = run(&manager(&server, &[]), &turn).await;
        assert!(
            said.outcome.effects.is_empty(),
            "{no}: {:?}",
            said.outcome.effects
        );
    }
}

#[tokio::test]
async fn a_thousand_calls_are_none() {
    let mut rule = Rule::when("");
    for _ in 0..1000 {
        rule = rule.calls("request_human", json!({}));
    }
    let server = server(vec![rule]).await;
    let said = run(&manager(&server, &[]), &turn("Hello")).await;
    assert!(said.text.starts_with("I can't think as freely"), "{}", said.text);
    assert_ne!(said.outcome.active_agent, "human");
    assert_eq!(server.requests().len(), 1, "it would do the same again");
}

#[tokio::test]
async fn a_tool_that_does_not_exist_comes_back_by_a_name_that_every_server_takes() {
    let long = "lookup_".repeat(20);
    let server = server(vec![
        Rule::when("")
            .calls("functions.lookup", json!({"topic": "hours"}))
            .calls("öffnungszeiten?", json!({}))
            .calls(&long, json!({})),
        Rule::when("").in_round(1).says("I do not know."),
    ])
    .await;
    run(&manager(&server, &[]), &turn("When are you open?")).await;
    let request = server.requests().pop().unwrap().body;
    let calls = request["messages"][2]["tool_calls"].as_array().unwrap();
    let names: Vec<&str> = calls
        .iter()
        .map(|call| call["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["functions_lookup", "_ffnungszeiten_", &long[..64]]);
    assert!(results(&server).iter().all(|result| result["error"].is_string()));
}
