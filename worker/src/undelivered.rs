//! What an operator can see of replies that did not reach their visitor: `worker undelivered`.

use std::time::Duration;

use anyhow::Context;
use shared::db;
use shared::db::delivery::{self, Stopped, Undelivered};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::timeout;

use crate::config::Config;

/// How long the database may take. A person waits.
const DEADLINE: Duration = Duration::from_secs(10);

/// The numbers that stand still, then up to `limit` messages that failed, are held, or have waited for more than a minute, newest
/// first, then how many were sent again: lines for people and `cut`, with nothing of what visitors wrote or who they are.
///
/// # Errors
/// PostgreSQL is away, or the settings are wrong.
pub async fn list(config: &Config, limit: u32) -> anyhow::Result<Vec<String>> {
    let db = db::pool(&config.common, "frontdesk worker").context("DATABASE_URL")?;
    let read = async {
        let stopped = delivery::stopped(&db).await?;
        let undelivered = delivery::undelivered(&db, limit.into()).await?;
        let resends = delivery::resends(&db).await?;
        Ok::<_, sqlx::Error>((stopped, undelivered, resends))
    };
    let (stopped, undelivered, resends) = timeout(DEADLINE, read)
        .await
        .context("DATABASE_URL: no server has answered")?
        .context("DATABASE_URL")?;
    let mut lines: Vec<String> = stopped.iter().map(sender).collect();
    lines.extend(undelivered.iter().map(line));
    if resends > 0 {
        lines.push(format!(
            "{resends} times a message was sent again, since its provider never told what became of it"
        ));
    }
    Ok(lines)
}

fn sender(stopped: &Stopped) -> String {
    let Stopped { sender, code, until } = stopped;
    format!(
        "{sender} stands still error={code} until={}",
        until.map(rfc3339).unwrap_or_default()
    )
}

fn line(undelivered: &Undelivered) -> String {
    let Undelivered {
        id,
        session,
        status,
        error,
        attempts,
        resends,
        created_at,
    } = undelivered;
    let (error, written) = (error.as_deref().unwrap_or("none"), rfc3339(*created_at));
    format!(
        "{id} status={status} error={error} written={written} attempts={attempts} resends={resends} session={session}"
    )
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use shared::ids::{Channel, SessionKey};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_message_is_one_line_that_begins_with_its_id() {
        let undelivered = Undelivered {
            id: Uuid::from_u128(7),
            session: SessionKey::derive(Channel::Web, "d", None),
            status: "failed".into(),
            error: Some("131026".into()),
            attempts: 2,
            resends: 1,
            created_at: OffsetDateTime::UNIX_EPOCH,
        };
        assert_eq!(
            line(&undelivered),
            "00000000-0000-0000-0000-000000000007 status=failed error=131026 written=1970-01-01T00:00:00Z attempts=2 resends=1 \
            session=5c7ef00df20195b99808980571121105"
        );
    }
}
