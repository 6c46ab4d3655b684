//! Erasing a conversation: nothing of it is left, and nobody waits for it in vain.

use anyhow::Result;
use e2e::client::identity_hash;
use e2e::{Deployment, Visitor, sse, store};
use reqwest::Method;
use serde_json::json;

/// So slow that a reply is always caught in the middle.
const SLOW: &[(&str, &str)] = &[
    ("OFFLINE_TOKEN_DELAY_MS", "300"),
    ("TOKEN_INTERVAL", "0s"),
    ("LEASE_LENGTH", "2s"),
];

async fn erase(visitor: &Visitor) -> Result<u16> {
    let response = visitor.request(Method::DELETE, "/chat/history").send().await?;
    Ok(response.status().as_u16())
}

/// Messages of a session in the queue, the journal and the dead stream.
async fn in_streams(deployment: &Deployment, visitor: &Visitor) -> Result<Vec<String>> {
    let nats = deployment.nats().await?;
    let (subjects, session) = (&nats.subjects, visitor.session());
    let mut found = Vec::new();
    for (stream, subject) in [
        (
            subjects.chat_stream(),
            subjects.incoming(shared::ids::Channel::Web, session),
        ),
        (subjects.tokens_stream(), subjects.all_tokens_of(session)),
        (subjects.dead_stream(), subjects.all_dead_of(session)),
    ] {
        for stored in shared::journal::messages(&nats, &stream, &subject, 0).await? {
            found.push(String::from_utf8(stored.message.payload.to_vec())?);
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_conversation_ends_its_readers_and_leaves_nothing() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let quick = deployment.worker().await?;
    let (visitor, stranger) = (api.visitor(), api.visitor());
    stranger.say("Hello").await?;
    for message in [
        "Hi! My name is John Doe and I need help with hair transplant, call me on +44 20 7946 0958 next Tuesday afternoon",
        "yes",
        "yes",
    ] {
        visitor.say(message).await?;
    }
    assert_eq!(
        store::count(&deployment.db, "select count(*) from consultations").await,
        1
    );
    drop(quick);
    let _slow = deployment.worker_with(SLOW).await?;
    let mut running = visitor.stream("Hello").await?;
    let mut running_events = vec![running.next().await?.unwrap(), running.next().await?.unwrap()];
    let mut waiting = visitor.stream("Where are you?").await?;
    // From then on it is stored: what is still in the queue is another case.
    let queued = waiting.next().await?.unwrap();
    assert_eq!(queued.data.extra.ahead, Some(1));

    assert_eq!(erase(&visitor).await?, 204);
    running_events.extend(running.all().await?);
    for events in [running_events, waiting.all().await?] {
        let last = &events.last().unwrap().data.extra;
        assert_eq!(last.error.as_ref().unwrap().code, "erased");
        assert!(last.reset, "what was shown is to be cleared");
    }
    assert!(visitor.history().await?.is_empty());
    assert_eq!(visitor.listen(None).await?.status(), 204, "nothing to show");
    for (table, left) in [("messages", 2), ("consultations", 0), ("consents", 0)] {
        let query: &'static str = match table {
            "messages" => "select count(*) from messages",
            "consultations" => "select count(*) from consultations",
            _ => "select count(*) from consents",
        };
        assert_eq!(
            store::count(&deployment.db, query).await,
            left,
            "{table}: the stranger's only"
        );
    }
    let known = "select count(*) from users where name is not null or language is not null";
    assert_eq!(
        store::count(&deployment.db, known).await,
        1,
        "the stranger's language"
    );
    let left = in_streams(&deployment, &visitor).await?;
    assert!(
        left.iter().all(|payload| payload.contains("\"erased\"")),
        "{left:?}"
    );
    assert_eq!(left.len(), 2, "the two final events");

    let anew = visitor.say("Hello").await?;
    assert!(sse::text(&anew).contains("Anna"), "a conversation can begin anew");
    assert_eq!(visitor.history().await?.len(), 2);
    assert_eq!(stranger.history().await?.len(), 2);
    assert_eq!(erase(&visitor).await?, 204);
    assert_eq!(erase(&visitor).await?, 204, "it may be repeated");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_the_queue_is_erased_also_where_a_worker_has_it() -> Result<()> {
    let deployment = Deployment::new().await?;
    let api = deployment.api().await?;
    let visitor = api.visitor();
    let stream = visitor.stream("my secret").await?;
    let nats = deployment.nats().await?;
    let chat = nats.jetstream.get_stream(nats.subjects.chat_stream()).await?;
    let subject = nats
        .subjects
        .incoming(shared::ids::Channel::Web, visitor.session());
    let message = chat.get_last_raw_message_by_subject(&subject).await?;

    assert_eq!(erase(&visitor).await?, 204);
    let last = stream.all().await?.pop().unwrap();
    assert_eq!(last.data.extra.error.unwrap().code, "erased");
    assert!(
        chat.get_last_raw_message_by_subject(&subject).await.is_err(),
        "it is purged"
    );

    // As if a worker had pulled it before: the same place in the queue is below the mark.
    let envelope: shared::envelope::Envelope = serde_json::from_slice(&message.payload)?;
    let arrival = shared::db::intake::Arrival {
        envelope,
        stream_seq: message.sequence,
    };
    let second = std::time::Duration::from_secs(1);
    let worker = shared::ids::WorkerId::new();
    let burst = shared::db::intake::Burst {
        quiet: second,
        longest: second,
    };
    let taken =
        shared::db::intake::take_in(&deployment.db, worker, &[], second, second, burst, &[arrival]).await?;
    assert_eq!(taken[0].intake, shared::db::intake::Intake::Erased);
    assert_eq!(
        store::count(&deployment.db, "select count(*) from messages").await,
        0
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verified_user_is_erased_on_all_devices() -> Result<()> {
    const SECRET: &str = "a secret of the website";
    let deployment = Deployment::new().await?;
    let api = deployment.api_with(&[("IDENTITY_SECRET", SECRET)]).await?;
    let _worker = deployment.worker().await?;
    let devices = [api.visitor(), api.visitor()];
    let as_user = |visitor: &Visitor, method, path: &str| {
        visitor
            .request(method, path)
            .header("X-User-ID", "jane")
            .header("X-User-Hash", identity_hash("jane", SECRET))
    };
    for device in &devices {
        let said = as_user(device, Method::POST, "/chat/").json(&json!({"content": "Hello"}));
        assert_eq!(said.send().await?.status(), 200);
        device.chat("Hello, not signed in").await?;
    }
    assert_eq!(
        as_user(&devices[0], Method::DELETE, "/chat/history")
            .send()
            .await?
            .status(),
        204
    );
    let page: serde_json::Value = as_user(&devices[1], Method::GET, "/chat/history")
        .send()
        .await?
        .json()
        .await?;
    assert_eq!(page["messages"], json!([]));
    for device in &devices {
        assert_eq!(
            device.history().await?.len(),
            2,
            "the device's own user is another one"
        );
    }
    Ok(())
}
