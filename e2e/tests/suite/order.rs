//! One session runs on one worker at a time, in the order of arrival, on any number of workers.

use anyhow::Result;
use e2e::{Deployment, PATIENCE, eventually, sse, store};
use tokio::task::JoinSet;

const WORKERS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn four_workers_answer_one_session_in_the_order_of_arrival() -> Result<()> {
    const MESSAGES: usize = 200;
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(deployment.worker().await?);
    }
    let visitor = api.visitor();
    // The streams stay open: closing one would be fine, too, but then their replies would not be looked at.
    let mut readers = JoinSet::new();
    for number in 0..MESSAGES {
        let stream = visitor.stream(&format!("message {number}")).await?;
        readers.spawn(stream.all());
    }
    let mut replies = 0;
    while let Some(events) = tokio::time::timeout(PATIENCE, readers.join_next()).await? {
        sse::assert_gapless(&events??, 1);
        replies += 1;
    }
    assert_eq!(replies, MESSAGES);

    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests.len(), MESSAGES);
    assert!(
        requests
            .iter()
            .all(|request| request.replies.len() == 1 && request.status == "answered")
    );
    let arrived: Vec<_> = requests.into_iter().map(|request| request.body).collect();
    assert_eq!(
        arrived,
        (0..MESSAGES)
            .map(|number| format!("message {number}"))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        store::answered_in_order(&deployment.db, visitor.session()).await,
        arrived
    );
    store::assert_one_at_a_time(&store::journal(&deployment.nats().await?, visitor.session()).await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_ever_runs_on_two_workers() -> Result<()> {
    const SESSIONS: usize = 50;
    const MESSAGES: usize = 4;
    let deployment = Deployment::new().await?;
    let (first, second) = (deployment.api().await?, deployment.api().await?);
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(
            deployment
                .worker_with(&[("OFFLINE_TOKEN_DELAY_MS", "1"), ("TOKEN_INTERVAL", "0s")])
                .await?,
        );
    }
    let visitors: Vec<_> = (0..SESSIONS).map(|_| first.visitor()).collect();
    let mut readers = JoinSet::new();
    for number in 0..MESSAGES {
        for visitor in &visitors {
            let api = if number % 2 == 0 { &first } else { &second };
            let stream = visitor.at(&api.base).stream(&format!("message {number}")).await?;
            let session = visitor.session();
            readers.spawn(async move { anyhow::Ok((session, stream.all().await?)) });
        }
    }
    let mut seen = Vec::new();
    while let Some(read) = tokio::time::timeout(PATIENCE, readers.join_next()).await? {
        seen.push(read??);
    }
    assert_eq!(seen.len(), SESSIONS * MESSAGES);
    let nats = deployment.nats().await?;
    for visitor in &visitors {
        let session = visitor.session();
        let requests = store::requests(&deployment.db, session).await;
        assert_eq!(requests.len(), MESSAGES);
        for request in &requests {
            let (_, events) = seen
                .iter()
                .find(|(_, events)| events[0].id.request == request.id)
                .unwrap();
            assert_eq!(
                request.replies,
                [sse::text(events)],
                "what was read is what is stored"
            );
        }
        let arrived: Vec<_> = requests.into_iter().map(|request| request.body).collect();
        assert_eq!(store::answered_in_order(&deployment.db, session).await, arrived);
        store::assert_one_at_a_time(&store::journal(&nats, session).await);
    }
    // All workers took part, or this has shown nothing.
    for worker in &workers {
        assert!(
            worker.log().contains("Session lock for"),
            "a worker had nothing to do"
        );
    }
    eventually("every session is given back", async || {
        let open = "select count(*) from conversation_states where lease_owner is not null or pending > 0";
        (store::count(&deployment.db, open).await == 0).then_some(())
    })
    .await;
    Ok(())
}
