//! Opening connections.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::failure::{Failure, Outcome};
use super::{
    audit, bodies, certificates, checkpoints, commit, entries, forget, heard, history, names,
    outbox, posts, renewals, schema, snoozes,
};

/// How long a statement waits for a lock that another process holds for a moment.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// More prepared statements than there are texts, so that none is prepared twice.
const STATEMENTS: usize = 128;

/// Opens the connection that writes, and migrates the file.
pub(super) fn writing(path: &Path) -> Outcome<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, 4096)?;
    // SQLite opens a file that may not be written all the same, for reading.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        let reason = "this user may not write it; change its owner, or configure another file";
        return Err(Failure::Unfit(reason.to_owned()));
    }
    let found = schema::version(&connection)?;
    write_ahead(&connection)?;
    schema::announce(path, found);
    schema::migrate(&mut connection, found)?;
    // A mistake in a statement is found here and not when it is first needed.
    [
        audit::STATEMENTS,
        bodies::STATEMENTS,
        certificates::STATEMENTS,
        commit::STATEMENTS,
        forget::STATEMENTS,
        heard::STATEMENTS,
        history::STATEMENTS,
        checkpoints::STATEMENTS,
        entries::STATEMENTS,
        outbox::STATEMENTS,
        posts::STATEMENTS,
        names::STATEMENTS,
        renewals::STATEMENTS,
        snoozes::STATEMENTS,
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
    prepare(&connection, 1024)?;
    Ok(connection)
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
