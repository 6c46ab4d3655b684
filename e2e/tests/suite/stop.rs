//! Stopping replies: in every phase, honestly, and for good.

use anyhow::Result;
use e2e::{Deployment, Visitor, eventually, sse, store};
use reqwest::Method;
use serde_json::{Value, json};
use shared::ids::RequestId;

/// So slow that a reply is always caught in the middle.
const SLOW: &[(&str, &str)] = &[
    ("OFFLINE_TOKEN_DELAY_MS", "300"),
    ("TOKEN_INTERVAL", "0s"),
    ("LEASE_LENGTH", "2s"),
];

async fn stop(visitor: &Visitor, query: &str) -> Result<(u16, Value)> {
    let response = visitor
        .request(Method::POST, &format!("/chat/stop{query}"))
        .send()
        .await?;
    let status = response.status().as_u16();
    Ok((status, response.json().await?))
}

/// What is stored of the reply to `request`.
async fn reply(deployment: &Deployment, request: RequestId) -> (String, String) {
    sqlx::query_as("select body, status from messages where reply_to = $1")
        .bind(request.0)
        .fetch_one(&deployment.db)
        .await
        .expect("it has a reply")
}

/// Reads a stream whose first events are known to its end: it was stopped, and what was read is what is stored.
async fn ends_stopped(
    deployment: &Deployment,
    mut events: Vec<sse::SseEvent>,
    stream: sse::EventStream,
) -> Result<()> {
    events.extend(stream.all().await?);
    sse::assert_gapless(&events, 1);
    let last = &events.last().expect("a stream has a final event").data.extra;
    assert_eq!(last.status.as_deref(), Some("stopped"));
    assert!(last.error.is_none() && last.quick_replies.is_empty());
    let stored = reply(deployment, events[0].id.request).await;
    assert_eq!(stored, (sse::text(&events), "stopped".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_reply_stops_and_what_was_said_is_stored() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(SLOW).await?);
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let events = vec![stream.next().await?.unwrap(), stream.next().await?.unwrap()];
    let request = events[0].id.request;

    let (status, body) = stop(&visitor, "").await?;
    assert_eq!((status, &body["status"]), (200, &json!("stopped")), "{body}");
    assert_eq!(body["request_id"], json!(request));
    ends_stopped(&deployment, events, stream).await?;
    let again = sse::EventStream::of(visitor.listen(None).await?)?.all().await?;
    assert_eq!(
        again.last().unwrap().data.extra.status.as_deref(),
        Some("stopped")
    );
    assert_eq!(
        stop(&visitor, "").await?.1["status"],
        "stopped",
        "it may be said twice"
    );
    let history = visitor.history().await?;
    assert_eq!(history.last().unwrap()["status"], "stopped");

    let quick = deployment.worker().await?;
    drop(quick);
    let effects = "select count(*) from conversation_states where active_agent is not null";
    assert_eq!(
        store::count(&deployment.db, effects).await,
        0,
        "the state is as it was"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_before_is_stopped_too_and_what_comes_after_is_answered() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(SLOW).await?);
    let visitor = api.visitor();
    let mut running = visitor.stream("Hello").await?;
    let said = vec![running.next().await?.unwrap()];
    let mut waiting = visitor.stream("What does a hair transplant cost?").await?;
    let place = waiting.next().await?.unwrap();
    assert_eq!(place.data.extra.status.as_deref(), Some("queued"));
    assert_eq!((place.data.extra.ahead, place.id.seq), (Some(1), 1));

    let first = said[0].id.request;
    let (_, body) = stop(&visitor, &format!("?request_id={first}")).await?;
    assert_eq!(body["status"], "stopped", "only the first one");
    ends_stopped(&deployment, said, running).await?;
    let next = waiting.next().await?.unwrap();
    assert!(
        !next.data.content.is_empty() && next.id.seq == 2,
        "the second one runs: {next:?}"
    );

    let third = visitor.stream("Hello again").await?;
    let (_, body) = stop(&visitor, "").await?;
    assert_eq!(body["status"], "stopped", "everything");
    ends_stopped(&deployment, vec![place, next], waiting).await?;
    ends_stopped(&deployment, Vec::new(), third).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nobody_has_taken_can_be_stopped_and_an_answered_one_cannot() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let visitor = api.visitor();
    assert_eq!(stop(&visitor, "").await?.0, 404, "there is nothing to stop");
    let stream = visitor.stream("Hello").await?;
    let (_, body) = stop(&visitor, "").await?;
    assert_eq!(body["status"], "requested");

    let _worker = deployment.worker().await?;
    ends_stopped(&deployment, Vec::new(), stream).await?;
    let ttl = "select count(*) from conversation_states where session_ttl = 86400";
    assert_eq!(store::count(&deployment.db, ttl).await, 1);

    let answered = visitor.say("Hello").await?;
    let (status, body) = stop(&visitor, "").await?;
    assert_eq!((status, &body["status"]), (200, &json!("too_late")));
    let (text, status) = reply(&deployment, answered[0].id.request).await;
    assert_eq!((text, status.as_str()), (sse::text(&answered), "complete"));
    let stranger = api.visitor();
    let query = format!("?request_id={}", answered[0].id.request);
    assert_eq!(stop(&stranger, &query).await?.0, 404, "another's message");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_outlives_the_worker_that_should_have_heard_it() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, mut doomed) = (deployment.api().await?, deployment.worker_with(SLOW).await?);
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let events = vec![stream.next().await?.unwrap(), stream.next().await?.unwrap()];
    doomed.signal("STOP");
    let (_, body) = stop(&visitor, "").await?;
    assert_eq!(body["status"], "requested", "nobody can say that it has stopped");
    doomed.kill();
    let _survivor = deployment.worker_with(SLOW).await?;
    ends_stopped(&deployment, events, stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_after_the_stop_changes_nothing_but_stores_what_was_said() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, worker) = (deployment.api().await?, deployment.worker_with(SLOW).await?);
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap()];
    // The worker neither hears the hint nor renews its lease before it commits: the commit itself has to look.
    let session = visitor.session().connection_id();
    sqlx::query("update conversation_states set stopped_seq = 9223372036854775807 where connection_id = $1")
        .bind(session)
        .execute(&deployment.db)
        .await?;
    events.extend(stream.all().await?);
    assert_eq!(
        events.last().unwrap().data.extra.status.as_deref(),
        Some("stopped")
    );
    let stored = reply(&deployment, events[0].id.request).await;
    assert_eq!(stored, (sse::text(&events), "stopped".to_owned()));
    drop(worker);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_interrupt_or_refuse_to_wait() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(SLOW).await?);
    let other_api = deployment.api().await?;
    let visitor = api.visitor();
    let mut running = visitor.stream("Hello").await?;
    let said = vec![running.next().await?.unwrap()];

    let impatient = json!({"content": "Hello?", "if_busy": "reject"});
    for base in [&api.base, &other_api.base] {
        let refused = visitor.at(base).post("/chat/stream", &impatient).await?;
        assert_eq!(refused.status(), 409);
        let problem: Value = refused.json().await?;
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&json!("session_busy"), &json!("if_busy"))
        );
    }
    let interrupting = json!({"content": "What does a hair transplant cost?", "if_busy": "interrupt"});
    let next = sse::EventStream::of(
        visitor
            .at(&other_api.base)
            .post("/chat/stream", &interrupting)
            .await?,
    )?;
    ends_stopped(&deployment, said, running).await?;
    let answer = next.all().await?;
    sse::assert_gapless(&answer, 1);
    assert!(!sse::text(&answer).is_empty());
    assert_ne!(
        answer.last().unwrap().data.extra.status.as_deref(),
        Some("stopped")
    );
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests.len(), 2, "what was refused is not stored");

    let alone = visitor
        .post("/chat/", &json!({"content": "Thanks", "if_busy": "reject"}))
        .await?;
    assert_eq!(alone.status(), 200, "nothing runs");
    let wrong = visitor
        .post("/chat/", &json!({"content": "Thanks", "if_busy": "maybe"}))
        .await?;
    assert_eq!(wrong.status(), 400);
    assert_eq!(wrong.json::<Value>().await?["field"], "if_busy");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_the_reader_is_told_so_once() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut second = sse::EventStream::of(visitor.listen(None).await?)?;
    let told = stream.next().await?.unwrap();
    assert_eq!(told.data.extra.status.as_deref(), Some("waiting"));
    assert_eq!((told.id.seq, told.data.content.as_str()), (1, ""));
    assert_eq!(second.next().await?.unwrap().raw, told.raw);

    let _worker = deployment.worker().await?;
    let mut events = vec![told];
    events.extend(stream.all().await?);
    sse::assert_gapless(&events, 1);
    let waits = events.iter().filter(|event| event.data.extra.status.is_some());
    assert_eq!(waits.count(), 1);
    let request = events[0].id.request;
    let stored = eventually("it is stored", async || {
        let requests = store::requests(&deployment.db, visitor.session()).await;
        requests
            .into_iter()
            .find(|stored| stored.id == request && !stored.replies.is_empty())
    });
    assert_eq!(stored.await.replies, [sse::text(&events)]);
    Ok(())
}
