//! What happens to a conversation on WhatsApp behind the back of its turn, call by call.

use std::time::Duration;

use anyhow::{Result, bail};
use e2e::{Deployment, eventually};
use serde_json::json;
use shared::db;
use shared::db::commit::{Committed, ReplyStatus};
use shared::db::delivery::{self, Applied, Settled, Settlement, Told, Verdict};
use shared::db::failed::Retried;
use shared::db::intake::{Arrival, Intake};
use shared::db::turn::Release;
use shared::ids::WorkerId;
use shared::whatsapp::{Change, DeliveryState, Provider, Senders, Status};
use time::OffsetDateTime;
use worker::agents::{Agent, AgentError, Outcome, Reply, Turn};
use worker::deliver::Settings;

use crate::in_process;
use crate::whatsapp_calls::{
    AT_ONCE, LEASE, PATIENT, TTL, address, arrival, changed, claim, due, id_of, pending, reply, store,
    take_in, texts,
};

fn revoke(id: &str, of: &str, seq: u64) -> Arrival {
    changed(arrival(id, "", 9, seq), Change::Revoke { of: id_of(of) })
}

fn urgent(mut arrival: Arrival) -> Arrival {
    arrival.envelope.whatsapp.as_mut().expect("it has one").urgent = true;
    arrival
}

#[tokio::test]
async fn what_was_deleted_while_it_was_answered_gets_no_reply_not_even_the_last_that_makes_way() -> Result<()>
{
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    for (join, id, seq) in [(true, "a", 1), (false, "b", 3)] {
        take_in(db, AT_ONCE, &[arrival(id, "secret", 0, seq)]).await?;
        let turn = due(db, worker).await;
        let changes = [revoke(&format!("{id}2"), id, seq + 1)];
        assert_eq!(take_in(db, AT_ONCE, &changes).await?, [Intake::Changed]);
        let mut said = reply(&turn, "About your secret");
        said.join = join;
        assert!(matches!(store(db, worker, said).await?, Committed::Overtaken));
        assert_eq!(pending(db).await?, 0);
        assert!(claim(db, worker).await?.is_none());
    }
    let outgoing: i64 = sqlx::query_scalar("select count(*) from messages where direction = 'outgoing'")
        .fetch_one(db)
        .await?;
    let leased: bool = sqlx::query_scalar("select lease_owner is not null from conversation_states")
        .fetch_one(db)
        .await?;
    assert_eq!((outgoing, leased), (0, false));
    Ok(())
}

#[tokio::test]
async fn what_was_deleted_does_not_come_back_with_an_edit_of_the_same_second() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    take_in(db, PATIENT, &[arrival("a", "secret", 0, 1)]).await?;
    let edit = changed(arrival("a2", "a secret", 9, 3), Change::Edit { of: id_of("a") });
    let took = take_in(db, PATIENT, &[revoke("a3", "a", 2), edit]).await?;
    assert_eq!(took, [Intake::Changed, Intake::Known]);
    assert_eq!(pending(db).await?, 0);
    Ok(())
}

#[tokio::test]
async fn the_session_of_a_dead_worker_whose_only_message_was_deleted_stands_still_and_goes_on_later()
-> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    take_in(db, AT_ONCE, &[arrival("a", "secret", 0, 1)]).await?;
    due(db, WorkerId::new()).await;
    take_in(db, AT_ONCE, &[revoke("a2", "a", 2)]).await?;
    sqlx::query("update conversation_states set lease_expires_at = now() - interval '1 s'")
        .execute(db)
        .await?;
    let worker = WorkerId::new();
    assert!(claim(db, worker).await?.is_none());
    assert_eq!(pending(db).await?, 0);
    take_in(db, AT_ONCE, &[arrival("b", "Hello", 3, 3)]).await?;
    assert_eq!(texts(&due(db, worker).await), ["Hello"]);
    Ok(())
}

/// Needs longer than a worker waits between two looks at what was asked to stop.
struct Slow;

