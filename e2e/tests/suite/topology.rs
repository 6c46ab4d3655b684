//! Streams and consumers that were there before.

use std::time::Duration;

use anyhow::Result;
use async_nats::jetstream::consumer::pull;
use e2e::{Deployment, eventually};
use shared::topology::{ACK_WAIT, workers_consumer};

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_made_is_brought_up_to_date_and_what_an_operator_changed_is_left()
-> Result<()> {
    let deployment = Deployment::new().await?;
    let nats = deployment.nats().await?;
    let stream = nats.jetstream.get_stream(nats.subjects.chat_stream()).await?;
    let consumer = workers_consumer(&nats.subjects);
    stream
        .update_consumer(pull::Config {
            ack_wait: Duration::from_secs(10),
            ..consumer.clone()
        })
        .await?;
    let _worker = deployment.worker().await?;
    let name = nats.subjects.workers_consumer();
    eventually("the consumer is up to date", async || {
        let info = stream.consumer_info(&name).await.ok()?;
        (info.config.ack_wait == ACK_WAIT).then_some(())
    })
    .await;

    stream
        .update_consumer(pull::Config {
            max_ack_pending: 7,
            ..consumer
        })
        .await?;
    let mut worker = deployment.start("worker", &[]).await?;
    assert!(!worker.ended().await.success());
    assert!(worker.log().contains("max_ack_pending is 7"));
    Ok(())
}
