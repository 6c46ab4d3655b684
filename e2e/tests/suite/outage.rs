//! PostgreSQL or NATS away: what is accepted is answered, and what cannot be accepted is refused at once.

use std::time::Duration;

use anyhow::Result;
use e2e::{Deployment, Visitor, eventually, sse, store};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_accepted_while_postgresql_is_away_and_answered_once_when_it_is_back() -> Result<()> {
    const MESSAGES: usize = 10;
    let deployment = Deployment::with_own_servers().await?;
    let patient = [("STATELESS_AFTER", "0s")];
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(&patient).await?);
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
    let slowly = [("OFFLINE_TOKEN_DELAY_MS", "150"), ("TOKEN_INTERVAL", "0s")];
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(&slowly).await?);
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap()];
    assert_eq!(
        store::requests(&deployment.db, visitor.session()).await[0].status,
        "pending"
    );
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
    let line = api.logged(e2e::deployment::LISTENING).await;
    let visitor = Visitor::new(&format!(
        "http://127.0.0.1:{}",
        line.rsplit(':').next().unwrap_or_default()
    ));
    eventually("a message is answered", async || visitor.chat("Hello").await.ok()).await;
    Ok(())
}

/// Makes inserts into `messages` in this direction and under this condition fail with this SQLSTATE.
async fn refuse(deployment: &Deployment, direction: &str, condition: &str, sqlstate: &str) -> Result<()> {
    let function = format!(
        "create or replace function refuse() returns trigger language plpgsql as $$
        begin
            if new.direction = '{direction}' and {condition} then raise exception 'refused' using errcode = '{sqlstate}'; end if;
            return new;
        end $$"
    );
    sqlx::query(sqlx::AssertSqlSafe(function))
        .execute(&deployment.db)
        .await?;
    sqlx::query("create trigger refuse before insert on messages for each row execute function refuse()")
        .execute(&deployment.db)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_postgresql_will_not_take_for_now_is_kept_until_it_does() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    // A read-only server, as after a failover.
    refuse(&deployment, "incoming", "true", "25006").await?;
    let mut worker = deployment.worker().await?;
    let stream = api.visitor().stream("Hello").await?;
    worker.logged("a message waits for PostgreSQL").await;
    sqlx::query("drop trigger refuse on messages")
        .execute(&deployment.db)
        .await?;
    assert!(sse::text(&stream.all().await?).contains("Anna"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgresql_will_never_take_ends_with_an_error_that_the_client_sees() -> Result<()> {
    for (direction, condition, code) in [
        ("incoming", "true", "not_storable"),
        ("outgoing", "new.status = 'complete'", "reply_not_storable"),
    ] {
        let deployment = Deployment::new().await?;
        let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
        refuse(&deployment, direction, condition, "22P05").await?;
        let last = api.visitor().say("Hello").await?.pop().unwrap();
        assert_eq!(last.data.extra.error.unwrap().code, code);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_of_postgresql_that_outlasts_the_leases_costs_no_attempt() -> Result<()> {
    let deployment = Deployment::new().await?;
    let slowly = [
        ("OFFLINE_TOKEN_DELAY_MS", "50"),
        ("TOKEN_INTERVAL", "0s"),
        ("LEASE_LENGTH", "1s"),
    ];
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(&slowly).await?);
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap()];
    let mut stall = deployment.db.begin().await?;
    sqlx::query("lock table conversation_states in access exclusive mode")
        .execute(&mut *stall)
        .await?;
    // The stall itself.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stall.rollback().await?;
    events.extend(stream.all().await?);
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(
        requests[0].attempts, 1,
        "a worker does not take its own session away"
    );
    assert_eq!(requests[0].replies, [sse::text(&events)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_ends_when_it_is_asked_to_also_without_nats() -> Result<()> {
    let deployment = Deployment::with_own_servers().await?;
    let slowly = [
        ("OFFLINE_TOKEN_DELAY_MS", "150"),
        ("TOKEN_INTERVAL", "0s"),
        ("DRAIN_DEADLINE", "500ms"),
    ];
    let (api, mut worker) = (deployment.api().await?, deployment.worker_with(&slowly).await?);
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    stream.next().await?.unwrap();
    deployment.servers().nats().stop().await?;
    worker.signal("TERM");
    assert!(worker.ended().await.success());
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(
        (requests[0].status.as_str(), requests[0].attempts),
        ("pending", 0),
        "handed over"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nats_kept_after_its_ack_is_removed_and_answered_once() -> Result<()> {
    let deployment = Deployment::with_own_servers().await?;
    let (api, nats) = (deployment.api().await?, deployment.nats().await?);
    let visitor = api.visitor();
    let stream = visitor.stream("Hello").await?;
    let server = deployment.servers().nats();
    let dir = deployment.servers().dir();
    let queue = dir
        .join("nats/jetstream/$G/streams")
        .join(nats.subjects.chat_stream())
        .join("msgs");
    let kept = dir.join("kept");
    let copy = |from: &std::path::Path, to: &std::path::Path| -> Result<()> {
        std::fs::create_dir(to)?;
        for file in std::fs::read_dir(from)? {
            let file = file?;
            std::fs::copy(file.path(), to.join(file.file_name()))?;
        }
        Ok(())
    };
    copy(&queue, &kept)?;
    let mut worker = deployment.worker().await?;
    stream.all().await?;
    let (name, consumer) = (nats.subjects.chat_stream(), nats.subjects.workers_consumer());
    eventually("the message is acknowledged", async || {
        let stream = nats.jetstream.get_stream(&name).await.ok()?;
        let consumer = stream.consumer_info(&consumer).await.ok()?;
        (stream.cached_info().state.messages == 0 && consumer.ack_floor.stream_sequence > 0).then_some(())
    })
    .await;
    worker.signal("TERM");
    assert!(worker.ended().await.success());
    // What it would have on its disk if it had ended right after the ack.
    server.stop().await?;
    std::fs::remove_dir_all(&queue)?;
    std::fs::rename(&kept, &queue)?;
    server.start().await?;
    let queued = async || {
        nats.usable().await;
        let stream = nats.jetstream.get_stream(&name).await.ok()?;
        Some(stream.cached_info().state.messages)
    };
    assert_eq!(eventually("NATS is back", queued).await, 1);

    let _worker = deployment.worker_with(&[("CLEANUP_INTERVAL", "1s")]).await?;
    eventually("it is removed", async || {
        queued().await.filter(|queued| *queued == 0)
    })
    .await;
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!((requests.len(), requests[0].replies.len()), (1, 1));
    Ok(())
}
