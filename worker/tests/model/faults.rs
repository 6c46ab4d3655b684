//! Servers that fail, are slow, or differ: every reply ends, and well where that can be.

use std::time::Duration;

use bench::model::{FakeModel, Fault, Gate, Rule};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use worker::agents::{Agent, Reply};

use crate::{HELLO, PATIENCE, Said, manager, manager_at, run, turn};

/// Servers that fall silent are not waited for long; the others may be as slow as the machine is.
fn patience(fault: Fault) -> &'static [&'static str] {
    match fault {
        Fault::Stall | Fault::StallAtOnce => &["--llm-read-deadline", "400ms"],
        _ => &[],
    }
}

#[tokio::test]
async fn every_fault_that_passes_ends_in_the_same_reply() {
    use Fault as F;
    let cases = [
        (F::None, 1),
        (F::SplitUtf8, 1),
        (F::BadUtf8, 1),
        (F::Bom, 1),
        (F::NoUsage, 1),
        (F::NoDone, 1),
        (F::UnknownFields, 1),
        (F::EmptyChoices, 1),
        (F::NotStreamed, 1),
        (F::ErrorAtTheEnd, 1),
        (F::BrokenJson, 2),
        (F::Stall, 2),
        (F::StallAtOnce, 2),
        (F::Disconnect, 2),
        (F::DisconnectAtOnce, 2),
        (F::EmptyReasons, 2),
        (F::ErrorChunk, 2),
        (F::RateLimited, 2),
        (F::ServerError, 2),
        (F::Empty, 2),
        (F::Html, 2),
    ];
    for (fault, requests) in cases {
        let server = FakeModel::start(vec![Rule::when("hello").says(HELLO).fails(&[fault])])
            .await
            .unwrap();
        let said = run(&manager(&server, patience(fault)), &turn("Hello")).await;
        assert_eq!(said.text, HELLO, "{fault:?}");
        assert_eq!(server.requests().len(), requests, "{fault:?}");
    }
}

#[tokio::test]
async fn a_fault_that_stays_ends_in_an_honest_reply() {
    use Fault as F;
    for fault in [
        F::BrokenJson,
        F::Stall,
        F::StallAtOnce,
        F::Disconnect,
        F::DisconnectAtOnce,
        F::EmptyReasons,
        F::ErrorChunk,
        F::RateLimited,
        F::ServerError,
        F::Unauthorized,
        F::Empty,
        F::Html,
        F::Endless,
        F::Nul,
    ] {
        let server = FakeModel::start(vec![Rule::when("hello").says(HELLO).always(fault)])
            .await
            .unwrap();
        let Said { text, outcome, .. } = run(&manager(&server, patience(fault)), &turn("Hello")).await;
        let by_rules = text.starts_with("I can't think as freely as usual") && text.contains("Anna");
        let fine = match fault {
            F::Endless => text.ends_with('…') && text.len() < 30_000,
            F::Nul => text.starts_with("Hello!"),
            F::Stall | F::Disconnect | F::EmptyReasons | F::ErrorChunk | F::BrokenJson => {
                text.starts_with("Hello!") && text.contains("I was interrupted")
            }
            _ => by_rules,
        };
        assert!(fine, "{fault:?}: {text}");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{fault:?}");
        assert_eq!(outcome.state["greeted"], true, "{fault:?}");
        assert!(server.requests().len() < 12, "{fault:?}");
    }
}

#[tokio::test]
async fn the_fallback_model_answers_where_the_first_one_cannot() {
    let mut first = Rule::when("").always(Fault::ServerError);
    first.model = Some("first".into());
    let server = FakeModel::start(vec![first, Rule::when("").says(HELLO)])
        .await
        .unwrap();
    let manager = manager(&server, &["--llm-fallback-model", "second"]);
    assert_eq!(run(&manager, &turn("Hello")).await.text, HELLO);
    let requests = server.requests();
    assert_eq!(requests.last().unwrap().body["model"], "second");
    assert_eq!(requests[0].authorization.as_deref(), Some("Bearer k3y"));
}

#[tokio::test]
async fn the_first_word_does_not_wait_for_the_second_and_a_turn_that_is_dropped_hangs_up() {
    let gate = Gate::default();
    let rule = Rule::when("").says("Gladly, here is a sentence of many words");
    let server = FakeModel::start(vec![rule.behind(&gate)]).await.unwrap();
    let manager = manager(&server, &[]);
    let (sender, mut pieces) = mpsc::channel(64);
    let task = tokio::spawn(async move {
        let mut reply = Reply::new(sender, Duration::ZERO);
        manager.run(&turn("Hello"), &mut reply).await.map(|_| ())
    });
    gate.let_through(1);
    let first = tokio::time::timeout(PATIENCE, pieces.recv()).await;
    assert_eq!(
        first.expect("the second one is held back").as_deref(),
        Some("Gladly,")
    );
    task.abort();
    tokio::time::timeout(PATIENCE, server.abandoned())
        .await
        .expect("the server is told");
}

/// A system drops the handshakes that a full backlog has no place for.
#[tokio::test]
async fn an_address_that_never_answers_a_handshake_is_given_up_after_the_connect_deadline() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(connected) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        waiting.push(connected.unwrap());
        assert!(waiting.len() < 10, "a backlog that is never full");
    }
    let deadlines = [
        ["--llm-connect-deadline", "100ms"],
        ["--llm-read-deadline", "1h"],
        ["--llm-retry-for", "1ms"],
    ];
    let manager = manager_at(&format!("http://{address}/v1"), deadlines.as_flattened());
    let said = run(&manager, &turn("Hello")).await;
    assert!(said.text.starts_with("I can't think as freely"), "{}", said.text);
}
