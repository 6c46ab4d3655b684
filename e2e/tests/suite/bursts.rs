//! WhatsApp's turns against a real PostgreSQL, call by call: bursts, messages that are changed afterwards, the outbox.

use std::time::Duration;

use anyhow::Result;
use e2e::Deployment;
use shared::db;
use shared::db::commit::Committed;
use shared::db::intake::Intake;
use shared::db::turn::Release;
use shared::ids::WorkerId;
use shared::whatsapp::{Address, Change, Recipient};
use uuid::Uuid;

use crate::whatsapp_calls::{
    AT_ONCE, LEASE, PATIENT, TTL, address, arrival, changed, claim, due, id_of, pending, reply, rows, store,
    take_in, texts,
};

#[tokio::test]
async fn a_burst_waits_for_its_end_and_gets_one_reply_in_the_order_in_which_it_was_written() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(
        db,
        PATIENT,
        &[arrival("b", "an appointment", 1, 1), arrival("a", "I want", 0, 2)],
    )
    .await?;
    assert!(
        claim(db, worker).await?.is_none(),
        "the visitor may still be writing"
    );
    take_in(db, AT_ONCE, &[arrival("c", "for veneers", 2, 3)]).await?;

    let turn = due(db, worker).await;
    assert_eq!(texts(&turn), ["I want", "an appointment", "for veneers"]);
    assert_eq!(turn.address, Some(address()));
    let stored = store(db, worker, reply(&turn, "Gladly.")).await?;
    assert!(matches!(stored, Committed::Stored { .. }));
    assert_eq!(pending(db).await?, 0);
    let answered: Vec<(Uuid, Option<Uuid>)> =
        sqlx::query_as("select id, answered_by from messages where status = 'answered' order by sent_at")
            .fetch_all(db)
            .await?;
    let [a, b, c] = [id_of("a").0, id_of("b").0, id_of("c").0];
    assert_eq!(answered, [(a, Some(c)), (b, Some(c)), (c, None)]);
    let outbox: Vec<(String, String, String)> =
        sqlx::query_as("select body, status, answers from deliveries")
            .fetch_all(db)
            .await?;
    assert_eq!(outbox, [("Gladly.".into(), "queued".into(), "c".into())]);

    let again = take_in(db, AT_ONCE, &[arrival("a", "I want", 0, 9)]).await?;
    assert_eq!((again, pending(db).await?), (vec![Intake::Known], 0));
    Ok(())
}

#[tokio::test]
async fn an_emergency_is_not_held_and_what_runs_makes_way_for_it() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(db, AT_ONCE, &[arrival("a", "Hello", 0, 1)]).await?;
    let turn = due(db, worker).await;
    let mut urgent = arrival("b", "chest pain", 1, 2);
    urgent.envelope.whatsapp.as_mut().expect("it has one").urgent = true;
    take_in(db, PATIENT, &[urgent, arrival("c", "help", 2, 3)]).await?;
    let held = [(turn.session, turn.epoch)];
    let renewed = db::turn::renew_leases(db, worker, LEASE, &held).await?;
    assert!(
        renewed[0].1 >= turn.last_stream_seq(),
        "the running turn is asked to stop"
    );
    let after = Duration::ZERO;
    db::turn::release(db, worker, &turn, Release::HandedOver { after }).await?;
    let turn = due(db, worker).await;
    assert_eq!(texts(&turn), ["Hello", "chest pain", "help"]);
    assert_eq!(turn.request.attempts, 1);
    Ok(())
}

