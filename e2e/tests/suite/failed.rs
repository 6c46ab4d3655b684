//! Messages that were given up: listed, and run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use e2e::{Deployment, Visitor, sse, store};
use serde_json::{Value, json};
use shared::event::{EventId, RESET_STRIDE};
use shared::ids::RequestId;
use worker::agents::{Agent, AgentError, Outcome, Reply, Turn};

use crate::in_process;

/// Cannot answer "broken" until it is mended; says something else then.
#[derive(Clone, Default)]
struct Mendable(Arc<AtomicBool>);

impl Agent for Mendable {
    fn name(&self) -> &'static str {
        "mendable"
    }

    async fn run(&self, turn: &Turn, reply: &mut Reply) -> Result<Outcome, AgentError> {
        let mended = self.0.load(Ordering::SeqCst);
        for piece in if mended {
            ["Now ", "it ", "works."]
        } else {
            ["Half ", "a ", ""]
        } {
            reply.say(piece).await?;
        }
        if turn.requests[0].content == "broken" && !mended {
            return Err(AgentError::Fail { code: "out_of_order" });
        }
        Ok(Outcome {
            state: json!({}),
            active_agent: "mendable".into(),
            language: None,
            effects: Vec::new(),
            quick_replies: Vec::new(),
        })
    }
}

/// Whether a command of the worker's went well, and what it printed.
async fn command(deployment: &Deployment, args: &[&str]) -> Result<(bool, String)> {
    let mut command = deployment.command("worker", args).await?;
    let success = command.ended().await.success();
    Ok((success, command.log()))
}

async fn replay(visitor: &Visitor, request: RequestId, seq: u64) -> Result<Vec<sse::SseEvent>> {
    let position = EventId { request, seq };
    sse::EventStream::of(visitor.listen(Some(position)).await?)?
        .all()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_message_is_listed_and_runs_again_once_for_all_its_readers() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let (success, output) = command(&deployment, &["failed"]).await?;
    assert!(success && output.contains("No message has failed"), "{output}");

    let agent = Mendable::default();
    let _worker = in_process::worker_with(&deployment, agent.clone(), |_| {});
    let visitor = api.visitor();
    let failed = visitor.say("broken").await?;
    let (request, last) = (failed[0].id.request, failed.last().unwrap());
    assert_eq!(last.data.extra.error.as_ref().unwrap().code, "out_of_order");
    let next = visitor.say("fine").await?;
    assert_eq!(
        sse::text(&next),
        "Half a ",
        "the next message does not wait for it"
    );

    let (success, output) = command(&deployment, &["failed", "--limit", "1"]).await?;
    assert!(success, "{output}");
    let (request_text, session) = (request.to_string(), visitor.session());
    let line = output
        .lines()
        .find(|line| line.starts_with(&request_text))
        .unwrap();
    assert!(
        line.contains("error=out_of_order") && line.contains(&format!("session={session}")),
        "{line}"
    );
    for private in ["broken", "Half", &visitor.device] {
        assert!(!output.contains(private), "{output}");
    }

    agent.0.store(true, Ordering::SeqCst);
    let unknown = RequestId::new().to_string();
    let answered = next[0].id.request.to_string();
    let (success, output) = command(&deployment, &["retry", &unknown, &request_text, &answered]).await?;
    assert!(!success, "not all of them run again");
    for outcome in [
        format!("{unknown}: there is no such message"),
        format!("{request}: runs again"),
        format!("{answered}: has not failed"),
    ] {
        assert!(output.contains(&outcome), "{outcome} is not in: {output}");
    }

    let whole = replay(&visitor, request, 0).await?;
    assert_eq!(sse::text(&whole), "Now it works.");
    assert_eq!(whole[0].id.seq % RESET_STRIDE, 0);
    sse::assert_gapless(&whole, whole[0].id.seq);
    let end = &whole.last().unwrap().data.extra;
    assert!(end.error.is_none() && end.status.is_none(), "{end:?}");
    for seen in [1, last.id.seq] {
        let resumed = replay(&visitor, request, seen).await?;
        assert!(
            resumed[0].data.extra.reset,
            "what was shown at {seen} is to be cleared"
        );
        assert_eq!(sse::text(&resumed), "Now it works.");
    }
    let requests = store::requests(&deployment.db, visitor.session()).await;
    let stored: Vec<_> = requests
        .iter()
        .map(|request| (request.status.as_str(), request.replies.as_slice()))
        .collect();
    assert_eq!(
        stored,
        [
            ("answered", &["Now it works.".to_owned()][..]),
            ("answered", &["Half a ".to_owned()][..]),
        ]
    );
    let history = visitor.history().await?;
    let replies: Vec<&Value> = history
        .iter()
        .filter(|message| message["reply_to"] == json!(request))
        .collect();
    assert_eq!((replies.len(), history.len()), (1, 4));
    assert_eq!(
        (&replies[0]["content"], &replies[0]["status"]),
        (&json!("Now it works."), &json!("complete"))
    );

    // Also where the journal has forgotten it.
    let nats = deployment.nats().await?;
    nats.jetstream
        .get_stream(nats.subjects.tokens_stream())
        .await?
        .purge()
        .await?;
    let stored = replay(&visitor, request, 1).await?;
    assert!(stored[0].data.extra.reset && sse::text(&stored) == "Now it works.");

    let (success, output) = command(&deployment, &["retry", &request_text]).await?;
    assert!(!success && output.contains("has not failed"), "{output}");
    let (success, output) = command(&deployment, &["failed"]).await?;
    assert!(success && output.contains("No message has failed"), "{output}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_names_the_server_that_does_not_answer() -> Result<()> {
    let deployment = Deployment::new().await?;
    let id = RequestId::new().to_string();
    let no_queue = ["--nats-url", "nats://127.0.0.1:1", "retry", &id];
    let (success, output) = command(&deployment, &no_queue).await?;
    assert!(!success && output.contains("NATS_URL: "), "{output}");
    let no_database = [
        "--database-url",
        "postgres://nobody:secret@127.0.0.1:1/none",
        "retry",
        &id,
    ];
    let (success, output) = command(&deployment, &no_database).await?;
    assert!(
        !success && output.contains("DATABASE_URL: ") && !output.contains("secret"),
        "{output}"
    );
    Ok(())
}
