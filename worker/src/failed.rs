//! What an operator can do about messages that were given up: `worker failed` and `worker retry`.

use std::time::Duration;

use anyhow::{Context, anyhow};
use shared::db::failed::{FailedRequest, Retried};
use shared::db::{self, failed, reply};
use shared::ids::RequestId;
use shared::nats::Nats;
use sqlx::PgPool;
use time::format_description::well_known::Rfc3339;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::Config;

/// How long a server may take for anything that a command asks of it. A person waits.
const DEADLINE: Duration = Duration::from_secs(10);

/// Up to `limit` messages that were given up, newest first, as lines for people and `cut`: nothing of what visitors wrote.
///
/// # Errors
/// PostgreSQL is away, or the settings are wrong.
pub async fn list(config: &Config, limit: u32) -> anyhow::Result<Vec<String>> {
    let db = database(config)?;
    let failed = answer_of("DATABASE_URL", failed::list(&db, limit.into())).await?;
    Ok(failed.iter().map(line).collect())
}

fn line(failed: &FailedRequest) -> String {
    let FailedRequest {
        id,
        session,
        received_at,
        attempts,
        error,
    } = failed;
    let accepted = received_at.format(&Rfc3339).unwrap_or_default();
    format!("{id} accepted={accepted} attempts={attempts} error={error} session={session}")
}

/// Connected to where failed messages are stored and their replies are journalled.
pub struct Retries {
    db: PgPool,
    nats: Nats,
    _connected: DropGuard,
}

impl Retries {
    /// Connects.
    ///
    /// # Errors
    /// A server is away, or the settings are wrong; the error names the setting.
    pub async fn connect(config: &Config) -> anyhow::Result<Self> {
        let db = database(config)?;
        answer_of("DATABASE_URL", db.acquire()).await?;
        let connected = CancellationToken::new();
        let (fatal, mismatch) = oneshot::channel();
        let nats = Nats::connect(
            &config.common.nats,
            "frontdesk worker",
            connected.clone(),
            |error| {
                let _ = fatal.send(error);
            },
        );
        let nats = nats.await.context("NATS_URL")?;
        tokio::select! {
            biased;
            Ok(error) = mismatch => return Err(error.into()),
            () = nats.usable() => {}
            () = tokio::time::sleep(DEADLINE) => return Err(silent("NATS_URL")),
        }
        Ok(Self {
            db,
            nats,
            _connected: connected.drop_guard(),
        })
    }

    /// Has a failed message run again: its journal is purged, and its reply begins anew.
    ///
    /// # Errors
    /// A server is away; then it may be tried again.
    pub async fn retry(&self, request: RequestId) -> anyhow::Result<Retried> {
        let tokens = self.nats.subjects.tokens_stream();
        let tokens = answer_of("NATS_URL", self.nats.jetstream.get_stream(tokens)).await?;
        // Asked before PostgreSQL, so that nothing is purged of a turn that begins after somebody else's retry.
        let last = tokens.cached_info().state.last_sequence;
        let session = answer_of("DATABASE_URL", failed::session_of(&self.db, request)).await?;
        let Some(session) = session else {
            let known = answer_of("DATABASE_URL", reply::requests(&self.db, &[request])).await?;
            return Ok(if known.is_empty() {
                Retried::Unknown
            } else {
                Retried::NotFailed
            });
        };
        let said = self.nats.subjects.tokens(session, request);
        answer_of("NATS_URL", async {
            tokens.purge().filter(said).sequence(last + 1).await
        })
        .await?;
        answer_of("DATABASE_URL", failed::retry(&self.db, request)).await
    }
}

fn database(config: &Config) -> anyhow::Result<PgPool> {
    db::pool(&config.common, "frontdesk worker").context("DATABASE_URL")
}

/// The answer of a server, or an error that names the setting with its address.
async fn answer_of<T, E>(setting: &'static str, call: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let answer = tokio::time::timeout(DEADLINE, call).await;
    answer.map_err(|_| silent(setting))?.context(setting)
}

fn silent(setting: &str) -> anyhow::Error {
    anyhow!(
        "{setting}: no server has answered within {} s",
        DEADLINE.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use shared::ids::{Channel, SessionKey};
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_message_is_one_line_that_begins_with_its_id() {
        let failed = FailedRequest {
            id: RequestId(Uuid::from_u128(7)),
            session: SessionKey::derive(Channel::Web, "d", None),
            received_at: OffsetDateTime::UNIX_EPOCH,
            attempts: 5,
            error: "agent_failed".into(),
        };
        assert_eq!(
            line(&failed),
            "00000000-0000-0000-0000-000000000007 accepted=1970-01-01T00:00:00Z attempts=5 error=agent_failed \
            session=5c7ef00df20195b99808980571121105"
        );
    }
}
