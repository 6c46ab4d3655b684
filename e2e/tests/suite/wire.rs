//! The wire format, and resuming a stream from any event on any api.

use anyhow::Result;
use async_nats::jetstream::message::PublishMessage;
use e2e::sse::{self, EventStream, SseEvent};
use e2e::{Deployment, Visitor, store};
use serde_json::{Value, json};
use shared::event::{EVENT_HEADER, EventData, EventId, TokenEvent};

/// Slow enough that a reply is still being said while the test looks at it.
const SLOWLY: &[(&str, &str)] = &[("OFFLINE_TOKEN_DELAY_MS", "15"), ("TOKEN_INTERVAL", "0s")];

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_as_the_design_says() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(SLOWLY).await?);
    let visitor = api.visitor();
    let response = visitor
        .post(
            "/chat/stream",
            &json!({"content": "I need help with my medical consultation"}),
        )
        .await?;
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header("content-type").as_deref(), Some("text/event-stream"));
    assert_eq!(header("cache-control").as_deref(), Some("no-cache, no-transform"));
    assert_eq!(header("x-accel-buffering").as_deref(), Some("no"));
    assert_eq!(header("x-device-id").as_deref(), Some(visitor.device.as_str()));
    let request = header("x-request-id").unwrap();

    let body = response.text().await?;
    assert!(body.starts_with("retry: 1000\n"), "{body}");
    assert!(!body.contains("event:"), "events have no name");
    let blocks: Vec<_> = body
        .split("\n\n")
        .filter(|block| block.contains("id: "))
        .collect();
    assert!(blocks.len() > 10, "word by word");
    for (index, block) in blocks.iter().enumerate() {
        let (id, data) = block
            .trim_start_matches("retry: 1000\n")
            .split_once('\n')
            .unwrap();
        assert_eq!(id, format!("id: {request}:{}", index + 1));
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap())?;
        assert!(data["content"].is_string() && data["is_final"].is_boolean());
        assert!(data["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!(data["is_final"], json!(index + 1 == blocks.len()));
    }
    assert!(blocks.last().unwrap().contains(r#"data: {"content":"","#));

    let said = visitor.listen(None).await?;
    assert_eq!(said.status(), 200);
    let said = sse::text(&EventStream::of(said)?.all().await?);
    assert!(said.contains("Anna"));
    assert_eq!(
        store::requests(&deployment.db, visitor.session()).await[0].replies,
        [said]
    );
    Ok(())
}

/// Reads what comes after event `seq` of `whole`, and compares.
async fn assert_resumes(visitor: &Visitor, whole: &[SseEvent], seq: u64) -> Result<()> {
    let id = EventId {
        request: whole[0].id.request,
        seq,
    };
    let response = visitor.listen(Some(id)).await?;
    if seq == whole.len() as u64 {
        assert_eq!(response.status(), 204, "nothing comes after the final event");
        return Ok(());
    }
    let rest = EventStream::of(response)?.all().await?;
    sse::assert_gapless(&rest, seq + 1);
    let contents = |events: &[SseEvent]| {
        events
            .iter()
            .map(|event| event.data.content.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        contents(&rest),
        contents(&whole[usize::try_from(seq)?..]),
        "after {seq}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_resumes_from_any_event_on_any_api_after_the_reply() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (first, second) = (deployment.api().await?, deployment.api().await?);
    let _worker = deployment.worker_with(SLOWLY).await?;
    let visitor = first.visitor();
    let whole = visitor.say("Hello").await?;
    sse::assert_gapless(&whole, 1);
    for seq in 0..=whole.len() as u64 {
        assert_resumes(&visitor, &whole, seq).await?;
        assert_resumes(&visitor.at(&second.base), &whole, seq).await?;
    }
    // The journal forgets; what is stored does not.
    let nats = deployment.nats().await?;
    nats.jetstream
        .get_stream(nats.subjects.tokens_stream())
        .await?
        .purge()
        .await?;
    for seq in 0..=whole.len() as u64 {
        assert_resumes(&visitor.at(&second.base), &whole, seq).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_resumes_from_any_event_on_any_api_during_the_reply() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (first, second) = (deployment.api().await?, deployment.api().await?);
    let _worker = deployment.worker_with(SLOWLY).await?;
    let visitor = first.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut whole = Vec::new();
    let mut resumed = Vec::new();
    while let Some(event) = stream.next().await? {
        if !event.data.is_final {
            let elsewhere = visitor.at(&second.base);
            let from = event.id;
            resumed.push(tokio::spawn(async move {
                let rest = EventStream::of(elsewhere.listen(Some(from)).await?)?
                    .all()
                    .await?;
                anyhow::Ok((from, rest))
            }));
        }
        whole.push(event);
    }
    assert!(resumed.len() > 10);
    for reader in resumed {
        let (from, rest) = reader.await??;
        sse::assert_gapless(&rest, from.seq + 1);
        let expected: Vec<_> = whole[usize::try_from(from.seq)?..]
            .iter()
            .map(|event| &event.raw)
            .collect();
        assert_eq!(
            rest.iter().map(|event| &event.raw).collect::<Vec<_>>(),
            expected,
            "bytes as the worker wrote them"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_source_shows_the_reply_of_a_post_made_just_before() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let visitor = api.visitor();
    assert_eq!(visitor.listen(None).await?.status(), 204, "nothing to show yet");
    // No worker yet: the message is in the queue and nowhere else.
    let posted = visitor.stream("Hello").await?;
    let listening = EventStream::of(visitor.listen(None).await?)?;
    let _worker = deployment.worker_with(SLOWLY).await?;
    let (posted, heard) = tokio::try_join!(posted.all(), listening.all())?;
    assert_eq!(
        posted.iter().map(|event| &event.raw).collect::<Vec<_>>(),
        heard.iter().map(|event| &event.raw).collect::<Vec<_>>()
    );
    let last = heard.last().unwrap().id;
    assert_eq!(
        visitor.listen(Some(last)).await?.status(),
        204,
        "which stops an EventSource"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_paged_from_the_newest_back() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let visitor = api.visitor();
    for message in ["Hello", "What are your opening hours?", "Thank you"] {
        visitor.chat(message).await?;
    }
    let whole = visitor.history().await?;
    assert_eq!(whole.len(), 6);
    assert_eq!(
        whole
            .iter()
            .map(|message| message["direction"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["incoming", "outgoing"].repeat(3)
    );
    assert_eq!(whole[1]["reply_to"], whole[0]["id"]);
    let mut pages = Vec::new();
    let mut before = String::new();
    loop {
        let page = visitor
            .request(reqwest::Method::GET, &format!("/chat/history?limit=4{before}"))
            .send()
            .await?;
        let page: Value = page.json().await?;
        pages.splice(0..0, page["messages"].as_array().unwrap().clone());
        match page["next_before"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    assert_eq!(pages, whole);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_journal_refuses_is_shown_to_nobody() -> Result<()> {
    let deployment = Deployment::new().await?;
    let slow = [("OFFLINE_TOKEN_DELAY_MS", "150"), ("TOKEN_INTERVAL", "0s")];
    let (api, _worker) = (deployment.api().await?, deployment.worker_with(&slow).await?);
    let visitor = api.visitor();
    let mut stream = visitor.stream("Hello").await?;
    let mut events = vec![stream.next().await?.unwrap()];
    let request = events[0].id.request;
    let nats = deployment.nats().await?;
    let subject = nats.subjects.tokens(visitor.session(), request);
    // As a worker would say it that does not know how far the reply is.
    for seq in 2..20 {
        let data = EventData::text("ghost ".into(), time::OffsetDateTime::now_utc());
        let event = TokenEvent::new(1, seq, &data);
        let message = PublishMessage::build()
            .payload(event.payload.clone())
            .header(EVENT_HEADER, event.header())
            .expected_last_subject_sequence(0);
        let refused = nats.jetstream.send_publish(subject.clone(), message).await?.await;
        assert!(refused.is_err());
    }
    events.extend(stream.all().await?);
    sse::assert_gapless(&events, 1);
    assert!(!sse::text(&events).contains("ghost"));
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(requests[0].replies, [sse::text(&events)]);
    Ok(())
}
