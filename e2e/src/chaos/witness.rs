//! Triggers of our own in the database of a run: which process took which lease, and which one stored which reply.

use anyhow::Result;
use shared::ids::{RequestId, SessionKey};
use sqlx::{PgPool, Row};

/// `conversation_states` keeps the present only. A reply is written down with the process whose connection wrote it and with
/// the one that had taken the session's lease last: the fence of the commit makes them the same.
const TRIGGERS: &str = "
create schema chaos;
create table chaos.leases (
    place bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    connection_id uuid not null, epoch_before bigint not null, epoch bigint not null, process text);
create index on chaos.leases (connection_id, place);
create table chaos.replies (reply_to uuid not null, connection_id uuid not null, process text, holder text);
create index on chaos.replies (connection_id);
create function chaos.note_lease() returns trigger language plpgsql as $$ begin
    insert into chaos.leases (connection_id, epoch_before, epoch, process)
    values (new.connection_id, old.lease_epoch, new.lease_epoch, current_setting('chaos.process', true));
    return null;
end $$;
create trigger note_lease after update on conversation_states for each row
    when (new.lease_epoch <> old.lease_epoch) execute function chaos.note_lease();
create table chaos.trespasses (connection_id uuid not null, process text, holder text);
create function chaos.note_trespass() returns trigger language plpgsql as $$
declare
    v_holder text := (select process from chaos.leases where connection_id = new.connection_id order by place desc limit 1);
begin
    if v_holder is distinct from current_setting('chaos.process', true) then
        insert into chaos.trespasses (connection_id, process, holder)
        values (new.connection_id, current_setting('chaos.process', true), v_holder);
    end if;
    return null;
end $$;
create trigger note_trespass after update on conversation_states for each row
    when (new.lease_epoch = old.lease_epoch and new.lease_expires_at is distinct from old.lease_expires_at)
    execute function chaos.note_trespass();
create function chaos.note_reply() returns trigger language plpgsql as $$ begin
    insert into chaos.replies (reply_to, connection_id, process, holder)
    values (new.reply_to, new.connection_id, current_setting('chaos.process', true), (
        select process from chaos.leases where connection_id = new.connection_id order by place desc limit 1));
    return null;
end $$;
create trigger note_reply after insert on messages for each row
    when (new.direction = 'outgoing') execute function chaos.note_reply();
";

/// One acquisition of a lease.
#[derive(Clone, Debug)]
pub struct Acquired {
    /// The epoch before.
    pub epoch_before: i64,
    /// The epoch since.
    pub epoch: i64,
    /// Who took it.
    pub process: Option<String>,
    /// When, by PostgreSQL's clock.
    pub at: time::OffsetDateTime,
}

/// Who stored a reply.
#[derive(Clone, Debug)]
pub struct StoredBy {
    /// The request that it answers.
    pub request: RequestId,
    /// Whose connection wrote it.
    pub process: Option<String>,
    /// Who had taken the session's lease last.
    pub holder: Option<String>,
}

/// What a process's `DATABASE_URL` has to end in, so that the triggers know the process.
pub fn introduction(process: &str) -> String {
    format!("?options[chaos.process]={process}")
}

/// Whether the programs have applied their migrations.
pub async fn schema_is_there(db: &PgPool) -> bool {
    let functions = "select count(*) from pg_proc where proname = 'commit_turns'";
    sqlx::query_scalar::<_, i64>(functions)
        .fetch_one(db)
        .await
        .is_ok_and(|count| count > 0)
}

/// Begins to watch.
///
/// # Errors
/// As PostgreSQL says.
pub async fn install(db: &PgPool) -> Result<()> {
    sqlx::raw_sql(TRIGGERS).execute(db).await?;
    Ok(())
}

/// Every acquisition of the session's lease, in order.
///
/// # Errors
/// As PostgreSQL says.
pub async fn leases(db: &PgPool, session: SessionKey) -> sqlx::Result<Vec<Acquired>> {
    let rows = sqlx::query(
        "select epoch_before, epoch, process, at from chaos.leases where connection_id = $1 order by place",
    )
    .bind(session.connection_id())
    .fetch_all(db)
    .await?;
    let acquired = |row: &sqlx::postgres::PgRow| Acquired {
        epoch_before: row.get("epoch_before"),
        epoch: row.get("epoch"),
        process: row.get("process"),
        at: row.get("at"),
    };
    Ok(rows.iter().map(acquired).collect())
}

/// Who prolonged or gave back a lease of the session that another process had taken, and whose it was.
///
/// # Errors
/// As PostgreSQL says.
pub async fn trespasses(
    db: &PgPool,
    session: SessionKey,
) -> sqlx::Result<Vec<(Option<String>, Option<String>)>> {
    sqlx::query_as("select process, holder from chaos.trespasses where connection_id = $1")
        .bind(session.connection_id())
        .fetch_all(db)
        .await
}

/// Who stored the session's replies.
///
/// # Errors
/// As PostgreSQL says.
pub async fn replies(db: &PgPool, session: SessionKey) -> sqlx::Result<Vec<StoredBy>> {
    let rows = sqlx::query("select reply_to, process, holder from chaos.replies where connection_id = $1")
        .bind(session.connection_id())
        .fetch_all(db)
        .await?;
    let stored = |row: &sqlx::postgres::PgRow| StoredBy {
        request: RequestId(row.get("reply_to")),
        process: row.get("process"),
        holder: row.get("holder"),
    };
    Ok(rows.iter().map(stored).collect())
}