impl Agent for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    async fn run(&self, _: &Turn, reply: &mut Reply) -> Result<Outcome, AgentError> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        reply.say("Good morning.").await?;
        Ok(Outcome {
            state: json!({}),
            active_agent: "slow".into(),
            language: None,
            effects: Vec::new(),
            quick_replies: Vec::new(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_that_was_deleted_stops_nothing_any_more() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    take_in(
        db,
        PATIENT,
        &[
            arrival("a", "Hello", 0, 1),
            urgent(arrival("b", "chest pain", 1, 2)),
            revoke("b2", "b", 3),
        ],
    )
    .await?;
    sqlx::query("update conversation_states set run_at = now()")
        .execute(db)
        .await?;
    let _worker = in_process::worker_with(&deployment, Slow, |config| {
        config.lease_length = Duration::from_secs(1);
    });
    eventually("the rest is answered", async || {
        let answered = "select count(*) from messages where direction = 'outgoing'";
        let answered: i64 = sqlx::query_scalar(answered).fetch_one(db).await.ok()?;
        (answered == 1).then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_changed_into_an_emergency_asks_the_turn_that_runs_to_make_way() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(db, AT_ONCE, &[arrival("a", "chess pain", 0, 1)]).await?;
    let turn = due(db, worker).await;
    let edit = changed(arrival("a2", "chest pain", 1, 2), Change::Edit { of: id_of("a") });
    take_in(db, PATIENT, &[urgent(edit)]).await?;
    let held = [(turn.session, turn.epoch)];
    let renewed = db::turn::renew_leases(db, worker, LEASE, &held).await?;
    assert!(renewed[0].1 >= turn.last_stream_seq());
    let after = Duration::ZERO;
    db::turn::release(db, worker, &turn, Release::HandedOver { after }).await?;
    assert_eq!(texts(&due(db, worker).await), ["chest pain"]);
    Ok(())
}

#[tokio::test]
async fn an_emergency_does_not_wait_for_the_next_try_of_a_turn_that_has_failed() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(db, AT_ONCE, &[arrival("a", "Hello", 0, 1)]).await?;
    let turn = due(db, worker).await;
    take_in(db, PATIENT, &[urgent(arrival("b", "chest pain", 1, 2))]).await?;
    let after = Duration::from_secs(600);
    db::turn::release(db, worker, &turn, Release::Failed { after }).await?;
    assert_eq!(texts(&due(db, worker).await), ["Hello", "chest pain"]);
    Ok(())
}

#[tokio::test]
async fn whoever_writes_opens_the_window_also_where_the_edit_comes_first() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(db, AT_ONCE, &[arrival("a", "Hello", 0, 1)]).await?;
    let turn = due(db, worker).await;
    store(db, worker, reply(&turn, "Good morning.")).await?;
    // Who writes needs no template any more, either.
    for (seq, hold) in [
        (2, "update deliveries set status = 'held', error = '131047'"),
        (
            4,
            "update deliveries set status = 'queued', error = 'template', attempts = 1",
        ),
    ] {
        sqlx::query(hold).execute(db).await?;
        let (id, second) = (format!("b{seq}"), i64::try_from(seq)?);
        let edit = Change::Edit { of: id_of(&id) };
        let edit = changed(arrival(&format!("{id}2"), "Wednesday", second + 1, seq), edit);
        take_in(db, PATIENT, &[edit, arrival(&id, "Tuesday", second, seq + 1)]).await?;
        let part: (String, Option<String>, i32) =
            sqlx::query_as("select status, error, attempts from deliveries")
                .fetch_one(db)
                .await?;
        assert_eq!(part, ("queued".into(), None, 0), "{hold}");
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_message_that_was_deleted_is_not_run_again() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(
        db,
        AT_ONCE,
        &[arrival("a", "secret", 0, 1), arrival("b", "Hello", 1, 2)],
    )
    .await?;
    let turn = due(db, worker).await;
    let mut failed = reply(&turn, "Sorry.");
    failed.status = ReplyStatus::Failed;
    failed.error = Some("no_use".into());
    store(db, worker, failed).await?;
    take_in(db, AT_ONCE, &[revoke("a2", "a", 3)]).await?;
    assert_eq!(db::failed::retry(db, id_of("a")).await?, Retried::NotFailed);
    assert_eq!(db::failed::retry(db, id_of("b")).await?, Retried::Retried);
    assert_eq!(texts(&due(db, worker).await), ["Hello"]);
    assert_eq!(pending(db).await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_expired_session_begins_anew_and_keeps_what_is_held_for_its_visitor() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(db, AT_ONCE, &[arrival("a", "Hello", 0, 1)]).await?;
    let turn = due(db, worker).await;
    store(db, worker, reply(&turn, "Good morning.")).await?;
    sqlx::query("update deliveries set status = 'held', error = '131047'")
        .execute(db)
        .await?;
    sqlx::query("update conversation_states set locked_at = now() - interval '1 day'")
        .execute(db)
        .await?;
    db::session::clean_up(db).await?;
    let arrivals = [arrival("b", "Hello again", 90_000, 2)];
    let taken = db::intake::take_in(db, worker, &[], LEASE, TTL, AT_ONCE, &arrivals).await?;
    let turn = match taken[0].turn.clone() {
        Some(turn) => turn,
        None => due(db, worker).await,
    };
    assert!(turn.history.is_empty() && turn.active_agent.is_none());
    store(db, worker, reply(&turn, "Welcome back.")).await?;
    let outbox: Vec<(String, String)> =
        sqlx::query_as("select body, status from deliveries order by position")
            .fetch_all(db)
            .await?;
    let queued = |body: &str| (body.to_owned(), "queued".to_owned());
    assert_eq!(outbox, [queued("Good morning."), queued("Welcome back.")]);
    Ok(())
}

/// What a visitor does while a reply to them is refused.
#[derive(Clone, Copy)]
enum Visitor {
    Silent,
    Writes,
    ComesAgain,
}

/// What a late word does to a reply that is being sent meanwhile.
async fn held_or_sent(visitor: Visitor, template: bool, told_later: bool) -> Result<String> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(db, AT_ONCE, &[arrival("a", "Hello", 0, 1)]).await?;
    let turn = due(db, worker).await;
    store(db, worker, reply(&turn, "Good morning.")).await?;
    if template {
        let ask = "update deliveries set error = 'template'";
        sqlx::query(ask).execute(db).await?;
    }
    let rules = Settings::new(80, &Senders::default()).rules;
    let key = address().sender_key();
    let claimed = delivery::claim(db, &[(key.clone(), 1)], &[], true, &rules)
        .await?
        .remove(0);
    let settle = async |kind| {
        let settlement = Settlement {
            kind,
            code: Some("131047".into()),
            wait: Duration::ZERO,
            answered: true,
        };
        let settled = delivery::settle_claim(db, &claimed, Some(&key), &settlement, &rules).await?;
        anyhow::Ok(settled.unwrap_or_default())
    };
    let accepted = || Settled::Accepted("wamid.ours".into());
    if told_later {
        settle(accepted()).await?;
    }
    match visitor {
        Visitor::Silent => {}
        Visitor::Writes => {
            take_in(db, PATIENT, &[arrival("b", "Anybody there?", 90_000, 2)]).await?;
        }
        // Its provider has not heard that it had come.
        Visitor::ComesAgain => {
            take_in(db, PATIENT, &[arrival("a", "Hello", 0, 2)]).await?;
        }
    }
    if !told_later {
        let refused = Settled::Refused(Verdict::WindowClosed);
        return settle(if template { accepted() } else { refused }).await;
    }
    let told = Told {
        status: Status {
            provider: Provider::Meta,
            provider_id: "wamid.ours".into(),
            delivery: Some(claimed.id),
            state: DeliveryState::Failed,
            code: Some(131_047),
            at: OffsetDateTime::now_utc(),
        },
        verdict: Verdict::WindowClosed,
        waits: vec![Duration::ZERO],
    };
    match delivery::apply_statuses(db, &[told], &rules).await?.remove(0) {
        Applied::Now(_, status) => Ok(status),
        applied => bail!("{applied:?}"),
    }
}

#[tokio::test]
async fn a_reply_is_not_held_for_a_visitor_who_wrote_while_it_was_refused() -> Result<()> {
    for (template, told_later) in [(false, false), (false, true), (true, false)] {
        let case = format!("template: {template}, told later: {told_later}");
        for (visitor, status) in [
            (Visitor::Silent, "held"),
            (Visitor::ComesAgain, "held"),
            (Visitor::Writes, "queued"),
        ] {
            assert_eq!(
                held_or_sent(visitor, template, told_later).await?,
                status,
                "{case}"
            );
        }
    }
    Ok(())
}
