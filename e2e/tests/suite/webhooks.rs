//! What WhatsApp's providers send gets onto the streams, or comes again.

use anyhow::{Context, Result};
use async_nats::jetstream::stream::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::client::http;
use e2e::deployment::Api;
use e2e::{Deployment, eventually};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Response;
use serde_json::{Value, json};
use shared::envelope::Envelope;
use shared::nats::Nats;
use shared::whatsapp::{DeliveryState, Status};
use uuid::Uuid;

const NUMBER: &str = "106540352242922";
const SECRET: &str = "app-s3cret";
const TOKEN: &str = "twilio-s3cret";

const META: [(&str, &str); 4] = [
    ("META_PHONE_NUMBER_ID", NUMBER),
    ("META_APP_SECRET", SECRET),
    ("META_VERIFY_TOKEN", "verify-s3cret"),
    ("META_ACCESS_TOKEN", "access-s3cret"),
];
const TWILIO: [(&str, &str); 4] = [
    ("TWILIO_FROM", "whatsapp:+15550783881"),
    ("TWILIO_ACCOUNT_SID", "AC1"),
    ("TWILIO_AUTH_TOKEN", TOKEN),
    ("PUBLIC_URL", "https://chat.example"),
];

/// Sends what Meta would, signed.
async fn from_meta(api: &Api, body: &Value) -> Result<Response> {
    let body = body.to_string();
    let mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes())?.chain_update(&body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let request = http().post(format!("{}/webhooks/whatsapp", api.base));
    Ok(request
        .header("X-Hub-Signature-256", signature)
        .body(body)
        .send()
        .await?)
}

/// Sends what Twilio would, signed for the public address and not for ours.
async fn from_twilio(api: &Api, query: &str, fields: &[(&str, &str)]) -> Result<Response> {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let mut signed = format!("https://chat.example/webhooks/twilio{query}");
    sorted
        .iter()
        .for_each(|(key, value)| signed.extend([*key, *value]));
    let mac = Hmac::<sha1::Sha1>::new_from_slice(TOKEN.as_bytes())?.chain_update(&signed);
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = http().post(format!("{}/webhooks/twilio{query}", api.base));
    Ok(request
        .header("X-Twilio-Signature", STANDARD.encode(mac.finalize().into_bytes()))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await?)
}

fn text(id: &str, seconds: i64, body: &str) -> Value {
    json!({"from": "16505551234", "id": id, "timestamp": seconds.to_string(), "type": "text", "text": {"body": body}})
}

fn webhook(number: &str, messages: &[Value], statuses: &[Value]) -> Value {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": {
        "messaging_product": "whatsapp", "metadata": {"display_phone_number": "15550783881", "phone_number_id": number},
        "contacts": [{"profile": {"name": "Sheena Nelson"}, "wa_id": "16505551234"}],
        "messages": messages, "statuses": statuses}}]}]})
}

async fn state(nats: &Nats, stream: String) -> Result<State> {
    Ok(nats
        .jetstream
        .get_stream(stream)
        .await?
        .cached_info()
        .state
        .clone())
}

