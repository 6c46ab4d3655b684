//! Replies on their way to WhatsApp: in order, at the providers' pace, and never out of the visitor's window.

use std::time::Duration;

use anyhow::Result;
use bench::whatsapp::{Fault, Rule};
use e2e::eventually;
use shared::whatsapp::{Provider, Template};
use time::OffsetDateTime;

use crate::outbox::Outbox;

#[tokio::test(flavor = "multi_thread")]
async fn several_workers_keep_each_recipients_order_and_send_nothing_twice() -> Result<()> {
    let outbox = Outbox::new().await?;
    // Every fifth is refused for now: what follows it has to wait.
    outbox.meta.line().faults.every(5, Fault::Http(503));
    let workers = [outbox.worker(), outbox.worker(), outbox.worker()];
    let texts: Vec<String> = (0..5).map(|part| format!("part {part}")).collect();
    let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let phones: Vec<String> = (0..20).map(|n| format!("+1650555{n:04}")).collect();
    for phone in &phones {
        let address = outbox.address(Provider::Meta, phone);
        outbox.put(&address, &parts).await?;
        workers[0].deliveries.wake();
    }
    outbox.empty().await;
    for phone in &phones {
        let accepted = outbox.meta.line().records.accepted_by(phone);
        let said: Vec<&str> = accepted.iter().map(|accepted| accepted.text.as_str()).collect();
        assert_eq!(said, parts, "{phone}");
    }
    assert!(outbox.meta.line().records.refused().len() > 10);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workers_share_a_senders_rate() -> Result<()> {
    let mut outbox = Outbox::new().await?;
    outbox.settings.rules.every = Duration::from_millis(25);
    for n in 0..60 {
        let address = outbox.address(Provider::Meta, &format!("+1650555{n:04}"));
        outbox.put(&address, &["hello"]).await?;
    }
    let _workers = [outbox.worker(), outbox.worker(), outbox.worker()];
    outbox.empty().await;
    let accepted = outbox.meta.line().records.accepted();
    assert_eq!(accepted.len(), 60);
    // 59 spaces of 25 ms are 1,475 ms; a slow machine may have begun late. Without a rate it takes a tenth of that.
    let took = accepted[59].at - accepted[0].at;
    assert!(took >= time::Duration::milliseconds(1_200), "{took}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_is_paced_and_others_do_not_wait_for_them() -> Result<()> {
    let mut outbox = Outbox::new().await?;
    outbox.settings.rules.pair_every = Duration::from_millis(400);
    outbox.settings.rules.pair_burst = 2;
    let (much, little) = ("+16505550001", "+16505550002");
    let address = outbox.address(Provider::Meta, much);
    outbox.put(&address, &["1", "2", "3", "4", "5"]).await?;
    outbox
        .put(&outbox.address(Provider::Meta, little), &["hello"])
        .await?;
    let _workers = [outbox.worker(), outbox.worker()];
    outbox.empty().await;
    let records = &outbox.meta.line().records;
    let (much, little) = (records.accepted_by(much), records.accepted_by(little));
    // Two at once, and three that are spaced.
    let took = much[4].at - much[0].at;
    assert!(took >= time::Duration::milliseconds(1_100), "{took}");
    assert!(little[0].at < much[4].at);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_holds_up_neither_others_nor_the_other_provider() -> Result<()> {
    let mut outbox = Outbox::new().await?;
    outbox.settings.at_once = 4;
    outbox
        .meta
        .line()
        .faults
        .add(Rule::new(Fault::Stall).to("16505550000"));
    let stuck = outbox
        .put(
            &outbox.address(Provider::Meta, "+16505550000"),
            &["hello", "again"],
        )
        .await?;
    let _worker = outbox.worker();
    outbox.becomes(stuck[0], "sending").await;
    for n in 1..10 {
        for provider in [Provider::Meta, Provider::Twilio] {
            let id = outbox
                .put(&outbox.address(provider, &format!("+1650555{n:04}")), &["hello"])
                .await?;
            outbox.becomes(id[0], "sent").await;
        }
    }
    assert_eq!(
        outbox.part(stuck[0]).await.status,
        "sending",
        "it was there all the time"
    );
    assert_eq!(outbox.part(stuck[1]).await.status, "queued");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_left_is_simply_tried_again_and_ends_after_so_many_tries() -> Result<()> {
    let mut outbox = Outbox::new().await?;
    outbox.senders.meta[0].base_url = "http://127.0.0.1:9".into();
    outbox.settings.rules.max_attempts = 4;
    let id = outbox
        .put(&outbox.address(Provider::Meta, "+16505550001"), &["hello"])
        .await?[0];
    let _worker = outbox.worker();
    let part = outbox.becomes(id, "failed").await;
    assert_eq!(
        (part.error.as_deref(), part.attempts, part.resends),
        (Some("unreachable"), 4, 0)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_finishes_what_is_on_its_way_and_takes_nothing_new() -> Result<()> {
    let outbox = Outbox::new().await?;
    outbox.meta.line().faults.next(Fault::Drop);
    let first = outbox
        .put(&outbox.address(Provider::Meta, "+16505550001"), &["hello"])
        .await?[0];
    let worker = outbox.worker();
    eventually("it is sent", async || {
        (!outbox.meta.line().records.refused().is_empty()).then_some(())
    })
    .await;
    worker.soft.cancel();
    worker.tasks.close();
    worker.tasks.wait().await;
    assert_eq!(outbox.part(first).await.status, "uncertain");
    let second = outbox
        .put(&outbox.address(Provider::Meta, "+16505550002"), &["hello"])
        .await?[0];
    worker.deliveries.wake();
    let survivor = outbox.worker();
    outbox.becomes(second, "sent").await;
    drop(survivor);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_24_hours_a_reply_is_held_until_the_visitor_writes_and_a_template_asks_for_that_once()
-> Result<()> {
    for template in [false, true] {
        let mut outbox = Outbox::new().await?;
        if template {
            outbox.senders.meta[0].template = Some(Template {
                name: "we_answered".into(),
                language: "en_US".into(),
            });
            outbox.settings = worker::deliver::Settings {
                rules: shared::db::delivery::Rules {
                    templates: worker::deliver::Settings::new(80, &outbox.senders)
                        .rules
                        .templates,
                    ..outbox.settings.rules.clone()
                },
                ..outbox.settings.clone()
            };
        }
        let address = outbox.address(Provider::Meta, "+16505550001");
        let ids = outbox.put(&address, &["first", "second"]).await?;
        sqlx::query("update connections set last_written_at = $1")
            .bind(OffsetDateTime::now_utc() - time::Duration::hours(25))
            .execute(outbox.db())
            .await?;
        let _worker = outbox.worker();
        let held = outbox.becomes(ids[0], "held").await;
        let records = &outbox.meta.line().records;
        let kinds = || -> Vec<String> {
            records
                .accepted()
                .into_iter()
                .map(|accepted| accepted.kind)
                .collect()
        };
        if template {
            assert_eq!(held.error.as_deref(), Some("template_sent"));
            assert_eq!(kinds(), ["template"]);
        } else {
            assert_eq!(held.error.as_deref(), Some("window_over"));
            assert!(kinds().is_empty());
        }
        assert_eq!(outbox.part(ids[1]).await.status, "queued", "it does not overtake");
        sqlx::query("update connections set last_written_at = now()")
            .execute(outbox.db())
            .await?;
        // As the intake does when the visitor writes.
        sqlx::query(
            "update deliveries set status = 'queued', next_at = now(), error = null where status = 'held'",
        )
        .execute(outbox.db())
        .await?;
        outbox.becomes(ids[1], "sent").await;
        let texts: Vec<String> = records
            .accepted_by("16505550001")
            .into_iter()
            .map(|accepted| accepted.text)
            .collect();
        assert_eq!(texts[usize::from(template)..], ["first", "second"]);
    }
    Ok(())
}
