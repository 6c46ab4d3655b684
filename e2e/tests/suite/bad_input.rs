//! Bad input gets a clear error that names the field, and loses nothing.

use anyhow::Result;
use e2e::client::http;
use e2e::{Deployment, Visitor, store};
use reqwest::{Method, Response};
use serde_json::{Value, json};

/// The status, the stable code and the whole problem, which must be one.
async fn problem(response: Response) -> Result<(u16, String, Value)> {
    let status = response.status().as_u16();
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json",
        "status {status}"
    );
    let body: Value = response.json().await?;
    assert_eq!(body["status"], json!(status));
    assert!(body["title"].is_string());
    Ok((status, body["code"].as_str().unwrap_or_default().to_owned(), body))
}

async fn refused(visitor: &Visitor, body: &Value) -> Result<(u16, String)> {
    let (status, _, streamed) = problem(visitor.post("/chat/stream", body).await?).await?;
    let (same, _, whole) = problem(visitor.post("/chat/", body).await?).await?;
    assert_eq!(
        (status, &streamed["code"], &streamed["detail"]),
        (same, &whole["code"], &whole["detail"])
    );
    Ok((status, whole.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_are_refused_with_the_name_of_the_field() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let visitor = api.visitor();
    let urls = |count: usize| vec!["https://example.com/a.jpg"; count];
    let long_url = format!("https://example.com/{}", "a".repeat(2048));
    let cases = [
        (json!({}), "content"),
        (json!({"content": ""}), "content"),
        (json!({"content": " \n\t "}), "content"),
        (json!({"content": 5}), "content"),
        (json!({"content": "a".repeat(64 * 1024 + 1)}), "content"),
        (json!({"content": "a\u{0}b"}), "content"),
        (
            json!({"content": "a", "media_urls": "https://example.com"}),
            "media_urls",
        ),
        (json!({"content": "a", "media_urls": urls(11)}), "urls"),
        (
            json!({"content": "a", "media_urls": urls(6), "audio_urls": urls(5)}),
            "urls",
        ),
        (
            json!({"content": "a", "media_urls": ["ftp://example.com/a"]}),
            "media_urls",
        ),
        (
            json!({"content": "a", "media_urls": ["javascript:alert(1)"]}),
            "media_urls",
        ),
        (json!({"content": "a", "audio_urls": ["not a url"]}), "audio_urls"),
        (
            json!({"content": "a", "audio_urls": ["https://example.com/\u{0}"]}),
            "audio_urls",
        ),
        (json!({"content": "a", "media_urls": [long_url]}), "media_urls"),
        (json!([]), ""),
        (json!("a"), ""),
    ];
    for (body, field) in cases {
        let (status, problem) = refused(&visitor, &body).await?;
        assert_eq!(status, 400, "{problem}");
        assert!(problem.contains(field), "{problem} does not name {field}");
    }
    // Just within the limit is fine: nothing listens yet, so only the acceptance is looked at.
    let accepted = visitor
        .post(
            "/chat/stream",
            &json!({"content": "a".repeat(64 * 1024), "media_urls": urls(10)}),
        )
        .await?;
    assert_eq!(accepted.status(), 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_refused_before_anything_else() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let raw = async |body: &str, content_type: &str| {
        http()
            .post(format!("{}/chat/stream", api.base))
            .header("Content-Type", content_type)
            .body(body.to_owned())
            .send()
            .await
    };
    assert_eq!(problem(raw("{not json", "application/json").await?).await?.0, 400);
    assert_eq!(
        problem(raw("{\"content\": \"a\"", "application/json").await?)
            .await?
            .0,
        400
    );
    assert_eq!(problem(raw("", "application/json").await?).await?.0, 400);
    assert_eq!(
        problem(raw("\u{feff}[1,2", "application/json").await?).await?.0,
        400
    );
    assert_eq!(
        problem(raw("{\"content\": \"a\"}", "text/plain").await?).await?.0,
        415
    );
    let oversize = json!({"content": "a", "ignored": "b".repeat(256 * 1024)}).to_string();
    assert_eq!(problem(raw(&oversize, "application/json").await?).await?.0, 413);

    let get = async |path: &str| http().get(format!("{}{path}", api.base)).send().await;
    assert_eq!(problem(get("/nowhere").await?).await?.0, 404);
    let wrong_method = http().put(format!("{}/chat/stream", api.base)).send().await?;
    assert!(wrong_method.headers().contains_key("allow"));
    assert_eq!(problem(wrong_method).await?.0, 405);

    for device in ["", "a b", "ü", "a/b", &"a".repeat(129)] {
        let mut request = http()
            .post(format!("{}/chat/", api.base))
            .json(&json!({"content": "a"}));
        request = request.header(
            "X-Device-ID",
            reqwest::header::HeaderValue::from_bytes(device.as_bytes())?,
        );
        let (status, _, body) = problem(request.send().await?).await?;
        assert_eq!(status, 400);
        assert!(body.to_string().contains("X-Device-ID"), "{body}");
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=101", "limit"),
        ("before=x", "before"),
    ] {
        let (status, _, body) = problem(get(&format!("/chat/history?{query}")).await?).await?;
        assert_eq!(status, 400);
        assert!(body.to_string().contains(field), "{body}");
    }
    for key in ["", &"k".repeat(256)] {
        let request = http()
            .post(format!("{}/chat/", api.base))
            .header("Idempotency-Key", key)
            .json(&json!({"content": "a"}));
        assert_eq!(problem(request.send().await?).await?.0, 400);
    }
    let claimed = http()
        .post(format!("{}/chat/", api.base))
        .header("X-User-ID", "jane")
        .json(&json!({"content": "a"}));
    assert_eq!(problem(claimed.send().await?).await?.0, 401);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_resumes_the_stream_of_another_device() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let (visitor, stranger) = (api.visitor(), api.visitor());
    let events = visitor.say("Hello").await?;
    for event in &events {
        let (status, code, _) = problem(stranger.listen(Some(event.id)).await?).await?;
        assert_eq!((status, code.is_empty()), (404, false));
    }
    for bad in [
        "x",
        "1:2",
        &format!("{}:x", events[0].id.request),
        &format!("{}:-1", events[0].id.request),
    ] {
        let by_header = visitor
            .request(Method::GET, "/chat/stream")
            .header("Last-Event-ID", bad)
            .send()
            .await?;
        assert_eq!(problem(by_header).await?.0, 400);
        let by_query = visitor
            .request(Method::GET, &format!("/chat/stream?last_event_id={bad}"))
            .send()
            .await?;
        assert_eq!(problem(by_query).await?.0, 400);
    }
    assert!(stranger.history().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_holds_and_nobody_can_read_goes_to_the_dead_stream_and_stops_nothing() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let nats = deployment.nats().await?;
    let visitor = api.visitor();
    let subject = nats
        .subjects
        .incoming(shared::ids::Channel::Web, visitor.session());
    nats.jetstream.publish(subject, "{rubbish".into()).await?.await?;
    visitor.chat("Hello").await?;
    let dead = nats.jetstream.get_stream(nats.subjects.dead_stream()).await?;
    let message = dead.get_raw_message(1).await?;
    assert_eq!(
        message.headers.get("Frontdesk-Reason").unwrap().as_str(),
        "unparseable"
    );
    assert_eq!(store::requests(&deployment.db, visitor.session()).await.len(), 1);
    Ok(())
}
