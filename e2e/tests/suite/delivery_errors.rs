//! Each code of the providers' tables leads to what the table says, as an answer and as a status that comes later.

use std::time::Duration;

use anyhow::Result;
use bench::whatsapp::Fault;
use e2e::eventually;
use shared::whatsapp::{DeliveryState, Provider};
use time::OffsetDateTime;

use crate::outbox::Outbox;

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// It is sent again and arrives.
    BackOff,
    /// The same, but not before the recipient's time.
    RecipientWaits,
    /// It waits for the visitor.
    Held,
    /// It is given up, visibly.
    Failed,
}

const TABLE: &[(Provider, &[i64], Does)] = &[
    (Provider::Meta, &[130_429, 4, 80_007, 1, 2], Does::BackOff),
    (Provider::Meta, &[131_056], Does::RecipientWaits),
    (Provider::Meta, &[131_047], Does::Held),
    (
        Provider::Meta,
        &[131_026, 130_472, 131_049, 131_051, 100],
        Does::Failed,
    ),
    (Provider::Twilio, &[63_016], Does::Held),
    (Provider::Twilio, &[63_018, 429], Does::BackOff),
    (Provider::Twilio, &[21_617], Does::Failed),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_code_does_what_the_table_says_as_an_answer_and_as_a_status() -> Result<()> {
    let mut outbox = Outbox::new().await?;
    outbox.settings.rules.pair_every = std::time::Duration::from_millis(700);
    let _worker = outbox.worker();
    let mut number = 0;
    for (provider, codes, does) in TABLE {
        let line = match provider {
            Provider::Meta => outbox.meta.line(),
            Provider::Twilio => outbox.twilio.line(),
        };
        for (code, later) in codes.iter().flat_map(|code| [(*code, false), (*code, true)]) {
            number += 1;
            let phone = format!("1650555{number:04}");
            if !later {
                line.faults.next_to(&phone, Fault::Error(code));
            }
            let before = OffsetDateTime::now_utc();
            let id = outbox.put(&outbox.address(*provider, &phone), &["hello"]).await?[0];
            if later {
                let name = outbox
                    .becomes(id, "sent")
                    .await
                    .provider_id
                    .expect("it has a name");
                outbox
                    .tell(Some(id), *provider, &name, DeliveryState::Failed, Some(code))
                    .await?;
                outbox.all_told().await;
            }
            let accepted = || line.records.accepted_by(&phone);
            let what = format!("{provider} {code} later={later}");
            let code = if code == 429 && !later { 20_429 } else { code };
            let before_it = usize::from(later);
            match does {
                Does::BackOff | Does::RecipientWaits => {
                    eventually(&what, async || (accepted().len() == 1 + before_it).then_some(())).await;
                    let part = outbox.becomes(id, "sent").await;
                    assert_eq!((part.attempts, part.resends), (2, 0), "{what}");
                    let took = accepted()[before_it].at - before;
                    let waits = *does == Does::RecipientWaits;
                    assert!(
                        !waits || took >= time::Duration::milliseconds(650),
                        "{what}: {took}"
                    );
                }
                Does::Held | Does::Failed => {
                    let status = if *does == Does::Held { "held" } else { "failed" };
                    let part = outbox.becomes(id, status).await;
                    assert_eq!(part.error, Some(code.to_string()), "{what}");
                    assert_eq!((part.attempts, accepted().len()), (1, before_it), "{what}");
                }
            }
        }
    }
    for status in [500, 502, 503] {
        number += 1;
        let phone = format!("1650555{number:04}");
        outbox.meta.line().faults.next_to(&phone, Fault::Http(status));
        let id = outbox
            .put(&outbox.address(Provider::Meta, &phone), &["hello"])
            .await?[0];
        let part = outbox.becomes(id, "sent").await;
        assert_eq!((part.attempts, part.resends), (2, 0), "{status}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_stops_the_sender_keeps_its_outbox_and_ends_with_a_probe() -> Result<()> {
    for (code, later) in [
        (190, false),
        (0, false),
        (10, false),
        (190, true),
        (0, true),
        (10, true),
    ] {
        let what = format!("{code} later={later}");
        let outbox = Outbox::new().await?;
        let worker = outbox.worker();
        let faults = &outbox.meta.line().faults;
        if later {
            let id = outbox
                .put(&outbox.address(Provider::Meta, "+16505550000"), &["hello"])
                .await?[0];
            let name = outbox
                .becomes(id, "sent")
                .await
                .provider_id
                .expect("it has a name");
            faults.always(Fault::Error(code));
            outbox
                .tell(Some(id), Provider::Meta, &name, DeliveryState::Failed, Some(code))
                .await?;
        } else {
            faults.always(Fault::Error(code));
        }
        let mut ids = Vec::new();
        for n in 1..=5 {
            ids.push(
                outbox
                    .put(
                        &outbox.address(Provider::Meta, &format!("+1650555000{n}")),
                        &["hello"],
                    )
                    .await?[0],
            );
        }
        worker.deliveries.wake();
        eventually("the sender stands still", async || {
            let stopped = shared::db::delivery::stopped(outbox.db()).await.ok()?;
            (stopped.first()?.code == code.to_string()).then_some(())
        })
        .await;
        // The other provider goes on.
        let other = outbox
            .put(&outbox.address(Provider::Twilio, "+16505550001"), &["hello"])
            .await?[0];
        outbox.becomes(other, "sent").await;
        // From now on it is one probe at a time, and nothing of what was tried counts.
        let tried = outbox.meta.line().records.refused().len();
        eventually("it is probed", async || {
            (outbox.meta.line().records.refused().len() >= tried + 2).then_some(())
        })
        .await;
        for id in &ids {
            let part = outbox.part(*id).await;
            assert!(part.attempts <= 1 && part.status != "failed", "{what}: {part:?}");
        }
        faults.clear();
        for id in &ids {
            outbox.becomes(*id, "sent").await;
        }
        eventually("the sender goes on", async || {
            shared::db::delivery::stopped(outbox.db())
                .await
                .ok()?
                .is_empty()
                .then_some(())
        })
        .await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_for_its_window_uses_up_no_probe_of_a_sender_that_stands_still() -> Result<()> {
    let mut outbox = Outbox::new().await?;
    outbox.settings.rules.probe = Duration::from_secs(600);
    let mut ids = Vec::new();
    for n in 1..=5 {
        let address = outbox.address(Provider::Meta, &format!("+1650555000{n}"));
        ids.push(outbox.put(&address, &["hello"]).await?[0]);
        if n < 5 {
            sqlx::query("update connections set last_written_at = now() - interval '25 hours' where id = $1")
                .bind(address.session().connection_id())
                .execute(outbox.db())
                .await?;
        }
    }
    let key = outbox.address(Provider::Meta, "+16505550001").sender_key();
    sqlx::query("insert into senders (name, stopped_until, stopped_code) values ($1, now(), '190')")
        .bind(key.to_string())
        .execute(outbox.db())
        .await?;
    let _worker = outbox.worker();
    outbox.becomes(ids[4], "sent").await;
    for id in &ids[..4] {
        assert_eq!(outbox.part(*id).await.error.as_deref(), Some("window_over"));
    }
    Ok(())
}
