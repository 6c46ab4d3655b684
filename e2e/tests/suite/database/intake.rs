//! Intake: what is taken in, once and in order, and what it begins.

use anyhow::Result;
use e2e::{Deployment, eventually};
use serde_json::json;
use shared::db;
use shared::db::commit::NewReply;
use shared::db::intake::Intake;
use shared::ids::WorkerId;

use super::{LEASE, arrival, claim_due, reply, take_in};

#[tokio::test]
async fn a_message_that_comes_again_is_known_and_a_session_is_leased_once() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (one, two) = (WorkerId::new(), WorkerId::new());
    let batch = [
        arrival("a", "first", 1),
        arrival("b", "other", 2),
        arrival("a", "second", 3),
    ];
    let taken = take_in(&deployment.db, one, &batch).await?;
    assert!(taken.iter().all(|taken| taken.intake == Intake::Stored));
    assert_eq!(
        taken.iter().map(|taken| taken.user_created).collect::<Vec<_>>(),
        [true, true, false]
    );
    let turns: Vec<_> = taken
        .iter()
        .map(|taken| taken.turn.as_ref().map(|turn| turn.request.body.clone()))
        .collect();
    assert_eq!(turns, [Some("first".into()), Some("other".into()), None]);

    let again = take_in(&deployment.db, two, &batch).await?;
    assert!(
        again
            .iter()
            .all(|taken| taken.intake == Intake::Known && taken.turn.is_none() && !taken.user_created)
    );
    assert!(
        claim_due(&deployment.db, two).await?.is_empty(),
        "both are leased"
    );

    // Once the first worker's leases are over, another may have them, under the next epoch.
    sqlx::query("update conversation_states set lease_expires_at = now() - interval '1 s'")
        .execute(&deployment.db)
        .await?;
    // For some seconds after its own start PostgreSQL leaves expired leases to be renewed.
    let due = eventually("the leases are free", async || {
        let due = claim_due(&deployment.db, two).await.ok()?;
        (due.len() == 2).then_some(due)
    })
    .await;
    assert!(
        due.iter()
            .all(|turn| turn.epoch == 2 && turn.request.attempts == 2)
    );
    let held: Vec<_> = due.iter().map(|turn| (turn.session, 1)).collect();
    assert!(
        db::turn::renew_leases(&deployment.db, one, LEASE, &held)
            .await?
            .is_empty()
    );
    let held: Vec<_> = due.iter().map(|turn| (turn.session, 2)).collect();
    assert_eq!(
        db::turn::renew_leases(&deployment.db, two, LEASE, &held)
            .await?
            .len(),
        2
    );
    Ok(())
}

#[tokio::test]
async fn what_is_taken_in_late_takes_its_place_in_the_order_of_arrival() -> Result<()> {
    let deployment = Deployment::new().await?;
    let worker = WorkerId::new();
    for (content, stream_seq) in [("second", 2), ("third", 3), ("first", 1)] {
        take_in(&deployment.db, worker, &[arrival("a", content, stream_seq)]).await?;
    }
    for order in ["number", "position"] {
        let query = format!("select array_agg(body order by {order}) from messages");
        let bodies: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .fetch_one(&deployment.db)
            .await?;
        assert_eq!(bodies, ["first", "second", "third"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_steps_back_for_an_older_message_that_was_taken_in_after_it_had_begun() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (worker, nats) = (WorkerId::new(), deployment.nats().await?);
    let late = [arrival("a", "first", 1)];
    let taken = take_in(&deployment.db, worker, &[arrival("a", "second", 2)]).await?;
    let second = taken[0].turn.clone().unwrap();
    assert!(worker::order::is_oldest(&nats, &deployment.db, &second).await?);
    take_in(&deployment.db, WorkerId::new(), &late).await?;
    // The queue holds nothing: the older one has been acknowledged by now.
    assert!(!worker::order::is_oldest(&nats, &deployment.db, &second).await?);
    Ok(())
}

#[tokio::test]
async fn what_was_erased_is_not_taken_in_again() -> Result<()> {
    let deployment = Deployment::new().await?;
    let worker = WorkerId::new();
    take_in(&deployment.db, worker, &[arrival("a", "hello", 1)]).await?;
    sqlx::query("update conversation_states set erased_seq = 5")
        .execute(&deployment.db)
        .await?;
    let taken = take_in(
        &deployment.db,
        worker,
        &[arrival("a", "old", 5), arrival("a", "new", 6)],
    )
    .await?;
    assert_eq!(
        taken.iter().map(|taken| taken.intake).collect::<Vec<_>>(),
        [Intake::Erased, Intake::Stored]
    );
    Ok(())
}

#[tokio::test]
async fn an_intake_that_waited_for_a_commit_begins_the_next_turn_and_not_the_answered_one() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (one, two) = (WorkerId::new(), WorkerId::new());
    let first = [arrival("a", "first", 1)];
    let taken = take_in(&deployment.db, one, &first).await?;
    let answer = NewReply {
        go_on: false,
        ..reply(taken[0].turn.as_ref().unwrap(), "answer")
    };
    // The commit has the session's lock, and gives the lease back.
    let mut commit = deployment.db.begin().await?;
    sqlx::query("select outcome from commit_turns($1, $2, '10 s')")
        .bind(json!([answer]))
        .bind(one.0)
        .fetch_one(&mut *commit)
        .await?;
    let intake = tokio::spawn({
        let db = deployment.db.clone();
        let second = [arrival("a", "second", 2)];
        async move { take_in(&db, two, &second).await }
    });
    eventually("the intake waits for the commit", async || {
        let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        let waits: i64 = sqlx::query_scalar(waits).fetch_one(&deployment.db).await.ok()?;
        (waits > 0).then_some(())
    })
    .await;
    commit.commit().await?;
    let turn = intake.await??.remove(0).turn.expect("the lease is free");
    assert_eq!((turn.request.body.as_str(), turn.request.attempts), ("second", 1));
    assert_eq!(
        turn.state,
        json!({"seen": "answer"}),
        "the state is that of the commit"
    );
    assert!(turn.history.iter().any(|message| message.body == "answer"));
    Ok(())
}
