//! PostgreSQL: the pool, the migrations, and one module a concern.

pub mod commit;
pub mod delivery;
pub mod erase;
pub mod failed;
pub mod history;
pub mod intake;
pub mod reply;
pub mod session;
pub mod stop;
pub mod turn;

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres};
use tokio::time::error::Elapsed;

use crate::config::CommonArgs;

/// The schema, embedded; forward only.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// How long one statement may take, waits for locks included.
const STATEMENT_DEADLINE: &str = "10s";

/// The same by our own clock: where the network swallows the answer, the server's deadline does not reach us.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(12);

/// How long a call waits for a connection.
const ACQUIRE_DEADLINE: Duration = Duration::from_secs(2);

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
        .acquire_timeout(ACQUIRE_DEADLINE)
        .connect_lazy_with(options))
}

/// Applies what is missing of the schema. Processes that start together wait for each other (an advisory lock).
///
/// # Errors
/// PostgreSQL is away, or the schema is newer than this program.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    // An index of a large table takes its time.
    let options = (*pool.connect_options())
        .clone()
        .options([("statement_timeout", "0")]);
    let patient = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_DEADLINE)
        .connect_lazy_with(options);
    let migrated = MIGRATOR.run(&patient).await;
    patient.close().await;
    migrated
}

/// The result of a call on `connection` that had [`CALL_DEADLINE`]. A connection that did not answer in time is closed; back in
/// the pool it would hold a place for as long as the network likes.
pub(crate) fn settle<T>(
    connection: PoolConnection<Postgres>,
    answer: Result<sqlx::Result<T>, Elapsed>,
) -> sqlx::Result<T> {
    answer.unwrap_or_else(|_| {
        drop(connection.detach());
        Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))
    })
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

/// Whether a row's own data is at fault, so that no other time is better: classes 20 (a case that is not known), 22 (data) and
/// 23 (constraints). Everything else is an operator's matter, and passes.
pub fn is_about_the_data(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| ["20", "22", "23"].iter().any(|class| code.starts_with(class))),
        sqlx::Error::Encode(_) => true,
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
