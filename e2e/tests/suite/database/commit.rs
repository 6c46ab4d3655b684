//! Commit and lease: who may store, what is stored, and whose a session is.

use std::time::Duration;

use anyhow::Result;
use e2e::{Deployment, store};
use serde_json::json;
use shared::db;
use shared::db::commit::{Committed, NewReply};
use shared::db::turn::{Release, Silent};
use shared::ids::WorkerId;

use super::{LEASE, arrival, claim_due, reply, take_in};

#[tokio::test]
async fn a_commit_is_fenced_by_owner_and_epoch_and_may_be_repeated() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (one, two) = (WorkerId::new(), WorkerId::new());
    let batch = [arrival("a", "first", 1), arrival("a", "second", 2)];
    let mut taken = take_in(&deployment.db, one, &batch).await?;
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
        language: Some("de".into()),
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

    let languages = "select count(*) from users where language is not null";
    assert_eq!(store::count(&deployment.db, languages).await, 0);

    let in_turkish = NewReply {
        language: Some("tr".into()),
        ..reply(&first, "one")
    };
    let Committed::Stored {
        next: Some(second),
        lock,
        stopped: false,
    } = commit(one, in_turkish.clone()).await?
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
    assert_eq!(second.user.language.as_deref(), Some("tr"));
    assert_eq!(lock.unwrap().0, 3600);
    // The answer was lost, and the commit is repeated.
    assert!(matches!(
        commit(one, in_turkish).await?,
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
    let taken = take_in(&deployment.db, worker, &[arrival("a", "hello", 1)]).await?;
    let turn = taken[0].turn.clone().unwrap();
    let an_hour = Duration::from_secs(3600);
    assert!(db::turn::release(&deployment.db, worker, &turn, Release::Failed { after: an_hour }).await?);
    assert!(
        !db::turn::release(&deployment.db, worker, &turn, Release::Failed { after: an_hour }).await?,
        "only once"
    );
    assert!(claim_due(&deployment.db, worker).await?.is_empty(), "it waits");
    sqlx::query("update conversation_states set run_at = now()")
        .execute(&deployment.db)
        .await?;
    let turn = claim_due(&deployment.db, worker).await?.remove(0);
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
    let turn = claim_due(&deployment.db, worker).await?.remove(0);
    assert_eq!(turn.request.attempts, 2);
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
                let taken = take_in(&db, worker, &batch).await?;
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
        let taken = take_in(&deployment.db, worker, &batch).await?;
        let turn = taken[0].turn.as_ref().unwrap();
        let asked = "update conversation_states set stopped_seq = 1 where connection_id = $1";
        sqlx::query(asked)
            .bind(turn.session.connection_id())
            .execute(&deployment.db)
            .await?;
        let whole = NewReply {
            final_said,
            language: Some("tr".into()),
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
        let stored: (String, Option<String>) = sqlx::query_as(
            "select m.status, u.language from messages m join users u on u.id = m.user_id where m.id = $1",
        )
        .bind(whole.id)
        .fetch_one(&deployment.db)
        .await?;
        let language = final_said.then(|| "tr".to_owned());
        assert_eq!(stored, (status.to_owned(), language));
    }
    Ok(())
}

#[tokio::test]
async fn the_session_of_a_silent_worker_is_taken_unless_it_has_renewed_it_since() -> Result<()> {
    let deployment = Deployment::new().await?;
    let (silent, other) = (WorkerId::new(), WorkerId::new());
    let batch = [arrival("a", "first", 1)];
    let taken = take_in(&deployment.db, silent, &batch).await?;
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