/// The last place in each stream that a webhook can reach.
async fn places(nats: &Nats) -> Result<[u64; 3]> {
    let subjects = &nats.subjects;
    let mut places = [0; 3];
    let streams = [
        subjects.chat_stream(),
        subjects.status_stream(),
        subjects.dead_stream(),
    ];
    for (place, stream) in places.iter_mut().zip(streams) {
        *place = state(nats, stream).await?.last_sequence;
    }
    Ok(places)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_on_its_streams_when_it_is_answered_and_a_repetition_adds_nothing() -> Result<()> {
    let deployment = Deployment::new().await?;
    let nats = deployment.nats().await?;
    let mut api = deployment.api_with(&META).await?;
    let delivery = Uuid::now_v7();
    let status = json!({"id": "wamid.out", "status": "delivered", "timestamp": "1749416390", "recipient_id": "16505551234",
        "biz_opaque_callback_data": delivery.to_string()});
    let messages = [
        text("wamid.2", 1_749_416_384, "in May?"),
        text("wamid.1", 1_749_416_383, "Do you have a date"),
    ];
    let batch = webhook(NUMBER, &messages, &[status]);
    let response = from_meta(&api, &batch).await?;
    assert_eq!(
        (response.status().as_u16(), response.text().await?.as_str()),
        (200, "")
    );

    let chat = nats.jetstream.get_stream(nats.subjects.chat_stream()).await?;
    for (place, content, id) in [(1, "Do you have a date", "wamid.1"), (2, "in May?", "wamid.2")] {
        let message = chat.get_raw_message(place).await?;
        let envelope: Envelope = serde_json::from_slice(&message.payload)?;
        let whatsapp = envelope.whatsapp.as_ref().context("it is from WhatsApp")?;
        assert_eq!(
            (envelope.content.as_str(), whatsapp.provider_id.as_str()),
            (content, id)
        );
        assert_eq!(envelope.request_id, whatsapp.address.request(id));
        assert_eq!(
            message.subject.as_str(),
            nats.subjects
                .incoming(shared::ids::Channel::Whatsapp, envelope.session)
        );
        assert_eq!(
            message.headers.get("Nats-Msg-Id").map(|id| id.to_string()),
            Some(envelope.request_id.to_string())
        );
        api.process
            .logged(&format!("📩 Chat message request={}", envelope.request_id))
            .await;
    }
    let stream = nats.jetstream.get_stream(nats.subjects.status_stream()).await?;
    let message = stream.get_raw_message(1).await?;
    let status: Status = serde_json::from_slice(&message.payload)?;
    assert_eq!(
        (status.delivery, status.state),
        (Some(delivery), DeliveryState::Delivered)
    );
    let headers = format!("{:?} {}", message.headers, message.subject.as_str());
    assert!(!headers.contains("wamid"), "{headers}");

    let before = places(&nats).await?;
    assert_eq!(before, [2, 1, 0]);
    for again in [batch, webhook(NUMBER, &messages[..1], &[])] {
        assert_eq!(from_meta(&api, &again).await?.status(), 200);
    }
    assert_eq!(places(&nats).await?, before);
    let log = api.process.log();
    assert_eq!(log.matches("📩 Chat message").count(), 2);
    for private in ["date", "650555", "Sheena", "wamid", "s3cret"] {
        assert!(!log.contains(private), "{private} is in the log");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twilio_is_answered_with_empty_twiml_when_message_and_status_are_on_their_streams() -> Result<()> {
    let deployment = Deployment::new().await?;
    let nats = deployment.nats().await?;
    let api = deployment.api_with(&TWILIO).await?;
    let message = [
        ("MessageSid", "SM1"),
        ("From", "whatsapp:+16505551234"),
        ("To", "whatsapp:+15550783881"),
        ("Body", "Bir randevu, lütfen & çok teşekkürler"),
        ("NumMedia", "0"),
        ("Invented", "tomorrow"),
    ];
    for _ in 0..2 {
        let response = from_twilio(&api, "", &message).await?;
        assert_eq!(
            (
                response.status().as_u16(),
                response.headers()["content-type"].to_str()?
            ),
            (200, "text/xml")
        );
        assert_eq!(response.text().await?, "<Response/>");
    }
    let chat = nats.jetstream.get_stream(nats.subjects.chat_stream()).await?;
    let envelope: Envelope = serde_json::from_slice(&chat.get_raw_message(1).await?.payload)?;
    assert_eq!(envelope.content, "Bir randevu, lütfen & çok teşekkürler");
    let delivery = Uuid::now_v7();
    let status = [
        ("MessageSid", "SM2"),
        ("MessageStatus", "undelivered"),
        ("ErrorCode", "63016"),
        ("From", "whatsapp:+15550783881"),
        ("To", "whatsapp:+16505551234"),
    ];
    let response = from_twilio(&api, &format!("?delivery={delivery}"), &status).await?;
    assert_eq!(response.status(), 200);
    let stream = nats.jetstream.get_stream(nats.subjects.status_stream()).await?;
    let status: Status = serde_json::from_slice(&stream.get_raw_message(1).await?.payload)?;
    assert_eq!(
        (status.delivery, status.state, status.code),
        (Some(delivery), DeliveryState::Failed, Some(63016))
    );
    assert_eq!(places(&nats).await?, [1, 1, 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_signature_is_refused_and_nothing_of_it_is_published() -> Result<()> {
    let deployment = Deployment::new().await?;
    let nats = deployment.nats().await?;
    let api = deployment.api_with(&[META, TWILIO].concat()).await?;
    let good = webhook(NUMBER, &[text("wamid.1", 1, "Hi")], &[]);
    let mut answers = Vec::new();
    for (path, header) in [
        ("whatsapp", "X-Hub-Signature-256"),
        ("twilio", "X-Twilio-Signature"),
    ] {
        let path = format!("{}/webhooks/{path}", api.base);
        for signature in [
            "sha256=09eceea024af6e6343b760cc9bd3ae7c056938dd636e24e92109eb8219500384",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ] {
            let request = http()
                .post(&path)
                .header(header, signature)
                .body(good.to_string());
            let response = request.send().await?;
            assert_eq!(response.status(), 401);
            answers.push(response.text().await?);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(places(&nats).await?, [0, 0, 0]);
    assert_eq!(from_meta(&api, &good).await?.status(), 200);
    assert_eq!(places(&nats).await?, [1, 0, 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_a_webhook_has_to_come_again_and_then_it_is_taken_once() -> Result<()> {
    let deployment = Deployment::with_own_servers().await?;
    let nats = deployment.nats().await?;
    let api = deployment.api_with(&META).await?;
    let batch = webhook(
        NUMBER,
        &[text("wamid.1", 1, "Hi")],
        &[json!({"id": "wamid.x", "status": "read", "timestamp": "2"})],
    );
    deployment.servers().nats().stop().await?;
    let refused = eventually("it is refused", async || {
        let response = from_meta(&api, &batch).await.ok()?;
        (response.status() == 503).then_some(response)
    })
    .await;
    assert!(refused.headers().contains_key("retry-after"));
    assert!(!refused.text().await?.contains("Hi"));
    deployment.servers().nats().start().await?;
    eventually("it is taken", async || {
        let response = from_meta(&api, &batch).await.ok()?;
        (response.status() == 200).then_some(())
    })
    .await;
    assert_eq!(from_meta(&api, &batch).await?.status(), 200);
    nats.usable().await;
    let messages = |state: State| state.messages;
    assert_eq!(state(&nats, nats.subjects.chat_stream()).await.map(messages)?, 1);
    assert_eq!(
        state(&nats, nats.subjects.status_stream()).await.map(messages)?,
        1
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_a_webhook_and_takes_it_when_there_is_room() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment
        .api_with(&[&META[..], &[("CHAT_MAX_BYTES", "65536")]].concat())
        .await?;
    let long = "a".repeat(4_000);
    let mut accepted = 0;
    let refused = loop {
        let batch = webhook(NUMBER, &[text(&format!("wamid.{accepted}"), 1, &long)], &[]);
        let response = from_meta(&api, &batch).await?;
        if response.status() != 200 {
            assert_eq!(
                (
                    response.status().as_u16(),
                    response.headers()["retry-after"].to_str()?
                ),
                (503, "5")
            );
            assert_eq!(response.json::<Value>().await?["code"], "queue_full");
            break batch;
        }
        accepted += 1;
        assert!(accepted < 50, "the queue does not fill up");
    };
    let nats = Nats::connect(
        &shared::config::NatsArgs {
            chat_max_bytes: 65_536,
            ..deployment.settings().nats
        },
        "test",
        tokio_util::sync::CancellationToken::new(),
        |error| panic!("{error}"),
    )
    .await?;
    nats.usable().await;
    nats.jetstream
        .get_stream(nats.subjects.chat_stream())
        .await?
        .purge()
        .await?;
    assert_eq!(from_meta(&api, &refused).await?.status(), 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_or_not_ours_is_kept_and_not_sent_again() -> Result<()> {
    let deployment = Deployment::new().await?;
    let nats = deployment.nats().await?;
    let mut api = deployment.api_with(&META).await?;
    let unknown = json!({"object": "whatsapp_business_account", "visitors": ["Jane"]});
    let theirs = webhook("999", &[text("wamid.1", 1, "secret of Jane")], &[]);
    let huge = json!({"hello": "Jane".repeat(300_000)});
    for webhook in [&unknown, &theirs, &huge] {
        assert_eq!(from_meta(&api, webhook).await?.status(), 200);
    }
    assert_eq!(places(&nats).await?, [0, 0, 3]);
    let dead = nats.jetstream.get_stream(nats.subjects.dead_stream()).await?;
    for (place, reason, kept) in [
        (1, "unknown_shape", Some(unknown)),
        (
            2,
            "not_our_number",
            Some(theirs["entry"][0]["changes"][0].clone()),
        ),
        (3, "unknown_shape", None),
    ] {
        let message = dead.get_raw_message(place).await?;
        assert_eq!(
            message
                .headers
                .get("Frontdesk-Reason")
                .map(|reason| reason.as_str()),
            Some(reason)
        );
        assert_eq!(message.subject.as_str(), nats.subjects.dead(reason, None));
        assert!(!format!("{:?}", message.headers).contains("Jane"));
        match kept {
            Some(kept) => assert_eq!(serde_json::from_slice::<Value>(&message.payload)?, kept),
            None => assert!(message.headers.get("Frontdesk-Cut").is_some()),
        }
    }
    api.process
        .logged("went to the dead stream reason=\"not_our_number\"")
        .await;
    assert!(!api.process.log().contains("Jane"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_configured_by_half_ends_both_programs_with_a_sentence_that_says_what_is_missing()
-> Result<()> {
    let deployment = Deployment::new().await?;
    let half = [
        META[1],
        META[3],
        TWILIO[0],
        TWILIO[2],
        ("API_BIND", "127.0.0.1:0"),
    ];
    for (program, settings) in [("api", &half[..]), ("worker", &half[..4])] {
        let mut process = deployment.start(program, settings).await?;
        assert!(!process.ended().await.success());
        let log = process.log();
        assert!(
            log.contains(
                "WhatsApp is configured by half: META_PHONE_NUMBER_ID and META_VERIFY_TOKEN are missing; \
                 TWILIO_ACCOUNT_SID and PUBLIC_URL are missing"
            ),
            "{log}"
        );
        assert!(!log.contains("s3cret"), "{log}");
    }
    Ok(())
}

#[tokio::test]
async fn help_names_the_settings_and_never_the_secrets_that_are_set() -> Result<()> {
    for program in ["api", "worker"] {
        let path = e2e::process::programs().await?.join(program);
        let help = tokio::process::Command::new(path)
            .arg("--help")
            .envs(META)
            .envs(TWILIO)
            .output()
            .await?;
        let help = String::from_utf8(help.stdout)?;
        assert!(help.contains("META_APP_SECRET") && help.contains(NUMBER));
        assert!(!help.contains("s3cret"), "{help}");
    }
    Ok(())
}
