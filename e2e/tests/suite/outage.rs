//! PostgreSQL or NATS away: what is accepted is answered, and what cannot be accepted is refused at once.

use std::time::Duration;

use anyhow::Result;
use e2e::{Deployment, eventually, sse, store};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_accepted_while_postgresql_is_away_and_answered_once_when_it_is_back() -> Result<()> {
    const MESSAGES: usize = 10;
    let deployment = Deployment::with_own_servers().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let visitor = api.visitor();
    visitor.chat("Hello").await?;

    deployment.servers().postgres().stop().await?;
    let ready = visitor.request(reqwest::Method::GET, "/readyz").send().await?;
    assert_eq!(ready.status(), 200);
    let mut streams = Vec::new();
    for number in 0..MESSAGES {
        streams.push(visitor.stream(&format!("message {number}")).await?);
        // The outage itself: ten seconds in which messages come in.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let history = visitor
        .request(reqwest::Method::GET, "/chat/history")
        .send()
        .await?;
    assert_eq!(history.status(), 503);
    assert!(history.headers().contains_key("retry-after"));
    deployment.servers().postgres().start().await?;
    for stream in streams {
        let events = stream.all().await?;
        sse::assert_gapless(&events, 1);
    }
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests.len(), MESSAGES + 1);
    assert!(requests.iter().all(|request| request.replies.len() == 1));
    let arrived: Vec<_> = requests.into_iter().map(|request| request.body).collect();
    assert_eq!(
        store::answered_in_order(&deployment.db, visitor.session()).await,
        arrived
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_killed_during_a_reply_costs_the_reader_nothing() -> Result<()> {
    let deployment = Deployment::with_own_servers().await?;
    let slowly = [("OFFLINE_TOKEN_DELAY_MS", "40"), ("TOKEN_INTERVAL", "0s")];
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(&slowly).await?);
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap()];
    deployment.servers().postgres().kill().await?;
    deployment.servers().postgres().start().await?;
    events.extend(stream.all().await?);
    sse::assert_gapless(&events, 1);
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests[0].replies, [sse::text(&events)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_messages_are_refused_at_once_and_nothing_needs_a_restart() -> Result<()> {
    let deployment = Deployment::with_own_servers().await?;
    let slowly = [("OFFLINE_TOKEN_DELAY_MS", "40"), ("TOKEN_INTERVAL", "0s")];
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(&slowly).await?);
    let visitor = api.visitor();
    let mut running = visitor.stream("Hello").await?;
    let mut events = vec![running.next().await?.unwrap()];

    deployment.servers().nats().kill().await?;
    eventually("the api notices", async || {
        let ready = visitor
            .request(reqwest::Method::GET, "/readyz")
            .send()
            .await
            .ok()?;
        (ready.status() == 503).then_some(())
    })
    .await;
    for path in ["/chat/", "/chat/stream"] {
        let refused = visitor.post(path, &json!({"content": "lost?"})).await?;
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
        let problem: Value = refused.json().await?;
        assert!(problem["code"].is_string());
    }
    assert_eq!(
        visitor
            .request(reqwest::Method::GET, "/healthz")
            .send()
            .await?
            .status(),
        200
    );
    deployment.servers().nats().start().await?;

    // The reply that was being said goes on, and new messages are answered.
    events.extend(running.all().await?);
    sse::assert_gapless(&events, 1);
    eventually("messages are accepted again", async || {
        visitor.chat("Thank you").await.ok()
    })
    .await;
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests[0].replies, [sse::text(&events)]);
    assert!(
        requests.iter().all(|request| request.body != "lost?"),
        "what was refused was not kept"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_starting_is_free() -> Result<()> {
    let deployment = Deployment::with_own_servers().await?;
    deployment.servers().postgres().stop().await?;
    deployment.servers().nats().stop().await?;
    let mut worker = deployment.start("worker", &[]).await?;
    let mut api = deployment.start("api", &[("API_BIND", "127.0.0.1:0")]).await?;
    api.logged(e2e::deployment::LISTENING).await;
    deployment.servers().nats().start().await?;
    deployment.servers().postgres().start().await?;
    worker.logged("worker started").await;
    Ok(())
}
