//! WhatsApp where an agent or PostgreSQL does not do what it should.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use bench::whatsapp::meta::Message;
use bench::whatsapp::{Accepted, Customer, FakeMeta, Statuses};
use e2e::phone::OnWhatsApp;
use e2e::{Deployment, eventually, store};
use serde_json::json;
use worker::agents::{Agent, AgentError, Outcome, Reply, Turn};

use crate::in_process;

const JOHN: &str = "16505551234";

async fn replies(meta: &FakeMeta, count: usize) -> Vec<Accepted> {
    eventually(&format!("{count} replies"), async || {
        let accepted = meta.line().records.accepted_by(JOHN);
        (accepted.len() >= count).then_some(accepted)
    })
    .await
}

/// Says half of something and fails, until it is mended.
#[derive(Clone, Default)]
struct Mendable(Arc<AtomicBool>);

impl Agent for Mendable {
    fn name(&self) -> &'static str {
        "mendable"
    }

    async fn run(&self, turn: &Turn, reply: &mut Reply) -> Result<Outcome, AgentError> {
        let said: Vec<_> = turn.requests.iter().map(|said| said.content.as_str()).collect();
        reply.say(&format!("You said {}", said.join(" and "))).await?;
        if !self.0.load(Ordering::SeqCst) {
            return Err(AgentError::Fail { code: "out_of_order" });
        }
        Ok(Outcome {
            state: json!({}),
            active_agent: "mendable".into(),
            language: None,
            effects: Vec::new(),
            quick_replies: Vec::new(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_is_given_up_is_apologised_for_and_runs_again_with_its_whole_burst() -> Result<()> {
    let clinic = OnWhatsApp::new(&[("WHATSAPP_QUIET", "1s")]).await?;
    let (meta, db) = (&clinic.meta, &clinic.deployment.db);
    meta.line().set_statuses(Statuses::none());
    let _api = clinic.api().await?;
    let agent = Mendable::default();
    let _worker = in_process::worker_of(clinic.settings(), agent.clone(), |_| {});
    let john = Customer::with_phone(JOHN);
    let burst = [
        Message::text(&john, "Good morning"),
        Message::text(&john, "one more thing"),
    ];
    assert!(meta.deliver(burst).await);
    let apology = replies(meta, 1).await.remove(0);
    assert!(apology.text.starts_with("I'm sorry"), "{}", apology.text);
    assert!(!apology.text.contains("You said"), "{}", apology.text);

    let failed = "select id::text from messages where status = 'failed' and direction = 'incoming'";
    let failed: Vec<String> = sqlx::query_scalar(failed).fetch_all(db).await?;
    assert_eq!(failed.len(), 2);
    // Whichever of the two an operator names.
    let earlier = "select id::text from messages where status = 'failed' and answered_by is not null";
    let earlier: String = sqlx::query_scalar(earlier).fetch_one(db).await?;
    let mut listed = clinic.deployment.command("worker", &["failed"]).await?;
    assert!(listed.ended().await.success());
    let listed = listed.log();
    assert!(failed.iter().all(|id| listed.contains(id)), "{listed}");
    assert!(
        !listed.contains(JOHN) && !listed.contains("Good morning"),
        "{listed}"
    );

    agent.0.store(true, Ordering::SeqCst);
    let mut retry = clinic.deployment.command("worker", &["retry", &earlier]).await?;
    assert!(retry.ended().await.success(), "{}", retry.log());
    let reply = replies(meta, 2).await.remove(1);
    assert_eq!(reply.text, "You said Good morning and one more thing");
    assert_ne!(
        reply.our_id, apology.our_id,
        "what is told of the apology says nothing of the reply"
    );
    assert_eq!(
        store::count(db, "select count(*) from messages where status = 'answered'").await,
        2
    );
    assert_eq!(
        store::count(db, "select count(*) from messages where status = 'failed'").await,
        0
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_a_message_of_whatsapp_waits_and_is_then_answered_once() -> Result<()> {
    let settings = [("WHATSAPP_QUIET", "0s")];
    let clinic = OnWhatsApp::of(Deployment::with_own_servers().await?, &settings).await?;
    let api = clinic.api().await?;
    let _worker = clinic.worker_with(&[("STATELESS_AFTER", "200ms")]).await?;
    let john = Customer::with_phone(JOHN);
    clinic.deployment.servers().postgres().stop().await?;
    assert!(
        clinic
            .meta
            .deliver([Message::text(&john, "When are you open?")])
            .await
    );
    // Who came after him is answered without the database.
    for text in ["Hello", "When are you open?"] {
        assert_eq!(api.visitor().chat(text).await?["degraded"], true);
    }
    assert_eq!(clinic.meta.line().records.total(), 0);
    clinic.deployment.servers().postgres().start().await?;
    replies(&clinic.meta, 1).await;
    let db = &clinic.deployment.db;
    let outgoing = "select count(*) from messages m join connections c on c.id = m.connection_id
        where m.direction = 'outgoing' and c.channel = 'whatsapp'";
    assert_eq!(store::count(db, outgoing).await, 1);
    Ok(())
}