#[tokio::test]
async fn a_reply_that_is_overtaken_is_not_stored_and_the_next_one_covers_everything() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(db, AT_ONCE, &[arrival("a", "Hello", 0, 1)]).await?;
    let turn = due(db, worker).await;
    take_in(db, AT_ONCE, &[arrival("b", "I am John", 1, 2)]).await?;
    assert!(matches!(
        store(db, worker, reply(&turn, "Who?")).await?,
        Committed::Overtaken
    ));
    let turn = due(db, worker).await;
    assert_eq!(texts(&turn), ["Hello", "I am John"]);
    assert_eq!(turn.request.attempts, 1, "to be overtaken is no failure");

    // Nor is what the visitor has changed meanwhile answered as it was.
    let edit = changed(arrival("b2", "I am Jane", 5, 3), Change::Edit { of: id_of("b") });
    assert_eq!(take_in(db, AT_ONCE, &[edit]).await?, [Intake::Changed]);
    assert!(matches!(
        store(db, worker, reply(&turn, "Hello John")).await?,
        Committed::Overtaken
    ));
    let turn = due(db, worker).await;
    assert_eq!(texts(&turn), ["Hello", "I am Jane"]);

    // At some time it has to be sent.
    take_in(db, AT_ONCE, &[arrival("c", "Hello?", 6, 4)]).await?;
    let mut last = reply(&turn, "Hello Jane");
    last.join = false;
    assert!(matches!(store(db, worker, last).await?, Committed::Stored { .. }));
    assert_eq!(texts(&due(db, worker).await), ["Hello?"]);
    let bodies: Vec<String> = sqlx::query_scalar("select body from deliveries")
        .fetch_all(db)
        .await?;
    assert_eq!(bodies, ["Hello Jane"]);
    Ok(())
}

#[tokio::test]
async fn a_change_of_an_answered_message_is_answered_and_one_that_comes_twice_or_too_late_is_not()
-> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(db, AT_ONCE, &[arrival("a", "Tuesday", 0, 1)]).await?;
    let turn = due(db, worker).await;
    store(db, worker, reply(&turn, "Tuesday it is.")).await?;

    let edit = changed(arrival("a2", "Wednesday", 9, 2), Change::Edit { of: id_of("a") });
    let older = changed(arrival("a1", "Thursday", 5, 3), Change::Edit { of: id_of("a") });
    let took = take_in(db, AT_ONCE, &[edit.clone(), edit, older]).await?;
    assert_eq!(took, [Intake::Changed, Intake::Known, Intake::Known]);
    let turn = due(db, worker).await;
    assert_eq!(texts(&turn), ["Wednesday"]);
    assert_eq!(
        turn.history[0].body, "Wednesday",
        "the first message has changed, too"
    );
    store(db, worker, reply(&turn, "Wednesday it is.")).await?;
    assert_eq!(pending(db).await?, 0);

    // The next changes concern what the first one left, too: one message waits, and nothing of before is kept.
    let friday = changed(arrival("a4", "Friday", 12, 4), Change::Edit { of: id_of("a") });
    let monday = changed(arrival("a5", "Monday", 15, 5), Change::Edit { of: id_of("a") });
    let took = take_in(db, AT_ONCE, &[friday, monday]).await?;
    assert_eq!(took, [Intake::Changed, Intake::Changed]);
    let row = |body: &str, status: &str| (body.to_owned(), status.to_owned());
    let texts_now = [
        row("Monday", "answered"),
        row("", "answered"),
        row("Monday", "pending"),
    ];
    assert_eq!((rows(db).await?, pending(db).await?), (texts_now.to_vec(), 1));
    let turn = due(db, worker).await;
    let revoke = changed(arrival("a6", "", 18, 6), Change::Revoke { of: id_of("a") });
    assert_eq!(take_in(db, AT_ONCE, &[revoke]).await?, [Intake::Changed]);
    let said = store(db, worker, reply(&turn, "Monday it is.")).await?;
    assert!(matches!(said, Committed::Overtaken));
    assert_eq!(
        (rows(db).await?, pending(db).await?),
        (vec![row("", "answered"); 3], 0)
    );
    Ok(())
}

