//! Intake, lease and commit against a real PostgreSQL, call by call.

use std::time::Duration;

use anyhow::Result;
use e2e::{Deployment, eventually, store};
use serde_json::json;
use shared::db;
use shared::db::commit::{Committed, NewReply, ReplyStatus};
use shared::db::turn::{Arrival, Intake, Release, Silent, TurnInput};
use shared::envelope::{Answered, Envelope};
use shared::event::EventExtra;
use shared::ids::{Channel, RequestId, SessionKey, WorkerId};
use time::OffsetDateTime;

const LEASE: Duration = Duration::from_secs(10);
const TTL: Duration = Duration::from_secs(3600);

fn arrival(device: &str, content: &str, stream_seq: u64) -> Arrival {
    Arrival {
        envelope: Envelope {
            content: content.into(),
            ..Envelope::new(
                RequestId::new(),
                SessionKey::derive(Channel::Web, device, None),
                Channel::Web,
                device,
                format!("chat_{device}"),
            )
        },
        stream_seq,
    }
}

fn reply(turn: &TurnInput, body: &str) -> NewReply {
    NewReply {
        connection_id: turn.session.connection_id(),
        epoch: turn.epoch,
        id: turn.request.id.reply_id(),
        reply_to: turn.request.id,
        requests: vec![turn.request.id],
        body: body.into(),
        first_seq: 1,
        piece_ends: vec![body.len()],
        status: ReplyStatus::Complete,
        error: None,
        final_fields: json!({}),
        final_said: false,
        state: Some(json!({"seen": body})),
        active_agent: Some("moody".into()),
        effects: vec![json!({"type": "consent", "id": turn.request.id, "text_version": "1", "given": true})],
        go_on: true,
    }
}

