//! Workers that die, and workers that are asked to go.

use anyhow::Result;
use e2e::{Deployment, eventually, sse, store};

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
    let mut doomed = deployment.worker_with(SLOW).await?;
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello, I want to schedule an appointment").await?;
    let mut events = Vec::new();
    for _ in 0..5 {
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
            .listen(Some(shared::event::EventId {
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
    // Everything waits in the queue; this one dies as soon as it has begun.
    let mut doomed = deployment.worker_with(SLOW).await?;
    doomed.logged("✅ User created").await;
    doomed.kill();
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
    let mut leaving = deployment.worker_with(SLOW).await?;
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
