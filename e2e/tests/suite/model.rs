//! Anna with a language model: the whole product with the fake model server.

use anyhow::Result;
use bench::model::{FakeModel, Fault, Gate, Rule};
use e2e::deployment::Deployment;
use e2e::{PATIENCE, Process, eventually, sse, store};
use serde_json::json;
use shared::event::NOTE_HEADER;

const HELLO: &str =
    "Hello! I'm Anna, an AI assistant. May I collect your details, so that our team can prepare?";
const SENT: &str =
    "Thank you! Your request is on its way to our team, and they will write to you soon. Goodbye!";

/// A worker that asks `server`.
async fn worker(
    deployment: &Deployment,
    server: &FakeModel,
    more: &[(&'static str, &str)],
) -> Result<Process> {
    let url = server.base_url();
    let model = [
        ("LLM_BASE_URL", url.as_str()),
        ("LLM_API_KEY", "k3y-of-the-test"),
        ("LLM_MODEL", "fake"),
        ("LLM_READ_DEADLINE", "500ms"),
        ("LLM_RETRY_FOR", "2500ms"),
        ("TOKEN_INTERVAL", "0s"),
        ("LEASE_LENGTH", "2s"),
    ];
    deployment.worker_with(&[&model, more].concat()).await
}

fn booking() -> Vec<Rule> {
    let details = json!({"consent": true, "name": "John Doe", "treatment": "hair transplant",
        "phone": "+44 20 7946 0000", "preferred_time": "any afternoon"});
    vec![
        Rule::when("yes, I am").calls("save_details", details),
        Rule::when("yes, I am")
            .in_round(1)
            .says("John Doe, hair transplant, +44 20 7946 0000, any afternoon: shall I send it?"),
        Rule::when("yes, send")
            .says("One moment.")
            .calls("submit_consultation", json!({})),
        Rule::when("yes, send").in_round(1).says(SENT).paced(60),
        Rule::when("hello").says(HELLO),
    ]
}

const DETAILS: &str = "yes, I am John Doe, hair transplant, +44 20 7946 0000, any afternoon";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_behind_a_tool_call_is_followed_by_one_that_goes_on_and_the_request_is_stored_once()
-> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let server = FakeModel::start(booking()).await?;
    let mut doomed = worker(&deployment, &server, &[]).await?;
    let visitor = api.visitor();
    visitor.say("Hello").await?;
    visitor.say(DETAILS).await?;
    let mut stream = visitor.stream("yes, send it").await?;
    let mut events = Vec::new();
    while !sse::text(&events).contains("Your request is") {
        events.push(stream.next().await?.expect("more is to come"));
    }
    let _survivor = worker(&deployment, &server, &[]).await?;
    doomed.kill();
    events.extend(stream.all().await?);

    sse::assert_gapless(&events, 1);
    let text = sse::text(&events);
    assert_eq!(
        text,
        format!("One moment.\n\n{SENT}"),
        "continuous, and nothing is said twice"
    );
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(
        (requests[2].attempts, requests[2].replies.as_slice()),
        (2, &[text][..])
    );
    for (query, count) in [
        ("select count(*) from consultations", 1),
        ("select count(*) from consents", 1),
        ("select count(*) from users where name = 'John Doe'", 1),
    ] {
        assert_eq!(store::count(&deployment.db, query).await, count, "{query}");
    }
    // The one that went on was given the text, and the calls with their results.
    let last = server.requests().pop().unwrap().body["messages"].clone();
    let roles: Vec<&str> = last
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .take(5)
        .filter_map(|m| m["role"].as_str())
        .collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_a_tool_call_arrives_is_followed_by_one_that_lets_the_model_call_again()
-> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    // Its call is not whole before the worker is dead.
    let slowly = Rule::when("yes, send")
        .says("One moment.")
        .calls("submit_consultation", json!({}))
        .paced(3_000);
    let again = Rule::when("cut off").calls("submit_consultation", json!({}));
    let server = FakeModel::start([vec![slowly, again], booking()].concat()).await?;
    let patience = [("LLM_READ_DEADLINE", "20s")];
    let mut doomed = worker(&deployment, &server, &patience).await?;
    let visitor = api.visitor();
    visitor.say("Hello").await?;
    visitor.say(DETAILS).await?;
    let mut stream = visitor.stream("yes, send it").await?;
    let mut events = Vec::new();
    while sse::text(&events) != "One moment." {
        events.push(stream.next().await?.expect("more is to come"));
    }
    doomed.kill();
    let _survivor = worker(&deployment, &server, &patience).await?;
    events.extend(stream.all().await?);

    sse::assert_gapless(&events, 1);
    assert_eq!(sse::text(&events), format!("One moment.\n\n{SENT}"));
    let count = store::count(&deployment.db, "select count(*) from consultations").await;
    assert_eq!(count, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_behind_text_outlives_a_worker_that_is_killed_before_the_next_word() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let said = "I'll send your request now.";
    let gate = Gate::default();
    let rules = vec![
        Rule::when("yes, send")
            .says(said)
            .calls("submit_consultation", json!({})),
        Rule::when("yes, send").in_round(1).says("Done!").behind(&gate),
        // All has been said, as far as it can see.
        Rule::when("cut off").always(Fault::Empty),
    ];
    let server = FakeModel::start([rules, booking()].concat()).await?;
    let patience = [("LLM_READ_DEADLINE", "20s")];
    let mut doomed = worker(&deployment, &server, &patience).await?;
    let visitor = api.visitor();
    visitor.say("Hello").await?;
    visitor.say(DETAILS).await?;
    let mut stream = visitor.stream("yes, send it").await?;
    let mut events = Vec::new();
    while sse::text(&events) != said {
        events.push(stream.next().await?.expect("more is to come"));
    }
    let nats = deployment.nats().await?;
    let (journal, session) = (nats.subjects.tokens_stream(), visitor.session());
    eventually("what was called is in the journal", async || {
        let subject = nats.subjects.all_tokens_of(session);
        let stored = shared::journal::messages(&nats, &journal, &subject, 0)
            .await
            .ok()?;
        let noted = stored.iter().any(|stored| {
            let headers = stored.message.headers.as_ref();
            headers.is_some_and(|headers| headers.get(NOTE_HEADER).is_some())
        });
        noted.then_some(())
    })
    .await;
    doomed.kill();
    let _survivor = worker(&deployment, &server, &patience).await?;
    events.extend(stream.all().await?);

    sse::assert_gapless(&events, 1);
    assert_eq!(sse::text(&events), said);
    let count = store::count(&deployment.db, "select count(*) from consultations").await;
    assert_eq!(count, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_behind_a_tool_call_undoes_it_and_it_can_be_made_again() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let server = FakeModel::start(booking()).await?;
    let _worker = worker(&deployment, &server, &[]).await?;
    let visitor = api.visitor();
    visitor.say("Hello").await?;
    visitor.say(DETAILS).await?;
    let mut stream = visitor.stream("yes, send it").await?;
    let mut events = Vec::new();
    while !sse::text(&events).contains("Thank you!") {
        events.push(stream.next().await?.expect("more is to come"));
    }
    visitor.post("/chat/stop", &json!({})).await?;
    events.extend(stream.all().await?);
    assert!(!sse::text(&events).contains("Goodbye"));
    let sent = "select count(*) from consultations";
    assert_eq!(store::count(&deployment.db, sent).await, 0);
    visitor.say("yes, send it").await?;
    assert_eq!(store::count(&deployment.db, sent).await, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_ends_in_one_stored_reply_that_the_reader_saw() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let faults = Fault::ALL;
    let name = |fault: Fault| format!("{fault:?}!");
    let rules = faults.iter().flat_map(|&fault| {
        let rule = |often: &str| Rule::when(&format!("{often} {}", name(fault))).says(HELLO);
        [rule("once").fails(&[fault]), rule("always").always(fault)]
    });
    let server = FakeModel::start(rules.collect::<Vec<_>>()).await?;
    // A model that rests would be asked about none of them after a while.
    // Fifty at once on a busy machine: a model that is fine must not be taken for one that is silent.
    let patient = [
        ("LLM_REST", "0s"),
        ("LLM_READ_DEADLINE", "2s"),
        ("LLM_RETRY_FOR", "12s"),
    ];
    let mut worker = worker(&deployment, &server, &patient).await?;
    let visitors = faults
        .iter()
        .flat_map(|fault| ["once", "always"].map(|often| (api.visitor(), often, *fault)));
    let conversations = visitors.map(|(visitor, often, fault)| {
        let deployment = &deployment;
        async move {
            let events = visitor.say(&format!("{often} {}", name(fault))).await?;
            sse::assert_gapless(&events, 1);
            let text = sse::text(&events);
            assert!(
                !text.is_empty() && events.last().unwrap().data.extra.error.is_none(),
                "{often} {fault:?}"
            );
            let ours = matches!(fault, Fault::Unauthorized | Fault::RateLimitedLong);
            let another = ours || matches!(fault, Fault::Nul | Fault::Endless);
            if often == "once" {
                assert_eq!(text == HELLO, !another, "{fault:?}: {text}");
            }
            assert!(!text.contains("never see"), "{often} {fault:?}: {text}");
            let requests = store::requests(&deployment.db, visitor.session()).await;
            assert_eq!(requests[0].replies, [text], "{often} {fault:?}");
            anyhow::Ok(())
        }
    });
    futures_util::future::try_join_all(conversations).await?;
    let log = worker.log();
    for secret in [
        "k3y-of-the-test",
        "collect your details",
        "once Stall",
        "Sign in to",
    ] {
        assert!(!log.contains(secret), "the log has {secret:?}");
    }
    worker.logged("model used").await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_has_the_first_word_while_the_model_holds_the_second_back() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let gate = Gate::default();
    let server = FakeModel::start(vec![Rule::when("").says(HELLO).behind(&gate)]).await?;
    let _worker = worker(&deployment, &server, &[("LLM_READ_DEADLINE", "1h")]).await?;
    let mut stream = api.visitor().stream("Hello").await?;
    let mut events = Vec::new();
    gate.let_through(1);
    while sse::text(&events) != "Hello!" {
        events.push(stream.next().await?.expect("more is to come"));
    }
    gate.open();
    events.extend(stream.all().await?);
    assert_eq!(sse::text(&events), HELLO);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_hangs_up_on_the_model_and_keeps_what_was_said() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let server = FakeModel::start(vec![Rule::when("").says(&"word ".repeat(500)).paced(50)]).await?;
    let _worker = worker(&deployment, &server, &[]).await?;
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap()];
    visitor.post("/chat/stop", &json!({})).await?;
    events.extend(stream.all().await?);
    assert_eq!(
        events.last().unwrap().data.extra.status.as_deref(),
        Some("stopped")
    );
    tokio::time::timeout(PATIENCE, server.abandoned()).await?;
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests[0].replies, [sse::text(&events)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_configuration_stops_the_start_and_names_what_is_missing() -> Result<()> {
    let deployment = Deployment::new().await?;
    let half = [("LLM_MODEL", "fake"), ("LLM_API_KEY", "k3y-of-the-test")];
    let mut worker = deployment.start("worker", &half).await?;
    assert!(!worker.ended().await.success());
    let log = worker.log();
    assert!(log.contains("LLM_BASE_URL is missing"), "{log}");
    assert!(!log.contains("k3y-of-the-test"));
    Ok(())
}
