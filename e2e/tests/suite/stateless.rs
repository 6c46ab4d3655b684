//! PostgreSQL away for longer than a visitor wants to wait: the agent answers without it, and the answer is stored later.

use anyhow::Result;
use e2e::{Deployment, eventually, sse, store};
use shared::event::EventId;

/// Waits until everything that was said is stored, and nothing waits any more.
async fn all_stored(deployment: &Deployment, requests: usize) -> Result<()> {
    let nats = deployment.nats().await?;
    eventually("everything is stored", async || {
        let answered: i64 = sqlx::query_scalar("select count(*) from messages where reply_to is not null")
            .fetch_one(&deployment.db)
            .await
            .ok()?;
        let stream = nats
            .jetstream
            .get_stream(nats.subjects.chat_stream())
            .await
            .ok()?;
        (answered == requests as i64 && stream.cached_info().state.messages == 0).then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_is_answered_while_postgresql_is_away_and_the_answer_is_stored_once() -> Result<()> {
    let deployment = Deployment::with_own_servers().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let _second = deployment.worker().await?;
    let (visitor, patient) = (api.visitor(), api.visitor());
    visitor.say("Hello, my name is John Doe").await?;

    deployment.servers().postgres().stop().await?;
    let events = visitor.say("When are you open?").await?;
    sse::assert_gapless(&events, 1);
    let last = &events.last().unwrap().data.extra;
    assert!(last.degraded && last.error.is_none());
    assert!(!sse::text(&events).is_empty());
    let whole = patient.chat("Hello").await?;
    assert_eq!(whole["degraded"], true);
    let request = events[0].id.request;
    let again = visitor.listen(Some(EventId { request, seq: 0 })).await?;
    assert_eq!(
        sse::text(&sse::EventStream::of(again)?.all().await?),
        sse::text(&events)
    );

    deployment.servers().postgres().start().await?;
    all_stored(&deployment, 3).await?;
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests.len(), 2);
    assert_eq!(
        (requests[1].id, requests[1].status.as_str()),
        (request, "answered")
    );
    assert_eq!(requests[1].replies, [sse::text(&events)]);
    let bodies: Vec<_> = visitor
        .history()
        .await?
        .iter()
        .map(|message| message["content"].clone())
        .collect();
    assert_eq!(bodies[2..], ["When are you open?".to_owned(), sse::text(&events)]);

    // What the journal has forgotten comes from the database, with the same ids.
    let nats = deployment.nats().await?;
    let journal = nats.jetstream.get_stream(nats.subjects.tokens_stream()).await?;
    journal
        .purge()
        .filter(nats.subjects.tokens(visitor.session(), request))
        .await?;
    let stored = visitor.listen(Some(EventId { request, seq: 0 })).await?;
    let stored = sse::EventStream::of(stored)?.all().await?;
    let shown = |events: &[sse::SseEvent]| -> Vec<_> {
        events
            .iter()
            .map(|event| (event.id, event.data.content.clone()))
            .collect()
    };
    assert_eq!(shown(&stored), shown(&events));
    assert!(stored.last().unwrap().data.extra.degraded);

    let next = visitor.say("Hello again").await?;
    assert!(!next.last().unwrap().data.extra.degraded, "from now on as before");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_while_it_answers_without_a_database_is_followed_by_another() -> Result<()> {
    let deployment = Deployment::with_own_servers().await?;
    let slow = [("OFFLINE_TOKEN_DELAY_MS", "200"), ("TOKEN_INTERVAL", "0s")];
    let (api, mut doomed) = (deployment.api().await?, deployment.worker_with(&slow).await?);
    let survivor = deployment.worker_with(&slow).await?;
    survivor.signal("STOP");
    let visitor = api.visitor();
    deployment.servers().postgres().stop().await?;
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap(), stream.next().await?.unwrap()];
    doomed.kill();
    survivor.signal("CONT");
    events.extend(stream.all().await?);
    sse::assert_gapless(&events, 1);
    assert!(events.last().unwrap().data.extra.degraded);
    assert_eq!(
        sse::text(&events).matches("Hello").count(),
        1,
        "nothing is said twice"
    );

    deployment.servers().postgres().start().await?;
    all_stored(&deployment, 1).await?;
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests[0].replies, [sse::text(&events)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_on_with_the_session_when_the_database_comes_back_in_the_middle() -> Result<()> {
    let deployment = Deployment::with_own_servers().await?;
    let slow = [("OFFLINE_TOKEN_DELAY_MS", "300"), ("TOKEN_INTERVAL", "0s")];
    let (api, mut doomed) = (deployment.api().await?, deployment.worker_with(&slow).await?);
    let visitor = api.visitor();
    deployment.servers().postgres().stop().await?;
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap(), stream.next().await?.unwrap()];
    // Its message comes again to a worker that has a database.
    doomed.kill();
    deployment.servers().postgres().start().await?;
    let _survivor = deployment.worker_with(&slow).await?;
    events.extend(stream.all().await?);
    sse::assert_gapless(&events, 1);
    assert!(!events.last().unwrap().data.extra.degraded);
    all_stored(&deployment, 1).await?;
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests[0].replies, [sse::text(&events)]);
    Ok(())
}
