//! WhatsApp end to end: played providers, real processes.

use anyhow::{Context, Result};
use bench::whatsapp::meta::Message;
use bench::whatsapp::{Accepted, Customer, FakeMeta, Line, twilio};
use e2e::phone::OnWhatsApp;
use e2e::{eventually, store};
use serde_json::Value;
use shared::clinic::Clinic;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime, Weekday};

const JOHN: &str = "16505551234";
const HELLO: &str = "Hello, I want to schedule an appointment";
const DETAILS: &str = "My name is John Doe and I need help with hair transplant";

/// The first `count` messages that a customer has.
async fn replies(line: &Line, to: &str, count: usize) -> Vec<Accepted> {
    let what = format!("{count} replies");
    eventually(&what, async || {
        let accepted = line.records.accepted_by(to);
        (accepted.len() >= count).then_some(accepted)
    })
    .await
}

/// Sends one message, and returns what the customer reads next.
async fn ask(meta: &FakeMeta, message: Message) -> Accepted {
    let had = meta.line().records.accepted_by(JOHN).len();
    assert!(meta.deliver([message]).await);
    replies(meta.line(), JOHN, had + 1).await.remove(had)
}

/// What was understood in the only session of a channel or number.
async fn details(db: &PgPool, device: &str) -> Result<Value> {
    let state = "select state from conversation_states s join connections c on c.id = s.connection_id where c.device_id like $1";
    let state: Value = sqlx::query_scalar(state)
        .bind(format!("%{device}"))
        .fetch_one(db)
        .await?;
    Ok(state["details"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_answered_and_understood_as_on_the_website() -> Result<()> {
    let clinic = OnWhatsApp::new(&[]).await?;
    let api = clinic.api().await?;
    let _worker = clinic.worker().await?;
    let db = &clinic.deployment.db;

    let visitor = api.visitor();
    let mut web = Vec::new();
    for text in [HELLO, DETAILS] {
        web.push(e2e::sse::text(&visitor.say(text).await?));
    }
    let john = Customer::with_phone(JOHN);
    let first = ask(&clinic.meta, Message::text(&john, HELLO)).await;
    assert_eq!(first.text, web[0]);
    let titles: Vec<&str> = first.buttons.iter().map(|(_, title)| title.as_str()).collect();
    assert_eq!(titles, ["Yes", "No"]);
    assert_eq!(
        ask(&clinic.meta, Message::text(&john, DETAILS)).await.text,
        web[1]
    );

    let jane = Customer::with_phone("447911123456");
    for (count, text) in [(1, HELLO), (2, DETAILS)] {
        assert!(clinic.twilio.deliver(&twilio::Message::text(&jane, text)).await);
        let said = replies(clinic.twilio.line(), "447911123456", count).await;
        assert_eq!(said[count - 1].text, web[count - 1]);
    }

    // Nobody is asked for the number that they write from.
    assert!(
        clinic
            .meta
            .deliver([Message::text(&john, "Yes, that is fine")])
            .await
    );
    replies(clinic.meta.line(), JOHN, 3).await;
    let mut known = details(db, JOHN).await?;
    assert_eq!(known["phone"].take(), "+16505551234");
    let said = visitor.say("Yes, that is fine").await?;
    assert!(
        e2e::sse::text(&said).contains("by phone"),
        "on the website they are"
    );

    let mut understood = details(db, &visitor.device).await?;
    understood["phone"].take();
    assert_eq!(understood["treatments"], serde_json::json!(["hair transplant"]));
    assert_eq!(known, understood);
    let mut known = details(db, "447911123456").await?;
    known["phone"].take();
    assert_eq!(known, understood);
    let users: Vec<String> = sqlx::query_scalar("select phone_number from users order by phone_number")
        .fetch_all(db)
        .await?;
    let device = format!("chat_{}", visitor.device);
    assert_eq!(
        users,
        ["+16505551234".to_owned(), "+447911123456".to_owned(), device]
    );
    eventually("the statuses are stored", async || {
        let delivered = store::count(db, "select count(*) from deliveries where status = 'delivered'").await;
        (delivered == 5).then_some(())
    })
    .await;
    eventually(
        "both messages are marked as read, and the visitor saw that somebody writes",
        async || {
            let marks = clinic.meta.line().records.marks();
            (marks.len() == 3 && marks.iter().all(|mark| mark.typing)).then_some(())
        },
    )
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_gets_one_reply_and_an_emergency_does_not_wait_for_its_end() -> Result<()> {
    let clinic = OnWhatsApp::new(&[("WHATSAPP_QUIET", "10m"), ("WHATSAPP_BURST", "1h")]).await?;
    let _api = clinic.api().await?;
    let _worker = clinic.worker().await?;
    let john = Customer::with_phone(JOHN);
    for text in ["Hi", "a question", "about veneers"] {
        assert!(clinic.meta.deliver([Message::text(&john, text)]).await);
    }
    let alarm = ask(
        &clinic.meta,
        Message::text(&john, "I have severe chest pain right now"),
    )
    .await;
    assert!(alarm.text.contains("112"), "{}", alarm.text);
    let db = &clinic.deployment.db;
    assert_eq!(
        store::count(db, "select count(*) from messages where direction = 'outgoing'").await,
        1
    );
    assert_eq!(
        store::count(db, "select count(*) from messages where status = 'answered'").await,
        4
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_changes_or_deletes_is_read_as_it_is_now() -> Result<()> {
    let clinic = OnWhatsApp::new(&[("WHATSAPP_QUIET", "2s")]).await?;
    let _api = clinic.api().await?;
    let _worker = clinic.worker().await?;
    let john = Customer::with_phone(JOHN);
    let (wrong, slip) = (
        Message::text(&john, "How much are dental implants?"),
        Message::text(&john, "I am pregnant"),
    );
    let changes = [
        Message::edit(&john, wrong.id(), "How much is a rhinoplasty?"),
        Message::revoke(&john, slip.id()),
    ];
    assert!(clinic.meta.deliver([wrong, slip]).await);
    assert!(clinic.meta.deliver(changes).await);
    let reply = replies(clinic.meta.line(), JOHN, 1).await.remove(0);
    assert!(
        reply.text.to_lowercase().contains("rhinoplasty"),
        "{}",
        reply.text
    );
    assert!(!reply.text.contains("implant"), "{}", reply.text);
    let bodies: Vec<String> =
        sqlx::query_scalar("select body from messages where direction = 'incoming' order by body")
            .fetch_all(&clinic.deployment.db)
            .await?;
    assert_eq!(bodies, ["", "How much is a rhinoplasty?"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_open_gets_a_polite_answer_a_reaction_none_and_a_late_message_an_excuse() -> Result<()>
{
    let clinic = OnWhatsApp::new(&[]).await?;
    let _api = clinic.api().await?;
    let _worker = clinic.worker().await?;
    let (john, meta) = (Customer::with_phone(JOHN), &clinic.meta);
    let reply = ask(meta, Message::unsupported(&john)).await;
    assert!(
        reply.text.contains("can't open this kind of message"),
        "{}",
        reply.text
    );
    assert!(meta.deliver([Message::reaction(&john, &reply.id, "👍")]).await);

    let days_ago = OffsetDateTime::now_utc() - Duration::days(3);
    let late = ask(
        meta,
        Message::text(&john, "What are your opening hours?").at(days_ago),
    )
    .await;
    assert!(late.text.starts_with("You wrote to us on "), "{}", late.text);
    let db = &clinic.deployment.db;
    assert_eq!(
        store::count(db, "select count(*) from messages where direction = 'incoming'").await,
        2
    );

    // Who shows no number is a person all the same.
    let nameless = Customer::with_user_id("IN.2081978709");
    assert!(meta.deliver([Message::text(&nameless, "Hello")]).await);
    replies(meta.line(), "IN.2081978709", 1).await;
    assert_eq!(
        store::count(db, "select count(*) from users where phone_number is null").await,
        1
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_as_late_as_its_oldest_message_whose_days_count_from_when_it_was_written() -> Result<()> {
    let clinic = OnWhatsApp::new(&[]).await?;
    let _api = clinic.api().await?;
    let _worker = clinic.worker().await?;
    let john = Customer::with_phone(JOHN);
    let here = OffsetDateTime::now_utc().to_offset(Clinic::shipped().utc_offset);
    // What is a week later is a day on which the clinic is open.
    let written = [3, 4].map(|days| here - Duration::days(days));
    let written = written.into_iter().find(|day| day.weekday() != Weekday::Sunday);
    let written = written.context("two days, and both are Sundays")?;
    let old = Message::text(&john, "I would like a consultation in one week").at(written);
    assert!(clinic.meta.deliver([old, Message::text(&john, "hello?")]).await);
    let reply = replies(clinic.meta.line(), JOHN, 1).await.remove(0);
    assert!(reply.text.starts_with("You wrote to us on "), "{}", reply.text);
    let asked_for = (written + Duration::WEEK).date().to_string();
    assert_eq!(
        details(&clinic.deployment.db, JOHN).await?["dates"],
        serde_json::json!([asked_for])
    );
    Ok(())
}
