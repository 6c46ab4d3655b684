//! `/healthz`: the process runs. `/readyz`: what it depends on.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use sqlx::{Connection, PgPool};
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::state::App;

/// How long PostgreSQL may take, and how long its answer is good for.
const PROBE: Duration = Duration::from_secs(1);

/// This resource's routes.
pub fn router() -> Router<App> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
}

/// Whether PostgreSQL answers, asked once for all that want to know at the same time.
#[derive(Debug, Default)]
pub struct Probe(Mutex<Option<(Instant, bool)>>);

impl Probe {
    async fn answers(&self, pool: &PgPool) -> bool {
        let mut last = self.0.lock().await;
        if let Some((at, answered)) = *last
            && at.elapsed() < PROBE
        {
            return answered;
        }
        let ping = async { pool.acquire().await?.ping().await };
        let answered = matches!(tokio::time::timeout(PROBE, ping).await, Ok(Ok(())));
        *last = Some((Instant::now(), answered));
        answered
    }
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Condition {
    /// It works.
    Ok,
    /// It works in part.
    Degraded,
    /// It does not work.
    Unavailable,
}

/// What the api depends on.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// The whole: `degraded` where messages are accepted and PostgreSQL is away.
    status: Condition,
    /// The queue and the journal.
    nats: Condition,
    /// The database, with its schema up to date.
    postgres: Condition,
}

impl Readiness {
    fn new(nats: bool, postgres: bool) -> Self {
        let condition = |works| {
            if works {
                Condition::Ok
            } else {
                Condition::Unavailable
            }
        };
        Self {
            status: match (nats, postgres) {
                (true, true) => Condition::Ok,
                (true, false) => Condition::Degraded,
                (false, _) => Condition::Unavailable,
            },
            nats: condition(nats),
            postgres: condition(postgres),
        }
    }
}

/// Whether the process runs.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses(
    (status = 200, description = "It runs.", body = String, content_type = "text/plain")))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether messages can be accepted, and how each dependency is.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, description = "Messages are accepted.", body = Readiness),
    (status = 503, description = "Messages are not accepted.", body = Readiness)))]
pub(super) async fn readyz(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let postgres = app.has_schema() && app.probe.answers(&app.pool).await;
    let readiness = Readiness::new(app.nats.is_usable(), postgres);
    let status = match readiness.status {
        Condition::Ok | Condition::Degraded => StatusCode::OK,
        Condition::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(readiness))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_postgresql_it_is_degraded_and_without_nats_unavailable() {
        let json = |nats, postgres| serde_json::to_string(&Readiness::new(nats, postgres)).unwrap();
        assert_eq!(json(true, true), r#"{"status":"ok","nats":"ok","postgres":"ok"}"#);
        assert_eq!(
            json(true, false),
            r#"{"status":"degraded","nats":"ok","postgres":"unavailable"}"#
        );
        assert!(json(false, true).starts_with(r#"{"status":"unavailable""#));
    }
}
