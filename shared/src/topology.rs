//! The streams and the consumers that we need: created where missing, compared where present; of what operators can choose,
//! nothing is changed by a start.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::context::{Context, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, PersistenceMode, Republish, RetentionPolicy, StorageType,
};
use serde::Serialize;
use serde_json::Value;

use crate::subject::Subjects;

/// How long the server may take for one of our management calls.
const DEADLINE: Duration = Duration::from_secs(5);

/// After this a worker that took a message and did not answer for it is thought dead, and the message is delivered again. One
/// that works on it says so more often.
pub const ACK_WAIT: Duration = Duration::from_secs(3);

/// How long the journal keeps an event.
pub const JOURNAL_AGE: Duration = Duration::from_secs(10 * 60);

/// What an operator may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Copies of each stream: 1, or 3 on a cluster.
    pub replicas: usize,
    /// Size of the queue, in bytes; when it is full, messages are refused.
    pub chat_max_bytes: i64,
    /// Size of the journal, in bytes; when it is full, the oldest events go.
    pub tokens_max_bytes: i64,
}

impl Limits {
    /// Whether there is one copy of each stream, on one server.
    pub fn is_single(self) -> bool {
        self.replicas == 1
    }
}

/// Why the topology is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// Someone else made it, or an operator changed a setting: it has to be decided by hand.
    #[error(
        "{name}: {setting} is {found}, and should be {wanted}; change it with `nats stream edit` or the setting that names it"
    )]
    Differs {
        /// Stream or consumer.
        name: String,
        /// Its setting, as NATS calls it.
        setting: String,
        /// What we ask for.
        wanted: Value,
        /// What the server has.
        found: Value,
    },
    /// A server too old ignores settings that it does not know.
    #[error("the NATS server is {0}; 2.12 or newer is needed")]
    OldServer(String),
    /// The server refused, or did not answer; to be tried again.
    #[error("{name}: {source}")]
    Call {
        /// Stream or consumer.
        name: String,
        /// What the client library says.
        source: async_nats::Error,
    },
}

impl TopologyError {
    /// Whether another try may go well.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Call { .. })
    }
}

/// Creates what is missing and compares what is there.
///
/// # Errors
/// See [`TopologyError`].
pub async fn ensure(context: &Context, subjects: &Subjects, limits: Limits) -> Result<(), TopologyError> {
    let server = context.client().server_info().version;
    if !context.client().is_server_compatible(2, 12, 0) {
        return Err(TopologyError::OldServer(server));
    }
    let mut queued_up_to = 0;
    for config in streams(subjects, limits) {
        let call = |source: async_nats::Error| TopologyError::Call {
            name: config.name.clone(),
            source,
        };
        let stream = within(context.get_or_create_stream(config.clone()))
            .await
            .map_err(call)?;
        compare(&config.name, &config, &stream.cached_info().config)?;
        if config.name == subjects.chat_stream() {
            queued_up_to = stream.cached_info().state.last_sequence;
        }
    }
    let (chat, status) = (subjects.chat_stream(), subjects.status_stream());
    let (workers, statuses) = (workers_consumer(subjects), statuses_consumer(subjects));
    ensure_consumer(context, &chat, subjects.workers_consumer(), workers).await?;
    ensure_consumer(context, &status, subjects.statuses_consumer(), statuses).await?;
    if limits.is_single() {
        mark(context, subjects, queued_up_to).await?;
    }
    Ok(())
}

async fn ensure_consumer(
    context: &Context,
    stream: &str,
    name: String,
    consumer: pull::Config,
) -> Result<(), TopologyError> {
    let call = |source: async_nats::Error| TopologyError::Call {
        name: name.clone(),
        source,
    };
    let stream = within(context.get_stream_no_info(stream)).await.map_err(call)?;
    let found = within(stream.get_or_create_consumer(&name, consumer.clone()))
        .await
        .map_err(call)?;
    let mut found = found.cached_info().config.clone();
    let outdated = found.ack_wait != consumer.ack_wait;
    found.ack_wait = consumer.ack_wait;
    compare(&name, &consumer, &found)?;
    if outdated {
        // An earlier version made it, and nobody can choose this one.
        within(stream.update_consumer(consumer)).await.map_err(call)?;
    }
    Ok(())
}

