//! The connection to NATS: kept up, with the topology ensured again whenever it comes back.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, context::Context};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::NatsArgs;
use crate::retry::{self, Policy, UNTIL_CANCELLED};
use crate::subject::Subjects;
use crate::topology::{self, TopologyError};

/// How long a publish may wait for its PubAck.
pub const ACK_DEADLINE: Duration = Duration::from_secs(2);

/// How long one question about a stream may take. Where a cluster elects a leader after the loss of a node, nobody answers; the
/// next question finds it.
const MANAGEMENT_DEADLINE: Duration = Duration::from_secs(1);

/// Between two tries to have the streams ready.
const NOT_READY: Policy = Policy {
    first: Duration::from_millis(100),
    longest: Duration::from_millis(300),
    give_up_after: None,
};

/// A client whose streams are there. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Nats {
    /// For plain subjects.
    pub client: Client,
    /// For streams; publishes wait [`ACK_DEADLINE`] for their PubAck.
    pub jetstream: Context,
    /// All names.
    pub subjects: Subjects,
    /// One server has everything, so that what it loses is lost.
    pub(crate) is_single: bool,
    connections: watch::Receiver<u64>,
    ready: watch::Receiver<bool>,
    usable_since: watch::Receiver<Option<Instant>>,
}

impl Nats {
    /// Connects in the background, and keeps at it until `cancel`; waits for nothing, so start order is free.
    ///
    /// A topology that differs from what it should be is sent to `fatal`: no amount of waiting mends it.
    ///
    /// # Errors
    /// The address cannot be read.
    pub async fn connect(
        args: &NatsArgs,
        name: &str,
        cancel: CancellationToken,
        fatal: impl FnOnce(TopologyError) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let servers = args
            .nats_url
            .expose()
            .split(',')
            .map(|server| server.trim().parse());
        let servers = servers.collect::<Result<Vec<ServerAddr>, _>>()?;
        let (counted, connections) = watch::channel(0);
        let (set_ready, ready) = watch::channel(false);
        let up = set_ready.clone();
        let (set_usable_since, usable_since) = watch::channel(None);
        let client = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .connection_timeout(Duration::from_secs(2))
            .ping_interval(Duration::from_secs(5))
            .reconnect_delay_callback(|attempt| {
                UNTIL_CANCELLED.wait_before(u32::try_from(attempt).unwrap_or(u32::MAX))
            })
            // A reader that lags finds what it lost in the journal, so its buffer may be small.
            .subscription_capacity(1024)
            .event_callback(move |event| {
                match &event {
                    Event::Connected => {
                        info!("connected to NATS");
                        counted.send_modify(|count| *count += 1);
                    }
                    Event::Disconnected | Event::Closed => {
                        warn!("disconnected from NATS");
                        up.send_replace(false);
                    }
                    Event::SlowConsumer(_) => {}
                    // The text of a server error can name a subject; those hold ids only.
                    other => warn!(event = %other, "NATS"),
                }
                std::future::ready(())
            })
            .connect(servers)
            .await?;
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(ACK_DEADLINE)
            .ack_timeout(ACK_DEADLINE)
            .max_ack_inflight(50_000)
            .backpressure_on_inflight(false)
            .build(client.clone());
        let nats = Self {
            client,
            jetstream,
            subjects: args.subject_prefix.clone(),
            is_single: args.limits().is_single(),
            connections,
            ready,
            usable_since,
        };
        tokio::spawn(keep_topology(
            nats.clone(),
            args.limits(),
            (set_ready, set_usable_since),
            cancel,
            fatal,
        ));
        Ok(nats)
    }

    /// Whether a publish would go out now, onto streams that exist.
    pub fn is_usable(&self) -> bool {
        *self.ready.borrow() && self.client.connection_state() == State::Connected
    }

    /// Waits until [`Self::is_usable`].
    pub async fn usable(&self) {
        let mut ready = self.ready.clone();
        // The sender lives in a task that ends only with the process.
        let _ = ready.wait_for(|ready| *ready).await;
    }

    /// Since when the present connection, or the last one, has been usable: the server has answered on it, and so it knows all our
    /// subscriptions again.
    pub fn usable_since(&self) -> watch::Receiver<Option<Instant>> {
        self.usable_since.clone()
    }

    /// Counts connections, so that a change tells of a reconnect.
    pub fn connections(&self) -> watch::Receiver<u64> {
        self.connections.clone()
    }
}

/// Ensures the topology after each connect.
async fn keep_topology(
    nats: Nats,
    limits: topology::Limits,
    (ready, usable_since): (watch::Sender<bool>, watch::Sender<Option<Instant>>),
    cancel: CancellationToken,
    fatal: impl FnOnce(TopologyError),
) {
    let mut connections = nats.connections();
    let management = jetstream::context::ContextBuilder::new()
        .timeout(MANAGEMENT_DEADLINE)
        .ack_timeout(MANAGEMENT_DEADLINE)
        .build(nats.client.clone());
    loop {
        let changed = tokio::select! {
            () = cancel.cancelled() => return,
            changed = connections.wait_for(|count| *count > 0) => changed.map(|_| ()),
        };
        if changed.is_err() {
            return;
        }
        connections.mark_unchanged();
        let ensured = retry::retry(
            NOT_READY,
            &cancel,
            |error: &TopologyError| {
                warn!(%error, "streams are not ready");
                error.is_temporary()
            },
            || topology::ensure(&management, &nats.subjects, limits),
        );
        let ensured = tokio::select! {
            ensured = ensured => ensured,
            // What was asked on the connection before is not answered any more.
            changed = connections.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        match ensured {
            Ok(()) => {
                if connections.has_changed().is_ok_and(|changed| !changed) {
                    usable_since.send_replace(Some(Instant::now()));
                    ready.send_replace(nats.client.connection_state() == State::Connected);
                }
            }
            Err(error) if error.is_temporary() => return,
            Err(error) => return fatal(error),
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            changed = connections.changed() => if changed.is_err() { return },
        }
    }
}