#[tokio::test]
async fn a_message_that_comes_again_is_known_and_a_session_is_leased_once() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (one, two) = (WorkerId::new(), WorkerId::new());
    let batch = [
        arrival("a", "first", 1),
        arrival("b", "other", 2),
        arrival("a", "second", 3),
    ];
    let taken = db::turn::take_in(&deployment.db, one, &[], LEASE, TTL, &batch).await?;
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

    let again = db::turn::take_in(&deployment.db, two, &[], LEASE, TTL, &batch).await?;
    assert!(
        again
            .iter()
            .all(|taken| taken.intake == Intake::Known && taken.turn.is_none() && !taken.user_created)
    );
    assert!(
        db::turn::claim_due(&deployment.db, two, &[], LEASE, 10, &Silent::default())
            .await?
            .is_empty(),
        "both are leased"
    );

    // Once the first worker's leases are over, another may have them, under the next epoch.
    sqlx::query("update conversation_states set lease_expires_at = now() - interval '1 s'")
        .execute(&deployment.db)
        .await?;
    // For some seconds after its own start PostgreSQL leaves expired leases to be renewed.
    let due = eventually("the leases are free", async || {
        let due = db::turn::claim_due(&deployment.db, two, &[], LEASE, 10, &Silent::default())
            .await
            .ok()?;
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
async fn a_commit_is_fenced_by_owner_and_epoch_and_may_be_repeated() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (one, two) = (WorkerId::new(), WorkerId::new());
    let batch = [arrival("a", "first", 1), arrival("a", "second", 2)];
    let mut taken = db::turn::take_in(&deployment.db, one, &[], LEASE, TTL, &batch).await?;
    let first = taken.remove(0).turn.unwrap();
    let commit = async |worker, reply: NewReply| {
        anyhow::Ok(
            db::commit::store(&deployment.db, worker, LEASE, &[reply])
                .await?
                .remove(0),
        )
    };

    assert!(matches!(
        commit(two, reply(&first, "not mine")).await?,
        Committed::Lost
    ));
    let late = NewReply {
        epoch: 7,
        ..reply(&first, "another epoch")
    };
    assert!(matches!(commit(one, late).await?, Committed::Lost));
    assert_eq!(
        store::count(
            &deployment.db,
            "select count(*) from messages where direction = 'outgoing'"
        )
        .await,
        0
    );

    let Committed::Stored {
        next: Some(second),
        lock,
        stopped: false,
    } = commit(one, reply(&first, "one")).await?
    else {
        panic!("the second message waits")
    };
    assert_eq!(second.request.body, "second");
    assert_eq!(second.state, json!({"seen": "one"}));
    assert_eq!(
        second
            .history
            .iter()
            .map(|message| message.body.as_str())
            .collect::<Vec<_>>(),
        ["first", "one"]
    );
    assert!(second.user.consented);
    assert_eq!(lock.unwrap().0, 3600);
    // The answer was lost, and the commit is repeated.
    assert!(matches!(
        commit(one, reply(&first, "one")).await?,
        Committed::Stored { next: Some(_), .. }
    ));

    let last = NewReply {
        effects: Vec::new(),
        ..reply(&second, "two")
    };
    assert!(matches!(
        commit(one, last.clone()).await?,
        Committed::Stored { next: None, .. }
    ));
    assert!(matches!(
        commit(one, last).await?,
        Committed::Stored { next: None, .. }
    ));
    assert_eq!(
        store::count(
            &deployment.db,
            "select count(*) from messages where direction = 'outgoing'"
        )
        .await,
        2
    );
    assert_eq!(
        store::count(&deployment.db, "select count(*) from consents").await,
        1
    );
    let idle = "select count(*) from conversation_states where lease_owner is null and pending = 0";
    assert_eq!(store::count(&deployment.db, idle).await, 1);
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_given_back_waits_and_a_hand_over_costs_no_attempt() -> Result<()> {
    let deployment = Deployment::new().await?;
    let worker = WorkerId::new();
    let taken = db::turn::take_in(
        &deployment.db,
        worker,
        &[],
        LEASE,
        TTL,
        &[arrival("a", "hello", 1)],
    )
    .await?;
    let turn = taken[0].turn.clone().unwrap();
    let an_hour = Duration::from_secs(3600);
    assert!(db::turn::release(&deployment.db, worker, &turn, Release::Failed { after: an_hour }).await?);
    assert!(
        !db::turn::release(&deployment.db, worker, &turn, Release::Failed { after: an_hour }).await?,
        "only once"
    );
    assert!(
        db::turn::claim_due(&deployment.db, worker, &[], LEASE, 10, &Silent::default())
            .await?
            .is_empty(),
        "it waits"
    );
    sqlx::query("update conversation_states set run_at = now()")
        .execute(&deployment.db)
        .await?;
    let turn = db::turn::claim_due(&deployment.db, worker, &[], LEASE, 10, &Silent::default())
        .await?
        .remove(0);
    assert_eq!(turn.request.attempts, 2);
    assert!(
        db::turn::release(
            &deployment.db,
            worker,
            &turn,
            Release::HandedOver {
                after: Duration::ZERO
            }
        )
        .await?
    );
    let turn = db::turn::claim_due(&deployment.db, worker, &[], LEASE, 10, &Silent::default())
        .await?
        .remove(0);
    assert_eq!(turn.request.attempts, 2);
    Ok(())
}

#[tokio::test]
async fn what_is_taken_in_late_takes_its_place_in_the_order_of_arrival() -> Result<()> {
    let deployment = Deployment::new().await?;
    let worker = WorkerId::new();
    for (content, stream_seq) in [("second", 2), ("third", 3), ("first", 1)] {
        db::turn::take_in(
            &deployment.db,
            worker,
            &[],
            LEASE,
            TTL,
            &[arrival("a", content, stream_seq)],
        )
        .await?;
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
    let taken = db::turn::take_in(
        &deployment.db,
        worker,
        &[],
        LEASE,
        TTL,
        &[arrival("a", "second", 2)],
    )
    .await?;
    let second = taken[0].turn.clone().unwrap();
    assert!(worker::order::is_oldest(&nats, &deployment.db, &second).await?);
    db::turn::take_in(&deployment.db, WorkerId::new(), &[], LEASE, TTL, &late).await?;
    // The queue holds nothing: the older one has been acknowledged by now.
    assert!(!worker::order::is_oldest(&nats, &deployment.db, &second).await?);
    Ok(())
}

#[tokio::test]
async fn what_was_erased_is_not_taken_in_again() -> Result<()> {
    let deployment = Deployment::new().await?;
    let worker = WorkerId::new();
    db::turn::take_in(
        &deployment.db,
        worker,
        &[],
        LEASE,
        TTL,
        &[arrival("a", "hello", 1)],
    )
    .await?;
    sqlx::query("update conversation_states set erased_seq = 5")
        .execute(&deployment.db)
        .await?;
    let taken = db::turn::take_in(
        &deployment.db,
        worker,
        &[],
        LEASE,
        TTL,
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
async fn many_intakes_and_commits_at_once_do_not_deadlock() -> Result<()> {
    let deployment = Deployment::new().await?;
    let mut tasks = tokio::task::JoinSet::new();
    for round in 0..8_u64 {
        let db = deployment.db.clone();
        tasks.spawn(async move {
            let worker = WorkerId::new();
            let devices: Vec<u64> = if round % 2 == 0 {
                (0..20).collect()
            } else {
                (0..20).rev().collect()
            };
            for step in 0..5 {
                let batch: Vec<_> = devices
                    .iter()
                    .map(|device| arrival(&device.to_string(), "x", round * 1000 + step * 100 + device))
                    .collect();
                let taken = db::turn::take_in(&db, worker, &[], LEASE, TTL, &batch).await?;
                let replies: Vec<_> = taken
                    .iter()
                    .filter_map(|taken| taken.turn.as_ref())
                    .map(|turn| NewReply {
                        go_on: false,
                        effects: Vec::new(),
                        ..reply(turn, "y")
                    })
                    .collect();
                db::commit::store(&db, worker, LEASE, &replies).await?;
            }
            Ok::<_, sqlx::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let wrong = "select count(*) from conversation_states s where pending <> (
        select count(*) from messages m where m.connection_id = s.connection_id and m.status = 'pending')";
    assert_eq!(
        store::count(&deployment.db, wrong).await,
        0,
        "pending counts what is pending"
    );
    Ok(())
}

#[tokio::test]
async fn a_reply_is_stored_as_stopped_unless_its_final_event_said_something_else() -> Result<()> {
    let deployment = Deployment::new().await?;
    let worker = WorkerId::new();
    for (device, final_said, status) in [("a", false, "stopped"), ("b", true, "complete")] {
        let batch = [arrival(device, "Hello", 1)];
        let taken = db::turn::take_in(&deployment.db, worker, &[], LEASE, TTL, &batch).await?;
        let turn = taken[0].turn.as_ref().unwrap();
        let asked = "update conversation_states set stopped_seq = 1 where connection_id = $1";
        sqlx::query(asked)
            .bind(turn.session.connection_id())
            .execute(&deployment.db)
            .await?;
        let whole = NewReply {
            final_said,
            ..reply(turn, "whole")
        };
        // Twice: the first answer may have been lost.
        for _ in 0..2 {
            let committed =
                db::commit::store(&deployment.db, worker, LEASE, std::slice::from_ref(&whole)).await?;
            let Committed::Stored { stopped, .. } = &committed[0] else {
                panic!("the lease was lost");
            };
            assert_eq!(*stopped, status == "stopped");
        }
        let stored: String = sqlx::query_scalar("select status from messages where id = $1")
            .bind(whole.id)
            .fetch_one(&deployment.db)
            .await?;
        assert_eq!(stored, status);
    }
    Ok(())
}

#[tokio::test]
async fn an_intake_that_waited_for_a_commit_begins_the_next_turn_and_not_the_answered_one() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (one, two) = (WorkerId::new(), WorkerId::new());
    let first = [arrival("a", "first", 1)];
    let taken = db::turn::take_in(&deployment.db, one, &[], LEASE, TTL, &first).await?;
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
        async move { db::turn::take_in(&db, two, &[], LEASE, TTL, &second).await }
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

/// An answer to `asked` that was given while PostgreSQL was away, as it comes off the queue at `stream_seq`.
fn answered(asked: &Arrival, text: &str, stream_seq: u64) -> Arrival {
    let mut envelope = asked.envelope.clone();
    envelope.answered = Some(Answered {
        stream_seq: asked.stream_seq,
        id: envelope.request_id.reply_id(),
        body: text.into(),
        first_seq: 1,
        piece_ends: vec![text.len()],
        final_fields: EventExtra {
            degraded: true,
            ..EventExtra::default()
        },
        at: OffsetDateTime::now_utc(),
    });
    Arrival { envelope, stream_seq }
}

#[tokio::test]
async fn an_answer_from_without_the_database_counts_only_where_its_request_is_new() -> Result<()> {
    let deployment = Deployment::new().await?;
    let worker = WorkerId::new();
    let take = async |batch: &[Arrival]| {
        let taken = db::turn::take_in(&deployment.db, worker, &[], LEASE, TTL, batch).await;
        taken.map(|taken| {
            let runs = taken.iter().filter(|taken| taken.turn.is_some()).count();
            (taken.iter().map(|taken| taken.intake).collect::<Vec<_>>(), runs)
        })
    };
    let stored = async |asked: &Arrival| {
        let request = store::requests(&deployment.db, asked.envelope.session)
            .await
            .remove(0);
        (request.status, request.replies)
    };
    let text = || vec!["degraded".to_owned()];

    let first = arrival("first", "before its request", 1);
    let late = answered(&first, "degraded", 11);
    assert_eq!(
        take(std::slice::from_ref(&late)).await?,
        (vec![Intake::Stored], 0)
    );
    assert_eq!(take(&[first.clone(), late]).await?, (vec![Intake::Known; 2], 0));
    assert_eq!(stored(&first).await, ("answered".into(), text()));

    let second = arrival("second", "with its request", 2);
    let batch = [second.clone(), answered(&second, "degraded", 12)];
    assert_eq!(take(&batch).await?.1, 0, "there is nothing to run");
    assert_eq!(stored(&second).await, ("answered".into(), text()));

    let third = arrival("third", "after its request", 3);
    assert_eq!(
        take(std::slice::from_ref(&third)).await?,
        (vec![Intake::Stored], 1)
    );
    assert_eq!(
        take(&[answered(&third, "degraded", 13)]).await?,
        (vec![Intake::Known], 0)
    );
    assert_eq!(
        stored(&third).await,
        ("pending".into(), vec![]),
        "its turn counts"
    );
    Ok(())
}

#[tokio::test]
async fn the_session_of_a_silent_worker_is_taken_unless_it_has_renewed_it_since() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (silent, other) = (WorkerId::new(), WorkerId::new());
    let batch = [arrival("a", "first", 1)];
    let taken = db::turn::take_in(&deployment.db, silent, &[], LEASE, TTL, &batch).await?;
    let turn = taken[0].turn.clone().unwrap();
    let since = async || -> Result<Silent> {
        Ok(Silent {
            workers: vec![silent],
            at: Some(db::turn::clock(&deployment.db).await?),
        })
    };
    let before = since().await?;
    // It was only cut off, and is back.
    let held = [(turn.session, turn.epoch)];
    assert_eq!(
        db::turn::renew_leases(&deployment.db, silent, LEASE, &held)
            .await?
            .len(),
        1
    );
    let claim =
        async |silent: &Silent| db::turn::claim_due(&deployment.db, other, &[], LEASE, 10, silent).await;
    assert!(claim(&before).await?.is_empty());
    let claimed = claim(&since().await?).await?;
    assert_eq!(claimed[0].epoch, turn.epoch + 1);
    assert!(
        db::turn::renew_leases(&deployment.db, silent, LEASE, &held)
            .await?
            .is_empty()
    );
    Ok(())
}
