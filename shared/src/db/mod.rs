//! PostgreSQL: the pool, the migrations, and one module a concern.

pub mod history;
pub mod reply;
pub mod session;
pub mod turn;

use std::time::Duration;

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config::CommonArgs;

/// The schema, embedded; forward only.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// How long one statement may take, waits for locks included.
const STATEMENT_DEADLINE: &str = "10s";

/// A pool that connects when it is first used, so that start order is free.
///
/// # Errors
/// The address cannot be read.
pub fn pool(args: &CommonArgs, name: &str) -> sqlx::Result<PgPool> {
    let options: PgConnectOptions = args.database_url.expose().parse()?;
    let options = options.application_name(name).options([
        ("statement_timeout", STATEMENT_DEADLINE),
        ("idle_in_transaction_session_timeout", STATEMENT_DEADLINE),
    ]);
    Ok(PgPoolOptions::new()
        .max_connections(args.database_connections)
        .acquire_timeout(Duration::from_secs(2))
        .connect_lazy_with(options))
}

/// Applies what is missing of the schema. Processes that start together wait for each other (an advisory lock).
///
/// # Errors
/// PostgreSQL is away, or the schema is newer than this program.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    MIGRATOR.run(pool).await
}

/// Whether a migration may go well another time.
pub fn migration_is_temporary(error: &MigrateError) -> bool {
    matches!(error, MigrateError::Execute(error) if is_temporary(error))
}

/// Whether the same call may go well another time: the connection was lost, PostgreSQL starts or stops, or a deadlock
/// was broken (40P01, 40001).
pub fn is_temporary(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::WorkerCrashed => true,
        // Classes 08: connection, 40: rollback, 53: resources, 57: operator intervention, 58: system error.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "40", "53", "57", "58"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

/// The SQLSTATE, or the kind of error: safe to log, unlike the message, which can quote a row.
pub fn code(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.code().map_or_else(|| "database".into(), Into::into),
        sqlx::Error::Io(error) => format!("io {}", error.kind()),
        sqlx::Error::PoolTimedOut => "pool timed out".into(),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => "decode".into(),
        _ => "connection".into(),
    }
}
