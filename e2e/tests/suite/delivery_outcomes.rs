//! What became of a reply on its way to WhatsApp, where the answer got lost or the worker died: it waits for a status, which comes
//! in any order, and is seldom sent twice.

use std::time::Duration;

use anyhow::Result;
use bench::whatsapp::Fault;
use e2e::eventually;
use shared::db::delivery;
use shared::whatsapp::{DeliveryState, Provider};
use uuid::Uuid;

use crate::outbox::Outbox;

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
