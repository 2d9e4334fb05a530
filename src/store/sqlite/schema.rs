//! Opening connections, and bringing the schema up to date.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::failure::{Failure, Outcome};
use super::{certificates, commit, forget, notes, outbox};

/// How long a statement waits for a lock that another process holds for a moment.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The schema, in steps; a step is never edited once it has been released.
const MIGRATIONS: [&str; 2] = [include_str!("0001_initial.sql"), include_str!("0002_note.sql")];

/// "ntaf", written by the first migration.
const APPLICATION_ID: i32 = 0x6e74_6166;

/// More prepared statements than there are texts, so that none is prepared twice.
const STATEMENTS: usize = 64;

/// Opens the connection that writes, and migrates the file.
pub(super) fn writing(path: &Path) -> Outcome<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, 8192)?;
    // SQLite opens a file that may not be written all the same, for reading.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        let reason = "this user may not write it; change its owner, or configure another file";
        return Err(Failure::Unfit(reason.to_owned()));
    }
    let found = version(&connection)?;
    refuse_foreign(&connection, found)?;
    write_ahead(&connection)?;
    migrate(&mut connection, found)?;
    // A mistake in a statement is found here and not when it is first needed.
    [
        certificates::STATEMENTS,
        commit::STATEMENTS,
        forget::STATEMENTS,
        notes::STATEMENTS,
        outbox::STATEMENTS,
    ]
    .concat()
    .into_iter()
    .try_for_each(|sql| connection.prepare_cached(sql).map(drop))?;
    Ok(connection)
}

/// Opens a connection that reads.
pub(super) fn reading(path: &Path) -> Outcome<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, 2048)?;
    Ok(connection)
}

/// Checks that a file that is not to be migrated has the schema that this build knows.
pub(super) fn check(connection: &Connection) -> Outcome<()> {
    let found = version(connection)?;
    refuse_foreign(connection, found)?;
    if found < known() {
        return Err(Failure::Unfit(format!(
            "it has schema version {found} and this build needs {}; start the daemon once, it migrates the file",
            known()
        )));
    }
    Ok(())
}

/// Small caches: the whole daemon has a budget of 40 MiB, and the inventory in memory answers most questions.
fn prepare(connection: &Connection, cache_kib: i64) -> Outcome<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

fn write_ahead(connection: &Connection) -> Outcome<()> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Failure::Unfit(format!(
            "write-ahead logging is not possible there (the mode stays `{mode}`); use a local disk"
        )));
    }
    // 16 MiB: large enough that a bulk import writes a page once, small enough for a small disk.
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    Ok(())
}

fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

fn version(connection: &Connection) -> Outcome<u32> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    u32::try_from(version)
        .map_err(|_| Failure::Rule(format!("{version} is not a version of the schema")))
}

fn refuse_foreign(connection: &Connection, version: u32) -> Outcome<()> {
    let owner: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = owner == 0 && version == 0 && tables == 0;
    if owner != APPLICATION_ID && !fresh {
        let reason = "it is the database of another program; configure another file";
        return Err(Failure::Unfit(reason.to_owned()));
    }
    if version > known() {
        return Err(Failure::TooNew { found: version, known: known() });
    }
    Ok(())
}

fn migrate(connection: &mut Connection, found: u32) -> Outcome<()> {
    for (version, sql) in (1_u32..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}
