//! Answers that were given while PostgreSQL was away.

use anyhow::Result;
use e2e::{Deployment, store};
use shared::db::intake::{Arrival, Intake};
use shared::envelope::Answered;
use shared::event::EventExtra;
use shared::ids::WorkerId;
use time::OffsetDateTime;

use super::{arrival, take_in};

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
        let taken = take_in(&deployment.db, worker, batch).await;
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