/// Notes since when this process of the server is known to run: whoever comes first after its start writes the only message of a
/// stream that a restart empties. It says how far the queue was.
async fn mark(context: &Context, subjects: &Subjects, queued_up_to: u64) -> Result<(), TopologyError> {
    let first = PublishMessage::build()
        .payload(queued_up_to.to_string().into())
        .expected_last_subject_sequence(0);
    let marked = within(async {
        match context.send_publish(subjects.boot(), first).await?.await {
            Err(error) if error.kind() != PublishErrorKind::WrongLastSequence => Err(error),
            _ => Ok(()),
        }
    });
    marked.await.map_err(|source| TopologyError::Call {
        name: subjects.boot_stream(),
        source,
    })
}

async fn within<T, E: Into<async_nats::Error>>(
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, async_nats::Error> {
    tokio::time::timeout(DEADLINE, call).await?.map_err(Into::into)
}

fn streams(subjects: &Subjects, limits: Limits) -> Vec<Config> {
    let common = Config {
        storage: StorageType::File,
        num_replicas: limits.replicas,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        allow_direct: true,
        ..Config::default()
    };
    let chat = Config {
        name: subjects.chat_stream(),
        subjects: vec![subjects.all_incoming()],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        max_bytes: limits.chat_max_bytes,
        duplicate_window: Duration::from_secs(10 * 60),
        ..common.clone()
    };
    let tokens = Config {
        name: subjects.tokens_stream(),
        subjects: vec![subjects.all_tokens()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_age: JOURNAL_AGE,
        max_bytes: limits.tokens_max_bytes,
        republish: Some(Republish {
            source: subjects.all_tokens(),
            destination: subjects.live_template(),
            headers_only: false,
        }),
        // Syncing each event is eight times slower, and a replicated stream survives a machine without it. What a single server
        // loses is noticed: see `mark`.
        persist_mode: limits.is_single().then_some(PersistenceMode::Async),
        ..common.clone()
    };
    let dead = Config {
        name: subjects.dead_stream(),
        subjects: vec![subjects.all_dead()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_age: Duration::from_secs(30 * 24 * 60 * 60),
        max_bytes: limits.chat_max_bytes,
        ..common.clone()
    };
    let status = Config {
        name: subjects.status_stream(),
        subjects: vec![subjects.all_status()],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::Old,
        // As long as a provider repeats what it could not deliver.
        max_age: Duration::from_secs(7 * 24 * 60 * 60),
        max_bytes: limits.chat_max_bytes / 4,
        duplicate_window: Duration::from_secs(10 * 60),
        ..common.clone()
    };
    let boot = Config {
        name: subjects.boot_stream(),
        subjects: vec![subjects.boot()],
        storage: StorageType::Memory,
        ..common
    };
    let mut streams = vec![chat, tokens, dead, status];
    streams.extend(limits.is_single().then_some(boot));
    streams
}

/// The one durable consumer that all workers pull from.
pub fn workers_consumer(subjects: &Subjects) -> pull::Config {
    pull::Config {
        durable_name: Some(subjects.workers_consumer()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        // Attempts and limits are counted in PostgreSQL.
        max_deliver: -1,
        max_ack_pending: -1,
        ..pull::Config::default()
    }
}

/// The one durable consumer through which all workers hear what became of their messages.
pub fn statuses_consumer(subjects: &Subjects) -> pull::Config {
    pull::Config {
        durable_name: Some(subjects.statuses_consumer()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: 1_000,
        ..pull::Config::default()
    }
}

/// Fails where the server has another value for a setting that we asked for.
fn compare(name: &str, wanted: &impl Serialize, found: &impl Serialize) -> Result<(), TopologyError> {
    let found = settings(found);
    for (setting, wanted) in settings(wanted) {
        // Null and zero are "as the server likes it".
        if wanted.is_null() || wanted == 0 {
            continue;
        }
        let found = found.get(&setting).cloned().unwrap_or(Value::Null);
        if found != wanted {
            return Err(TopologyError::Differs {
                name: name.to_owned(),
                setting,
                wanted,
                found,
            });
        }
    }
    Ok(())
}

fn settings(config: &impl Serialize) -> serde_json::Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(settings)) => settings,
        _ => serde_json::Map::new(),
    }
}
