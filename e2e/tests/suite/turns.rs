//! What a worker does with agents that fail: workers in this process, with agents of our own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use e2e::{Deployment, sse, store};
use serde_json::json;
use worker::agents::{Agent, AgentError, Outcome, Reply, Turn};

use crate::in_process::{self, InProcess};

/// A worker that gives an agent little time.
fn worker_with(deployment: &Deployment, agent: impl Agent + 'static) -> InProcess {
    in_process::worker_with(deployment, agent, |config| {
        config.agent_deadline = Duration::from_millis(300);
    })
}

/// Says "Half a " and then does what the message asks for, so often as it says; after that it answers.
#[derive(Default)]
struct Moody {
    runs: AtomicUsize,
}

impl Agent for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    async fn run(&self, turn: &Turn, reply: &mut Reply) -> Result<Outcome, AgentError> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        let (what, often) = turn.requests[0]
            .content
            .split_once(' ')
            .unwrap_or(("answer", "0"));
        reply.say("Half a ").await?;
        if run < often.parse().unwrap_or(0) {
            match what {
                "fail" => return Err(AgentError::Fail { code: "no_use" }),
                "retry" => return Err(AgentError::Retry { code: "not_now" }),
                "panic" => panic!("as the test wants it"),
                "hang" => std::future::pending::<()>().await,
                _ => {}
            }
        }
        reply.say("sentence.").await?;
        Ok(Outcome {
            state: json!({}),
            active_agent: "moody".into(),
            language: None,
            effects: Vec::new(),
            quick_replies: vec!["Yes".into()],
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_fails_panics_or_hangs_is_run_again_and_the_reader_does_not_notice() -> Result<()> {
    for trouble in ["retry 1", "panic 2", "hang 1"] {
        let deployment = Deployment::new().await?;
        let api = deployment.api().await?;
        let _worker = worker_with(&deployment, Moody::default());
        let visitor = api.visitor();
        let events = visitor.say(trouble).await?;
        sse::assert_gapless(&events, 1);
        assert_eq!(sse::text(&events), "Half a sentence.", "{trouble}");
        assert_eq!(events.last().unwrap().data.extra.quick_replies, ["Yes"]);
        assert_eq!(
            store::requests(&deployment.db, visitor.session()).await[0].replies,
            ["Half a sentence."]
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_answered_ends_as_failed_and_the_next_one_runs() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let _worker = worker_with(&deployment, Moody::default());
    let visitor = api.visitor();
    let failing = visitor.stream("fail 1").await?;
    let next = visitor.stream("answer").await?;
    let failed = failing.all().await?;
    let error = failed.last().unwrap().data.extra.error.clone().unwrap();
    assert_eq!(error.code, "no_use");
    assert_eq!(sse::text(&next.all().await?), "Half a sentence.");
    let requests = store::requests(&deployment.db, visitor.session()).await;
    assert_eq!(
        (requests[0].status.as_str(), requests[0].replies.as_slice()),
        ("failed", &[sse::text(&failed)][..])
    );
    assert_eq!(requests[1].status, "answered");
    // Also where the journal has forgotten it.
    let nats = deployment.nats().await?;
    nats.jetstream
        .get_stream(nats.subjects.tokens_stream())
        .await?
        .purge()
        .await?;
    let from_start = shared::event::EventId {
        request: requests[0].id,
        seq: 0,
    };
    let stored = sse::EventStream::of(visitor.listen(Some(from_start)).await?)?
        .all()
        .await?;
    assert_eq!(
        stored.last().unwrap().data.extra.error.clone().unwrap().code,
        "no_use"
    );
    Ok(())
}
