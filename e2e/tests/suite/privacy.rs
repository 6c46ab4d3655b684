//! Who writes over WhatsApp, and what, is in no log line, subject, header or error, also with `DEBUG=true`.

use anyhow::Result;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use bench::whatsapp::fault::Target;
use bench::whatsapp::meta::Message;
use bench::whatsapp::{Customer, Fault, Rule, twilio};
use e2e::phone::OnWhatsApp;
use e2e::{eventually, store};
use reqwest::Method;
use shared::nats::Nats;

const JOHN: &str = "16505551234";
const JANE: &str = "447911123456";
const NAMELESS: &str = "IN.2081978709";

/// What nobody but the two programs and the providers may read.
const PRIVATE: [&str; 17] = [
    JOHN,
    JANE,
    "IN.2081",
    "wamid",
    "SMmine",
    "Sheena",
    "Nelson",
    "Barbara",
    "16505557777",
    "date in May",
    "date in June",
    "My teeth",
    "My report",
    "Hair transplant",
    "Hagia Sophia",
    "chest pain",
    "a body that is none",
];

/// Subject and headers of everything that is on a stream.
async fn on_the_outside(nats: &Nats, stream: String) -> Result<Vec<String>> {
    let stream = nats.jetstream.get_stream(stream).await?;
    let mut seen = Vec::new();
    let mut from = 1;
    loop {
        let next = stream
            .raw_message_builder()
            .sequence(from)
            .next_by_subject(">".to_owned());
        match next.send().await {
            Ok(message) => {
                from = message.sequence + 1;
                seen.push(format!("{} {:?}", message.subject, message.headers));
            }
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => return Ok(seen),
            Err(error) => return Err(error.into()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_reads_logs_subjects_headers_or_errors_learns_who_wrote_or_what() -> Result<()> {
    let clinic = OnWhatsApp::new(&[("DEBUG", "true")]).await?;
    let (meta, twilio) = (&clinic.meta, &clinic.twilio);
    let nats = clinic.deployment.nats().await?;
    let api = clinic.api().await?;
    let (john, jane, nameless) = (
        Customer::with_phone(JOHN),
        Customer::with_phone(JANE),
        Customer::with_user_id(NAMELESS),
    );

    // Messages of every kind, twice; what nobody understands; and what nobody has signed.
    for customer in [&john, &nameless] {
        let (picture, voice) = (meta.line().media.picture(), meta.line().media.voice());
        let all = Message::all(customer, &picture, &voice);
        assert!(meta.deliver(all.clone()).await && meta.deliver(all).await);
    }
    let (picture, voice) = (twilio.line().media.picture(), twilio.line().media.voice());
    for message in twilio::Message::all(&jane, &picture, &voice) {
        assert!(twilio.deliver(&message).await);
    }
    assert!(
        twilio
            .deliver(&twilio::Message::text(&jane, "chest pain").with_id("SMmine"))
            .await
    );
    let strange = format!(r#"{{"object":"whatsapp_business_account","entry":[{{"from":"{JOHN}"}}]}}"#);
    let visitor = api.visitor();
    let post = |path: &str| visitor.request(Method::POST, &format!("/webhooks/{path}"));
    let mut errors = Vec::new();
    let unsigned = "sha256=09eceea024af6e6343b760cc9bd3ae7c056938dd636e24e92109eb8219500384";
    for path in ["whatsapp", "twilio"] {
        let refused = post(path)
            .header("X-Hub-Signature-256", unsigned)
            .header("X-Twilio-Signature", "a body that is none")
            .body(format!("a body that is none, From={JOHN}"))
            .send()
            .await?;
        assert_eq!(refused.status(), 401);
        errors.push(format!(
            "{:?} {}",
            refused.headers().clone(),
            refused.text().await?
        ));
    }
    for body in [strange, format!("a body that is none: {JOHN}")] {
        let webhook = meta.signed(body);
        let mut request = post("whatsapp").body(webhook.body);
        for (name, value) in webhook.headers {
            request = request.header(name, value);
        }
        assert_eq!(request.send().await?.status(), 200);
    }
    let mut outside = on_the_outside(&nats, nats.subjects.chat_stream()).await?;
    assert!(outside.len() > 20, "the queue holds what nobody works at yet");

    // Answers that arrive, are refused, break off, and are told of; media that cannot be had.
    for fault in [Fault::Error(131_026), Fault::Error(2), Fault::AcceptAndDrop] {
        meta.line().faults.next(fault);
    }
    meta.line()
        .faults
        .add(Rule::new(Fault::Error(100)).on(Target::Marks).times(2));
    twilio.line().faults.next(Fault::Error(63_016));
    let mut worker = clinic
        .worker_with(&[("META_TEMPLATE", "ask"), ("META_TEMPLATE_LANGUAGE", "en_US")])
        .await?;
    let db = &clinic.deployment.db;
    eventually("everything is answered and tried", async || {
        let waits = store::count(db, "select count(*) from messages where status = 'pending'").await;
        let untried = store::count(
            db,
            "select count(*) from deliveries where attempts = 0 and status = 'queued'",
        )
        .await;
        let replies = store::count(db, "select count(*) from messages where direction = 'outgoing'").await;
        (waits == 0 && untried == 0 && replies >= 3).then_some(())
    })
    .await;
    assert!(meta.deliver([Message::text(&john, "chest pain")]).await);
    eventually("all is delivered that can be", async || {
        let told = store::count(db, "select count(*) from deliveries where status = 'delivered'").await;
        let rest =
            "select count(*) from deliveries where status in ('queued', 'sending', 'uncertain', 'sent')";
        (told > 0 && store::count(db, rest).await == 0).then_some(())
    })
    .await;

    worker.logged("message sent").await;

    for stream in [
        nats.subjects.chat_stream(),
        nats.subjects.tokens_stream(),
        nats.subjects.status_stream(),
        nats.subjects.dead_stream(),
    ] {
        outside.extend(on_the_outside(&nats, stream).await?);
    }
    let journal = on_the_outside(&nats, nats.subjects.tokens_stream()).await?;
    assert!(journal.is_empty(), "nobody reads along: {journal:?}");
    let (api, worker) = (api.process.log(), worker.log());
    assert!(
        api.contains("📩 Chat message") && api.contains("message repeated") && api.contains("dead stream"),
        "{api}"
    );
    assert!(
        worker.contains("message sent") && worker.contains("131026"),
        "{worker}"
    );
    let secrets = [
        &meta.account().access_token,
        &meta.account().app_secret,
        &twilio.account().auth_token,
    ];
    for private in PRIVATE.into_iter().chain(secrets.into_iter().map(String::as_str)) {
        for (place, text) in [
            ("the api's log", api.as_str()),
            ("the worker's log", &worker),
            ("a subject or header", &outside.join("\n")),
            ("an error", &errors.join("\n")),
        ] {
            let line = text.lines().find(|line| line.contains(private));
            assert_eq!(line, None, "{private} is in {place}");
        }
    }
    Ok(())
}
