//! Too much of anything: it is refused at the door, costs nobody else anything, and ends when it ends.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::raw::{RawClient, unchunked};
use e2e::sse::{self, EventStream};
use e2e::{Deployment, Visitor, eventually, store};
use reqwest::Response;
use serde_json::{Value, json};
use shared::event::EventId;
use worker::agents::{Agent, AgentError, Outcome, Reply, Turn};

use crate::in_process::{self, InProcess};

/// The code of a refusal, which says when to come back.
async fn refusal(response: Response) -> Result<(u16, String)> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").context("Retry-After")?;
    assert!(retry_after.to_str()?.parse::<u32>()? > 0);
    let problem: Value = response.json().await?;
    Ok((status, problem["code"].as_str().unwrap_or_default().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_loses_nothing_and_accepts_again_when_it_is_drained() -> Result<()> {
    let deployment = Deployment::new().await?;
    let small = [("CHAT_MAX_BYTES", "65536")];
    let api = deployment.api_with(&small).await?;
    let message = |number: usize| json!({"content": format!("{number}: {}", "a".repeat(8000))});
    let mut accepted = Vec::new();
    let (late, late_message) = loop {
        let (visitor, message) = (api.visitor(), message(accepted.len()));
        let response = visitor.post("/chat/stream", &message).await?;
        if response.status() != 200 {
            assert_eq!(refusal(response).await?, (503, "queue_full".into()));
            break (visitor, message);
        }
        accepted.push((visitor, EventStream::of(response)?));
        assert!(accepted.len() < 20, "the queue does not fill");
    };
    assert!(accepted.len() > 2, "{} were accepted", accepted.len());
    assert_eq!(
        refusal(late.post("/chat/", &late_message).await?).await?.1,
        "queue_full"
    );

    let _worker = deployment.worker_with(&small).await?;
    for (visitor, stream) in accepted {
        let events = stream.all().await?;
        sse::assert_gapless(&events, 1);
        let requests = store::requests(&deployment.db, visitor.session()).await;
        assert_eq!(requests[0].replies, [sse::text(&events)]);
    }
    let again = late.post("/chat/stream", &late_message).await?;
    EventStream::of(again)?.all().await?;
    let requests = store::requests(&deployment.db, late.session()).await;
    assert_eq!(requests.len(), 1, "what was refused is not there");
    Ok(())
}

/// Fills the places of a visitor, waiting for those that are not free yet, and sees the next message refused.
async fn fill(visitor: &Visitor, places: usize) -> Result<Vec<EventStream>> {
    let hello = json!({"content": "Hello"});
    let mut streams = Vec::new();
    for _ in 0..places {
        let response = eventually("a place", async || {
            let response = visitor.post("/chat/stream", &hello).await.ok()?;
            (response.status() == 200).then_some(response)
        });
        streams.push(EventStream::of(response.await)?);
    }
    let refused = refusal(visitor.post("/chat/stream", &hello).await?).await?;
    assert_eq!(refused, (429, "too_many_pending_messages".into()));
    Ok(streams)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_too_many_pending_messages_is_refused_alone_until_they_are_answered() -> Result<()> {
    const PLACES: usize = 3;
    let deployment = Deployment::new().await?;
    let api = deployment.api_with(&[("MAX_PENDING_PER_SESSION", "3")]).await?;
    let (busy, other) = (api.visitor(), api.visitor());
    for _ in 0..2 {
        // No worker runs, so nothing gets answered meanwhile.
        let mut streams = fill(&busy, PLACES).await?;
        let unhindered = other.stream("Hello").await?;
        // Who hangs up has its message waiting all the same.
        drop(streams.pop());
        let refused = busy.post("/chat/", &json!({"content": "Hello"})).await?;
        assert_eq!(refusal(refused).await?.0, 429);

        let _worker = deployment.worker().await?;
        unhindered.all().await?;
        for stream in streams {
            stream.all().await?;
        }
        eventually("all are answered", async || {
            let requests = store::requests(&deployment.db, busy.session()).await;
            requests
                .iter()
                .all(|request| request.status == "answered")
                .then_some(())
        })
        .await;
    }
    assert_eq!(
        store::requests(&deployment.db, busy.session()).await.len(),
        2 * PLACES,
        "what was refused is not there"
    );
    Ok(())
}

/// Says far more than fits into all buffers between a worker and a client, in more events than a subscription holds.
struct Talker;

/// Events with text.
const PIECES: usize = 1500;

fn piece(number: usize) -> String {
    format!("{number} {}\n", "a".repeat(2000))
}

fn everything() -> String {
    (0..PIECES).map(piece).collect()
}

impl Agent for Talker {
    fn name(&self) -> &'static str {
        "talker"
    }

    async fn run(&self, _: &Turn, reply: &mut Reply) -> Result<Outcome, AgentError> {
        for number in 0..PIECES {
            reply.say(&piece(number)).await?;
        }
        Ok(Outcome {
            state: json!({}),
            active_agent: "talker".into(),
            language: None,
            effects: Vec::new(),
            quick_replies: Vec::new(),
        })
    }
}

fn talker(deployment: &Deployment) -> InProcess {
    in_process::worker_with(deployment, Talker, |config| {
        config.token_interval = Duration::ZERO
    })
}

/// Sends a message and reads no more than the head of the answer, which begins the stream of the reply.
async fn ask_and_do_not_read(visitor: &Visitor) -> Result<RawClient> {
    let mut client = RawClient::connect(&visitor.base).await?;
    let body = r#"{"content":"Tell me everything"}"#;
    client
        .send(&format!(
            "POST /chat/stream HTTP/1.1\r\nHost: test\r\nX-Device-ID: {}\r\nContent-Type: application/json\r\n\
            Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            visitor.device,
            body.len(),
        ))
        .await?;
    assert!(client.head().await?.starts_with("http/1.1 200"));
    Ok(client)
}

/// The one reply of a visitor, once it is stored.
async fn stored_reply(deployment: &Deployment, visitor: &Visitor) -> String {
    eventually("the reply is stored", async || {
        let requests = store::requests(&deployment.db, visitor.session()).await;
        let request = requests
            .into_iter()
            .find(|request| request.status == "answered")?;
        request.replies.into_iter().next()
    })
    .await
}

/// The text and the last id of the whole events in a stream.
fn heard(stream: &[u8]) -> Result<(String, Option<EventId>)> {
    let whole = stream.windows(2).rposition(|pair| pair == b"\n\n").unwrap_or(0);
    let (mut text, mut last) = (String::new(), None);
    for line in std::str::from_utf8(&stream[..whole])?.lines() {
        if let Some(id) = line.strip_prefix("id: ") {
            last = Some(id.parse()?);
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data)?;
            text.push_str(data["content"].as_str().context("content")?);
        }
    }
    Ok((text, last))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_off_and_can_resume_what_was_stored_to_the_end() -> Result<()> {
    let deployment = Deployment::new().await?;
    let impatient = [("SLOW_READER_DEADLINE", "500ms"), ("DEBUG", "true")];
    let mut api = deployment.api_with(&impatient).await?;
    let _worker = talker(&deployment);
    let visitor = api.visitor();
    let mut client = ask_and_do_not_read(&visitor).await?;
    api.process.logged("a client that did not read was cut off").await;
    assert_eq!(stored_reply(&deployment, &visitor).await, everything());

    let (stream, ended) = unchunked(&client.rest().await?);
    assert!(!ended, "it was cut off in the middle");
    let (mut text, last) = heard(&stream)?;
    let last = last.context("an event")?;
    let rest = EventStream::of(visitor.listen(Some(last)).await?)?.all().await?;
    sse::assert_gapless(&rest, last.seq + 1);
    text.push_str(&sse::text(&rest));
    assert!(text == everything(), "to the byte");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_nobody_and_misses_nothing_when_it_does() -> Result<()> {
    let deployment = Deployment::new().await?;
    // Nobody is cut off here.
    let api = deployment.api_with(&[("SLOW_READER_DEADLINE", "1h")]).await?;
    let _worker = talker(&deployment);
    let visitor = api.visitor();
    let mut client = ask_and_do_not_read(&visitor).await?;
    // Another reader of the same reply, and another conversation.
    let same = EventStream::of(visitor.listen(None).await?)?;
    let other = api.visitor();
    let (same, other) = tokio::try_join!(same.all(), other.say("Tell me everything"))?;
    for events in [same, other] {
        sse::assert_gapless(&events, 1);
        assert!(sse::text(&events) == everything());
    }
    assert_eq!(stored_reply(&deployment, &visitor).await, everything());

    let (stream, ended) = unchunked(&client.rest().await?);
    assert!(ended && heard(&stream)?.0 == everything());
    Ok(())
}

/// Whether the connection is served as any other: it stays open after an answer.
async fn is_inside(client: &mut RawClient) -> Result<bool> {
    let head = client.get("/healthz").await?;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(client.read(3).await?, b"ok\n");
    Ok(!head.contains("connection: close"))
}

/// A connection that has one of the places, as soon as there is one.
async fn inside(base: &str) -> RawClient {
    eventually("a place", async || {
        let mut client = RawClient::connect(base).await.ok()?;
        is_inside(&mut client).await.ok()?.then_some(client)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_max_connections_there_is_a_503_and_health_until_one_leaves() -> Result<()> {
    const CONNECTIONS: usize = 5;
    let deployment = Deployment::new().await?;
    let limits = [("MAX_CONNECTIONS", "5"), ("HEAD_DEADLINE", "1h")];
    let api = deployment.api_with(&limits).await?;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(inside(&api.base).await);
    }

    let visitor = api.visitor();
    for (method, path) in [("POST", "/chat/"), ("POST", "/chat/stream"), ("GET", "/")] {
        let request = visitor.request(method.parse()?, path);
        let response = request.json(&json!({"content": "Hello"})).send().await?;
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["connection"], "close");
        assert_eq!(refusal(response).await?, (503, "too_many_connections".into()));
    }
    for path in ["/healthz", "/readyz"] {
        let response = visitor.request(reqwest::Method::GET, path).send().await?;
        assert_eq!(response.status(), 200, "{path}");
    }
    // Beyond the limit, silence is not waited for.
    let mut silent = RawClient::connect(&api.base).await?;
    assert_eq!(silent.rest().await?, b"");
    for client in &mut clients {
        assert!(is_inside(client).await?, "who is inside is served on");
    }

    clients.pop();
    clients.push(inside(&api.base).await);
    let mut outside = RawClient::connect(&api.base).await?;
    assert!(
        !is_inside(&mut outside).await?,
        "one place came back, and one only"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_is_not_waited_for_and_a_long_reply_is_not_meant() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api_with(&[("HEAD_DEADLINE", "300ms")]).await?;
    // A reply takes longer than the deadline.
    let slowly = [("OFFLINE_TOKEN_DELAY_MS", "50"), ("TOKEN_INTERVAL", "0s")];
    let _worker = deployment.worker_with(&slowly).await?;
    let mut slow_loris = RawClient::connect(&api.base).await?;
    slow_loris
        .send("POST /chat/stream HTTP/1.1\r\nHost: test\r\n")
        .await?;
    let dripping = async {
        let mut line = tokio::time::interval(Duration::from_millis(50));
        // A header line now and then, as if more were to come; it ends when the server has had enough.
        loop {
            line.tick().await;
            if slow_loris.send("X-More: a\r\n").await.is_err() {
                return;
            }
        }
    };
    let visitor = api.visitor();
    let (events, closed) = tokio::join!(
        visitor.say("Hello"),
        tokio::time::timeout(e2e::PATIENCE, dripping)
    );
    sse::assert_gapless(&events?, 1);
    closed.context("half a request is waited for")?;
    Ok(())
}
