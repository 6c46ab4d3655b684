//! The main job: a message goes in, Anna's reply comes out, and both are stored.

use anyhow::Result;
use e2e::client::http;
use e2e::{Deployment, sse, store};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn anna_greets_and_understands_over_two_turns() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, mut worker) = (deployment.api().await?, deployment.worker().await?);
    let visitor = api.visitor();

    let first = visitor.chat("Hello, I want to schedule an appointment").await?;
    assert!(first["content"].as_str().unwrap().contains("Anna"), "{first}");
    assert!(
        first["request_id"].is_string() && first["timestamp"].is_string(),
        "{first}"
    );
    let second = visitor
        .chat("My name is John Doe and I need help with hair transplant")
        .await?;
    assert!(second["content"].as_str().unwrap().contains("John"), "{second}");

    let stored = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(stored.len(), 2);
    for (request, reply) in stored.iter().zip([&first, &second]) {
        assert_eq!(request.replies, [reply["content"].as_str().unwrap()]);
        assert_eq!(json!(request.id), reply["request_id"]);
    }
    let user: String = sqlx::query_scalar("select phone_number from users")
        .fetch_one(&deployment.db)
        .await?;
    assert_eq!(user, format!("chat_{}", visitor.device));
    worker.logged("✅ User created").await;
    worker
        .logged(&format!("Session lock for {}: ", visitor.session()))
        .await;
    worker.logged("Session locked at: ").await;
    worker.logged("Session TTL: 86400").await;
    for log in [worker.log(), api.process.log()] {
        for private in ["John", "hair transplant", visitor.device.as_str()] {
            assert!(!log.contains(private), "{private} is in a log");
        }
    }
    assert!(api.process.log().contains("📩 Chat message"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consultation_is_requested_by_conversation() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let visitor = api.visitor();
    for message in [
        "Hi! My name is John Doe and I need help with hair transplant, call me on +44 20 7946 0958 next Tuesday afternoon",
        "yes",
        "yes",
    ] {
        visitor.say(message).await?;
    }
    let row: (String, String, String, String) = sqlx::query_as(
        "select c.name, c.treatment, c.contact, u.name from consultations c join users u on u.id = c.user_id",
    )
    .fetch_one(&deployment.db)
    .await?;
    let expected = ["John Doe", "hair transplant", "+44 20 7946 0958", "John Doe"].map(str::to_lowercase);
    assert_eq!(
        [row.0, row.1, row.2, row.3].map(|value| value.to_lowercase()),
        expected
    );
    assert_eq!(
        store::count(&deployment.db, "select count(*) from consents where given").await,
        1
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn media_reach_the_agent_and_are_stored_in_order() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let visitor = api.visitor();
    let body = json!({
        "media_urls": ["https://example.com/1.jpg", "https://example.com/2.jpg"],
        "audio_urls": ["https://example.com/voice.ogg"],
    });
    let response = visitor.post("/chat/", &body).await?;
    assert_eq!(response.status(), 200);
    let row: (String, Value) =
        sqlx::query_as("select media_url, media from messages where direction = 'incoming'")
            .fetch_one(&deployment.db)
            .await?;
    assert_eq!(row.0, "https://example.com/1.jpg");
    assert_eq!(
        row.1[1],
        json!({"kind": "media", "url": "https://example.com/2.jpg"})
    );
    assert_eq!(
        row.1[2],
        json!({"kind": "audio", "url": "https://example.com/voice.ogg"})
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_keeps_cookies_stays_in_its_conversation_and_strangers_never_share_one() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let post = async |device: Option<&str>, content: &str| -> Result<String> {
        let mut request = http()
            .post(format!("{}/chat/", api.base))
            .json(&json!({ "content": content }));
        if let Some(device) = device {
            request = request.header("Cookie", format!("other=1; device_id={device}"));
        }
        let response = request.send().await?;
        assert_eq!(response.status(), 200);
        let given = response.headers()["x-device-id"].to_str()?.to_owned();
        if device.is_none() {
            let cookie = response.headers()["set-cookie"].to_str()?;
            assert!(cookie.starts_with(&format!("device_id={given};")), "{cookie}");
            assert!(
                cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
                "{cookie}"
            );
        }
        Ok(given)
    };
    let device = post(None, "Hello").await?;
    assert_eq!(post(Some(&device), "My name is John Doe").await?, device);
    assert_ne!(post(None, "Hello").await?, device, "a stranger");
    assert_eq!(
        store::count(&deployment.db, "select count(*) from conversation_states").await,
        2
    );
    assert_eq!(
        store::count(&deployment.db, "select count(*) from users").await,
        2
    );
    let messages = "select max(n) from (select count(*) n from messages where direction = 'incoming' group by connection_id) x";
    assert_eq!(store::count(&deployment.db, messages).await, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_user_is_one_person_on_two_devices_and_a_device_cannot_pretend_to_be_one() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (
        deployment.api_with(&[("IDENTITY_SECRET", "secret")]).await?,
        deployment.worker().await?,
    );
    let hash = e2e::client::identity_hash("jane", "secret");
    let signed_in = async |device: &str, hash: &str| {
        http()
            .post(format!("{}/chat/", api.base))
            .header("X-Device-ID", device)
            .header("X-User-ID", "jane")
            .header("X-User-Hash", hash)
            .json(&json!({ "content": "Hello" }))
            .send()
            .await
    };
    assert_eq!(signed_in("phone", &hash).await?.status(), 200);
    assert_eq!(signed_in("laptop", &hash).await?.status(), 200);
    assert_eq!(
        signed_in("phone", &hash.replace(|digit: char| digit.is_ascii_digit(), "a"))
            .await?
            .status(),
        401
    );
    let mut pretender = api.visitor();
    pretender.device = "jane".into();
    pretender.chat("Hello").await?;

    let verified = "select count(*) from users where phone_number = 'chat_jane' and verified";
    assert_eq!(store::count(&deployment.db, verified).await, 1);
    assert_eq!(
        store::count(
            &deployment.db,
            "select count(*) from users where phone_number = 'chat_jane'"
        )
        .await,
        2
    );
    assert_eq!(
        store::count(&deployment.db, "select count(*) from connections").await,
        3
    );
    assert_eq!(
        pretender.history().await?.len(),
        2,
        "the pretender sees only what the pretender wrote"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_is_answered_once_and_another_body_is_refused() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (api, _worker) = (deployment.api().await?, deployment.worker().await?);
    let visitor = api.visitor();
    let post = async |content: &str| {
        visitor
            .request(reqwest::Method::POST, "/chat/stream")
            .header("Idempotency-Key", "order-1")
            .json(&json!({ "content": content }))
            .send()
            .await
    };
    let first = sse::EventStream::of(post("Hello").await?)?.all().await?;
    let again = sse::EventStream::of(post("Hello").await?)?.all().await?;
    assert_eq!(sse::text(&first), sse::text(&again));
    assert_eq!(first[0].id, again[0].id);
    let other = post("Something else").await?;
    assert_eq!(other.status(), 409);
    assert_eq!(store::requests(&deployment.db, visitor.session()).await.len(), 1);
    Ok(())
}
