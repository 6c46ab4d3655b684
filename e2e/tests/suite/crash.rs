//! Workers that die, and workers that are asked to go.

use anyhow::Result;
use e2e::{Deployment, eventually, sse, store};
use shared::event::EventId;

/// So slow that it is in the middle of its first reply whenever it is killed.
const DOOMED: &[(&str, &str)] = &[
    ("OFFLINE_TOKEN_DELAY_MS", "1000"),
    ("TOKEN_INTERVAL", "0s"),
    ("LEASE_LENGTH", "2s"),
];

/// Slow enough to be caught in the middle of a sentence; a lease short enough that the test need not wait long.
const SLOW: &[(&str, &str)] = &[
    ("OFFLINE_TOKEN_DELAY_MS", "40"),
    ("TOKEN_INTERVAL", "0s"),
    ("LEASE_LENGTH", "2s"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_of_a_reply_is_followed_by_another() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let mut doomed = deployment.worker_with(DOOMED).await?;
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello, I want to schedule an appointment").await?;
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(stream.next().await?.unwrap());
    }
    let _survivor = deployment.worker_with(SLOW).await?;
    doomed.kill();
    events.extend(stream.all().await?);

    sse::assert_gapless(&events, 1);
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].attempts, 2, "the first worker died");
    assert_eq!(
        requests[0].replies,
        [sse::text(&events)],
        "what was read is what is stored"
    );
    assert_eq!(
        sse::text(&events).matches("Hello").count(),
        1,
        "nothing is said twice"
    );
    let whole = sse::EventStream::of(
        visitor
            .listen(Some(EventId {
                request: events[0].id.request,
                seq: 0,
            }))
            .await?,
    )?;
    assert_eq!(sse::text(&whole.all().await?), sse::text(&events));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_before_its_ack_loses_nothing_and_stores_nothing_twice() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let visitors: Vec<_> = (0..20).map(|_| api.visitor()).collect();
    let mut streams = Vec::new();
    for visitor in &visitors {
        streams.push(visitor.stream("Hello").await?);
    }
    // It has the messages and cannot store them: an ack now would lose them.
    let mut barrier = deployment.db.begin().await?;
    sqlx::query("lock table users in access exclusive mode")
        .execute(&mut *barrier)
        .await?;
    let mut doomed = deployment.worker_with(SLOW).await?;
    let nats = deployment.nats().await?;
    let stream = nats.jetstream.get_stream(nats.subjects.chat_stream()).await?;
    eventually("the messages are with the worker", async || {
        let info = stream
            .consumer_info(nats.subjects.workers_consumer())
            .await
            .ok()?;
        (info.num_ack_pending == visitors.len()).then_some(())
    })
    .await;
    doomed.kill();
    barrier.rollback().await?;
    let _survivor = deployment.worker_with(&[("LEASE_LENGTH", "2s")]).await?;
    for (visitor, stream) in visitors.iter().zip(streams) {
        let events = stream.all().await?;
        sse::assert_gapless(&events, 1);
        let requests = store::requests(&deployment.db, visitor.session()).await;
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].replies, [sse::text(&events)]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_go_finishes_what_it_says() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let patient = [
        ("OFFLINE_TOKEN_DELAY_MS", "150"),
        ("TOKEN_INTERVAL", "0s"),
        ("DRAIN_DEADLINE", "5m"),
    ];
    let mut leaving = deployment.worker_with(&patient).await?;
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let queued = visitor.stream("What are your opening hours?").await?;
    stream.next().await?.unwrap();
    eventually("both are taken in", async || {
        (store::requests(&deployment.db, visitor.session()).await.len() == 2).then_some(())
    })
    .await;
    leaving.signal("TERM");
    assert!(leaving.ended().await.success());
    stream.all().await?;
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(
        (requests[0].status.as_str(), requests[0].attempts),
        ("answered", 1)
    );
    assert_eq!(
        (requests[1].status.as_str(), requests[1].attempts),
        ("pending", 0),
        "the rest is handed over"
    );
    let _next = deployment.worker().await?;
    queued.all().await?;
    assert_eq!(
        store::requests(&deployment.db, visitor.session()).await[1].attempts,
        1
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_takes_too_long_for_a_leaving_worker_is_handed_over_without_spending_an_attempt()
-> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let never = [
        ("OFFLINE_TOKEN_DELAY_MS", "2000"),
        ("TOKEN_INTERVAL", "0s"),
        ("DRAIN_DEADLINE", "100ms"),
    ];
    let mut leaving = deployment.worker_with(&never).await?;
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap()];
    leaving.signal("TERM");
    assert!(leaving.ended().await.success());
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(
        (requests[0].status.as_str(), requests[0].attempts),
        ("pending", 0)
    );
    let _next = deployment.worker().await?;
    events.extend(stream.all().await?);
    sse::assert_gapless(&events, 1);
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests[0].attempts, 1);
    assert_eq!(requests[0].replies, [sse::text(&events)]);
    assert_eq!(sse::text(&events).matches("Hello").count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_dead_worker_are_taken_long_before_its_leases_expire() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    // A lease that outlasts the patience of any test.
    let slow = [
        ("OFFLINE_TOKEN_DELAY_MS", "40"),
        ("TOKEN_INTERVAL", "0s"),
        ("LEASE_LENGTH", "1h"),
    ];
    let mut doomed = deployment.worker_with(&slow).await?;
    let visitors: Vec<_> = (0..10).map(|_| api.visitor()).collect();
    let mut streams = Vec::new();
    for visitor in &visitors {
        let mut stream = visitor.stream("Hello").await?;
        let first = stream.next().await?.unwrap();
        streams.push((visitor, vec![first], stream));
    }
    let mut survivors = [
        deployment.worker_with(&slow).await?,
        deployment.worker_with(&slow).await?,
    ];
    doomed.kill();
    for (visitor, mut events, stream) in streams {
        events.extend(stream.all().await?);
        sse::assert_gapless(&events, 1);
        let requests = store::requests(&deployment.db, visitor.session()).await;
        assert_eq!(requests[0].replies, [sse::text(&events)]);
        assert_eq!(requests[0].attempts, 2);
    }
    let [one, other] = &mut survivors;
    assert!(
        one.log().contains("took sessions of a dead worker")
            || other.log().contains("took sessions of a dead worker")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_paused_past_its_lease_publishes_and_stores_nothing_that_anyone_sees() -> Result<()>
{
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let mut paused = deployment.worker_with(SLOW).await?;
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap()];
    paused.signal("STOP");
    let mut survivor = deployment.worker_with(SLOW).await?;
    // Both speak: the one that lost its lease wakes up while the other is in the middle of the sentence.
    survivor.logged("reply taken over").await;
    paused.signal("CONT");
    events.extend(stream.all().await?);
    sse::assert_gapless(&events, 1);
    paused.signal("TERM");
    assert!(paused.ended().await.success());
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests[0].replies, [sse::text(&events)]);
    assert_eq!(sse::text(&events).matches("Hello").count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_whose_beginning_is_lost_with_its_worker_begins_anew_and_says_so() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let patient = [
        ("OFFLINE_TOKEN_DELAY_MS", "200"),
        ("TOKEN_INTERVAL", "0s"),
        ("LEASE_LENGTH", "2s"),
    ];
    let mut doomed = deployment.worker_with(&patient).await?;
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut shown = String::new();
    for _ in 0..3 {
        shown.push_str(&stream.next().await?.unwrap().data.content);
    }
    let nats = deployment.nats().await?;
    nats.jetstream
        .get_stream(nats.subjects.tokens_stream())
        .await?
        .purge()
        .await?;
    eventually("the journal begins in the middle", async || {
        (!store::journal(&nats, visitor.session()).await.is_empty()).then_some(())
    })
    .await;
    doomed.kill();
    let _survivor = deployment.worker_with(SLOW).await?;
    let mut resets = 0;
    let mut last = None;
    while let Some(event) = stream.next().await? {
        if event.data.extra.reset {
            resets += 1;
            shown.clear();
        }
        shown.push_str(&event.data.content);
        last = Some(event);
    }
    assert_eq!(resets, 1);
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests[0].replies, [shown.clone()]);
    // What is stored is shown the same way, to whoever comes back with an id from before or from after.
    nats.jetstream
        .get_stream(nats.subjects.tokens_stream())
        .await?
        .purge()
        .await?;
    let last = last.unwrap().id;
    for seq in [0, 3, last.seq - 3] {
        let id = EventId { seq, ..last };
        let rest = sse::EventStream::of(visitor.listen(Some(id)).await?)?
            .all()
            .await?;
        assert_eq!(rest.last().unwrap().id, last);
        assert_eq!(rest[0].data.extra.reset, seq < 1_000_000);
        assert!(shown.ends_with(&sse::text(&rest)));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_whose_end_is_lost_with_the_server_and_its_worker_begins_anew_and_no_other_does() -> Result<()>
{
    let deployment = Deployment::with_own_servers().await?;
    let api = deployment.api().await?;
    let patient = [
        ("OFFLINE_TOKEN_DELAY_MS", "200"),
        ("TOKEN_INTERVAL", "0s"),
        ("LEASE_LENGTH", "2s"),
    ];
    let nats = deployment.nats().await?;
    for lost in [true, false] {
        let mut doomed = deployment.worker_with(&patient).await?;
        let visitor = api.visitor();
        let mut stream = visitor.stream("Hello").await?;
        let mut events = Vec::new();
        for _ in 0..3 {
            events.push(stream.next().await?.unwrap());
        }
        if lost {
            deployment.servers().nats().kill().await?;
            doomed.kill();
            // What was not on the disk yet: all of it, so that the test depends on nobody's luck.
            let streams = deployment.servers().dir().join("nats/jetstream/$G/streams");
            std::fs::remove_dir_all(streams.join(nats.subjects.tokens_stream()).join("msgs"))?;
            deployment.servers().nats().start().await?;
        } else {
            doomed.kill();
        }
        let _survivor = deployment.worker_with(SLOW).await?;
        events.extend(stream.all().await?);
        let resets = events.iter().filter(|event| event.data.extra.reset).count();
        assert_eq!(resets, usize::from(lost));
        let requests = store::requests(&deployment.db, visitor.session()).await;
        assert_eq!(
            requests[0].replies,
            [sse::text(&events)],
            "what was read is what is stored"
        );
    }
    Ok(())
}