#[tokio::test]
async fn a_turn_that_waited_for_its_order_may_still_be_overtaken_and_a_change_overtakes_the_last_one_too()
-> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    take_in(db, AT_ONCE, &[arrival("a", "Tuesday", 0, 1)]).await?;
    for _ in 0..5 {
        let turn = due(db, worker).await;
        let after = Duration::ZERO;
        db::turn::release(db, worker, &turn, Release::HandedOver { after }).await?;
    }
    let turn = due(db, worker).await;
    assert!(turn.request.turns > 5 && turn.request.overtaken == 0);
    let edit = changed(arrival("a2", "Wednesday", 1, 2), Change::Edit { of: id_of("a") });
    take_in(db, AT_ONCE, &[edit]).await?;
    let mut last = reply(&turn, "Tuesday it is.");
    last.join = false;
    assert!(matches!(store(db, worker, last).await?, Committed::Overtaken));
    let turn = due(db, worker).await;
    assert_eq!((texts(&turn), turn.request.overtaken), (vec!["Wednesday"], 1));
    Ok(())
}

#[tokio::test]
async fn a_deleted_message_is_forgotten_and_not_answered() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    let revoke = |id: &str, of: &str, seq| changed(arrival(id, "", 9, seq), Change::Revoke { of: id_of(of) });
    take_in(
        db,
        PATIENT,
        &[arrival("a", "secret", 0, 1), arrival("b", "Hello", 1, 2)],
    )
    .await?;
    assert_eq!(
        take_in(db, AT_ONCE, &[revoke("a2", "a", 3)]).await?,
        [Intake::Changed]
    );
    assert_eq!(pending(db).await?, 1);
    let turn = due(db, worker).await;
    assert_eq!(texts(&turn), ["Hello"]);
    store(db, worker, reply(&turn, "Hello!")).await?;

    // An answered one leaves an empty place.
    take_in(db, AT_ONCE, &[revoke("b2", "b", 4)]).await?;
    let empty = ("".to_owned(), "answered".to_owned());
    assert_eq!(rows(db).await?, [empty.clone(), empty]);
    assert!(claim(db, worker).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_change_that_comes_before_its_message_is_what_the_message_says() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    let worker = WorkerId::new();
    let edit = changed(arrival("a2", "Wednesday", 9, 1), Change::Edit { of: id_of("a") });
    let revoke = changed(arrival("b2", "", 9, 2), Change::Revoke { of: id_of("b") });
    take_in(db, PATIENT, &[edit, revoke]).await?;
    let late = [arrival("a", "Tuesday", 0, 3), arrival("b", "secret", 1, 4)];
    assert_eq!(take_in(db, AT_ONCE, &late).await?, [Intake::Known, Intake::Known]);
    // In one call, too, and the other way round.
    let both = [
        changed(arrival("c2", "four", 9, 6), Change::Edit { of: id_of("c") }),
        arrival("c", "three", 2, 5),
    ];
    db::intake::take_in(db, WorkerId::new(), &[], LEASE, TTL, AT_ONCE, &both).await?;
    sqlx::query("update conversation_states set lease_owner = null, lease_expires_at = null")
        .execute(db)
        .await?;
    let turn = due(db, worker).await;
    assert_eq!(
        texts(&turn),
        ["four", "Wednesday"],
        "by the time of their last change"
    );
    Ok(())
}

#[tokio::test]
async fn a_message_whose_id_is_known_from_another_session_is_a_repetition() -> Result<()> {
    let deployment = Deployment::new().await?;
    let db = &deployment.db;
    take_in(db, PATIENT, &[arrival("a", "Hello", 0, 1)]).await?;
    let mut again = arrival("a", "Hello", 0, 2);
    let address = Address {
        to: Recipient::UserId("IN.2081".into()),
        ..address()
    };
    again.envelope.session = address.session();
    again.envelope.request_id = address.request("a");
    again.envelope.phone_number = address.to.phone_number();
    again.envelope.device = address.device();
    assert_eq!(take_in(db, PATIENT, &[again]).await?, [Intake::Known]);
    let numbers: Vec<Option<String>> =
        sqlx::query_scalar("select phone_number from users order by phone_number")
            .fetch_all(db)
            .await?;
    assert_eq!(numbers, [Some("+16505551234".into()), None]);
    Ok(())
}
