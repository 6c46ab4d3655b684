//! Replies on their way to WhatsApp: in order, at the providers' pace, through crashes, and seldom twice.

use std::time::Duration;

use anyhow::Result;
use bench::whatsapp::{Fault, Rule};
use e2e::eventually;
use shared::db::delivery;
use shared::whatsapp::{DeliveryState, Provider, Template};
use time::OffsetDateTime;
use uuid::Uuid;

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
async fn what_may_have_been_accepted_waits_for_a_status_and_is_sent_again_only_without_one() -> Result<()> {
    let mut outbox = Outbox::new().await?;
    outbox.settings.rules.answer = Duration::from_secs(3);
    let _worker = outbox.worker();
    for (n, fault) in [
        Fault::AcceptAndDrop,
        Fault::AcceptAndGarbage,
        Fault::AcceptAndStall,
    ]
    .into_iter()
    .enumerate()
    {
        for provider in [Provider::Meta, Provider::Twilio] {
            let line = match provider {
                Provider::Meta => outbox.meta.line(),
                Provider::Twilio => outbox.twilio.line(),
            };
            let (told, untold) = (format!("1650555000{n}"), format!("1650555001{n}"));
            line.faults.next_to(&told, fault);
            line.faults.next_to(&untold, fault);
            let told_id = outbox
                .put(&outbox.address(provider, &told), &["first", "second"])
                .await?;
            let untold_id = outbox
                .put(&outbox.address(provider, &untold), &["first", "second"])
                .await?;
            let name = eventually("it arrived", async || {
                Some(line.records.accepted_by(&told).first()?.id.clone())
            })
            .await;
            outbox
                .tell(Some(told_id[0]), provider, &name, DeliveryState::Sent, None)
                .await?;
            let part = outbox.becomes(told_id[0], "sent").await;
            assert_eq!((part.resends, part.provider_id), (0, Some(name)), "{fault:?}");
            outbox.becomes(told_id[1], "sent").await;
            let count = line.records.accepted_by(&told).len();
            assert_eq!(count, 2, "{fault:?}: not sent again");

            outbox.becomes(untold_id[1], "sent").await;
            let part = outbox.part(untold_id[0]).await;
            assert_eq!(
                (part.status.as_str(), part.resends, part.attempts),
                ("sent", 1, 2),
                "{fault:?}"
            );
            let texts: Vec<String> = line
                .records
                .accepted_by(&untold)
                .into_iter()
                .map(|accepted| accepted.text)
                .collect();
            assert_eq!(texts, ["first", "first", "second"], "{fault:?}");
            let repeated = line.records.repeated();
            assert!(
                repeated.iter().all(|repeated| repeated.needless == 0),
                "{repeated:?}"
            );
        }
    }
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
async fn nobody_knows_for_ever_ends_as_failed_too() -> Result<()> {
    let mut outbox = Outbox::new().await?;
    outbox.settings.rules.answer = Duration::from_millis(200);
    outbox.settings.rules.max_resends = 2;
    outbox.meta.line().faults.always(Fault::Garbage);
    let id = outbox
        .put(&outbox.address(Provider::Meta, "+16505550001"), &["hello"])
        .await?[0];
    let _worker = outbox.worker();
    let part = outbox.becomes(id, "failed").await;
    assert_eq!((part.error.as_deref(), part.attempts), (Some("unconfirmed"), 3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_sent_is_not_sent_again_by_a_worker_that_could_not_have_heard_of_it() -> Result<()>
{
    let mut outbox = Outbox::new().await?;
    outbox.settings.rules.answer = Duration::from_millis(1);
    let address = outbox.address(Provider::Meta, "+16505550001");
    let maybe = outbox.put(&address, &["hello"]).await?[0];
    let new = outbox
        .put(&outbox.address(Provider::Meta, "+16505550002"), &["hello"])
        .await?[0];
    sqlx::query("update deliveries set status = 'uncertain', next_at = now() - interval '1 s' where id = $1")
        .bind(maybe)
        .execute(outbox.db())
        .await?;
    let free = [(address.sender_key(), 10)];
    let claim = async |hears, held: &[Uuid]| {
        let claimed = delivery::claim(outbox.db(), &free, held, hears, &outbox.settings.rules).await?;
        anyhow::Ok(claimed.into_iter().map(|part| part.id).collect::<Vec<_>>())
    };
    assert_eq!(claim(false, &[]).await?, [new]);
    assert_eq!(claim(true, &[new]).await?, [maybe]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_while_it_sends_leaves_it_to_a_status_or_to_another_worker() -> Result<()> {
    let mut outbox = Outbox::new().await?;
    outbox.settings.rules.answer = Duration::from_secs(3);
    let phones = ["16505550001", "16505550002", "16505550003"];
    // It dies before the first arrives, and before it hears that the others did.
    for (phone, fault) in phones
        .iter()
        .zip([Fault::Stall, Fault::AcceptAndStall, Fault::AcceptAndStall])
    {
        outbox.meta.line().faults.next_to(phone, fault);
    }
    let mut ids = Vec::new();
    for phone in phones {
        ids.push(
            outbox
                .put(&outbox.address(Provider::Meta, phone), &["hello"])
                .await?[0],
        );
    }
    let doomed = outbox.worker();
    eventually("all three are on their way", async || {
        let records = &outbox.meta.line().records;
        (records.accepted().len() == 2 && records.refused().len() == 1).then_some(())
    })
    .await;
    drop(doomed);
    let _survivor = outbox.worker();
    let name = outbox.meta.line().records.accepted_by(phones[2])[0].id.clone();
    outbox
        .tell(
            Some(ids[2]),
            Provider::Meta,
            &name,
            DeliveryState::Delivered,
            None,
        )
        .await?;
    outbox.empty().await;
    let mut found = Vec::new();
    for (id, phone) in ids.iter().zip(phones) {
        let part = outbox.part(*id).await;
        found.push((
            part.status,
            part.resends,
            outbox.meta.line().records.accepted_by(phone).len(),
        ));
    }
    assert_eq!(
        found,
        [
            ("sent".into(), 1, 1),
            ("sent".into(), 1, 2),
            ("delivered".into(), 0, 1)
        ]
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
async fn statuses_only_move_forward() -> Result<()> {
    use DeliveryState::{Delivered, Failed, Read, Sent};
    let outbox = Outbox::new().await?;
    let _worker = outbox.worker();
    let id = outbox
        .put(&outbox.address(Provider::Meta, "+16505550001"), &["hello"])
        .await?[0];
    let name = outbox
        .becomes(id, "sent")
        .await
        .provider_id
        .expect("it has a name");
    for (state, delivery, expected) in [
        // Also without our own name of it.
        (Delivered, None, "delivered"),
        (Sent, Some(id), "delivered"),
        (Failed, Some(id), "delivered"),
        (Read, Some(id), "read"),
        (Delivered, Some(id), "read"),
        (Failed, None, "read"),
    ] {
        let code = (state == Failed).then_some(130_429);
        outbox.tell(delivery, Provider::Meta, &name, state, code).await?;
        outbox.all_told().await;
        assert_eq!(outbox.part(id).await.status, expected, "{state:?}");
    }
    // Of nothing of ours: it is dropped, and holds up nothing.
    outbox
        .tell(
            Some(uuid::Uuid::now_v7()),
            Provider::Meta,
            "wamid.other",
            Read,
            None,
        )
        .await?;
    outbox.all_told().await;
    assert_eq!(outbox.meta.line().records.total(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_an_earlier_try_says_nothing_of_the_present_one() -> Result<()> {
    let outbox = Outbox::new().await?;
    let _worker = outbox.worker();
    let id = outbox
        .put(&outbox.address(Provider::Meta, "+16505550001"), &["hello"])
        .await?[0];
    let first = outbox
        .becomes(id, "sent")
        .await
        .provider_id
        .expect("it has a name");
    let tell = async |name: &str, state, code| outbox.tell(Some(id), Provider::Meta, name, state, code).await;
    tell(&first, DeliveryState::Failed, Some(131_000)).await?;
    eventually("it is sent again", async || {
        (outbox.meta.line().records.total() == 2).then_some(())
    })
    .await;
    let second = outbox
        .becomes(id, "sent")
        .await
        .provider_id
        .expect("it has a name");
    assert_ne!(first, second);
    // Twice told, or late.
    tell(&first, DeliveryState::Failed, Some(131_026)).await?;
    tell(&first, DeliveryState::Sent, None).await?;
    outbox.all_told().await;
    assert_eq!(outbox.part(id).await.status, "sent");
    tell(&second, DeliveryState::Failed, Some(131_026)).await?;
    outbox.becomes(id, "failed").await;
    assert_eq!(outbox.meta.line().records.total(), 2);
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
