//! What a visitor's yes is an answer to: only what was asked counts, not any question mark.

use bench::model::Rule;
use serde_json::{Value, json};
use worker::agents::Turn;

use crate::harness::{manager, next, results, run, server, turn};

fn in_a_booking(text: &str, state: Value) -> Turn {
    Turn {
        state,
        active_agent: Some("scheduling".into()),
        ..turn(text)
    }
}

#[tokio::test]
async fn a_friendly_question_is_not_the_one_for_consent() {
    for (greeting, asked) in [
        ("Hello, I'm Anna. How can I help you?", false),
        ("Would you like more information about our prices?", false),
        (
            "I collect your details for the team. Which treatment is it about?",
            false,
        ),
        ("May I collect your details?", true),
        (
            "To prepare, I would note your details. Is that okay for you?",
            true,
        ),
    ] {
        let server = server(vec![
            Rule::when("yes").calls("save_details", json!({"consent": true, "name": "John Doe"})),
            Rule::when("yes").in_round(1).says("Thank you."),
            Rule::when("").says(greeting),
        ])
        .await;
        let manager = manager(&server, &[]);
        let first = run(&manager, &in_a_booking("Hello, I want to book", json!({})))
            .await
            .outcome;
        let expected = if asked {
            ("asked", json!("consent"), 2)
        } else {
            ("unasked", Value::Null, 0)
        };
        assert_eq!(
            (
                &first.state["consent"],
                &first.state["asked"],
                first.quick_replies.len()
            ),
            (&json!(expected.0), &expected.1, expected.2),
            "{greeting}"
        );
        let second = run(&manager, &next("yes, gladly", &first)).await.outcome;
        assert_eq!(
            second.effects.is_empty(),
            !asked,
            "{greeting}: {:?}",
            second.effects
        );
        let problem = results(&server)[0]["problems"]["consent"].is_string();
        assert_eq!(problem, !asked, "{greeting}");
    }
}

#[tokio::test]
async fn a_refusal_is_not_undone_by_another_question() {
    let server = server(vec![
        Rule::when("").calls("save_details", json!({"consent": true})),
        Rule::when("").in_round(1).says("As you like. Anything else?"),
    ])
    .await;
    let refused = json!({"greeted": true, "consent": "refused"});
    let outcome = run(&manager(&server, &[]), &in_a_booking("And your prices?", refused))
        .await
        .outcome;
    assert_eq!(outcome.state["consent"], "refused");
    assert!(outcome.effects.is_empty());
}

#[tokio::test]
async fn a_request_is_sent_on_a_yes_to_its_details_and_to_no_other_question() {
    let phone = "+44 20 7946 0000";
    let details =
        json!({"name": "John Doe", "treatments": ["veneers"], "phone": phone, "time": "any afternoon"});
    for (reply, read_back) in [
        ("Do you have other questions?", false),
        ("Thank you, John Doe. Shall I send it?", false),
        ("I have your number +44 20 7946 0000. Shall I send it?", false),
        ("John Doe, veneers, +44 20 7946 0000, any afternoon.", false),
        (
            "Name: **JOHN DOE**\nPhone: +44 (20) 7946-0000\nMay I send it?",
            true,
        ),
    ] {
        let server = server(vec![
            Rule::when("yes").calls("submit_consultation", json!({})),
            Rule::when("yes").in_round(1).says("One moment."),
            Rule::when("").says(reply),
        ])
        .await;
        let manager = manager(&server, &[]);
        let state = json!({"greeted": true, "consent": "given", "details": details});
        let first = run(&manager, &in_a_booking("any afternoon", state)).await.outcome;
        let asked = if read_back { json!("confirm") } else { Value::Null };
        assert_eq!(first.state["asked"], asked, "{reply}");
        assert_eq!(first.quick_replies.is_empty(), !read_back, "{reply}");
        let second = run(&manager, &next("yes, please", &first)).await.outcome;
        assert_eq!(
            second.effects.is_empty(),
            !read_back,
            "{reply}: {:?}",
            second.effects
        );
    }
}
