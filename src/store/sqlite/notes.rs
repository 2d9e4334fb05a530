//! What scans want to find again.

use rusqlite::{Transaction, params};

use super::super::Note;
use super::failure::Outcome;

const NOTE: &str = "
    INSERT INTO note (source, scope, key, value) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (source, scope, key) DO UPDATE SET value = excluded.value";

const FORGET: &str = "DELETE FROM note WHERE source = ?1 AND scope = ?2 AND key = ?3";

const FORGET_SCOPE: &str = "DELETE FROM note WHERE source = ?1 AND scope = ?2";

const NOTES: &str = "SELECT scope, key, value FROM note WHERE source = ?1 ORDER BY scope, key";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[NOTE, FORGET, FORGET_SCOPE, NOTES];

/// Writes notes, and forgets those without a value.
pub(super) fn write(transaction: &Transaction<'_>, notes: &[Note]) -> Outcome<()> {
    let mut keep = transaction.prepare_cached(NOTE)?;
    let mut forget = transaction.prepare_cached(FORGET)?;
    for Note { source, scope, key, value } in notes {
        match value {
            Some(value) => keep.execute(params![source, scope, key, value])?,
            None => forget.execute(params![source, scope, key])?,
        };
    }
    Ok(())
}

/// Forgets every note about a scope.
pub(super) fn forget_scope(
    transaction: &Transaction<'_>,
    source: &str,
    scope: &str,
) -> Outcome<()> {
    transaction.prepare_cached(FORGET_SCOPE)?.execute([source, scope])?;
    Ok(())
}

/// Reads the notes of one source, by scope and key.
pub(super) fn notes(transaction: &Transaction<'_>, source: &str) -> Outcome<Vec<Note>> {
    let mut statement = transaction.prepare_cached(NOTES)?;
    let read = statement.query_map([source], |row| {
        Ok(Note {
            source: source.to_owned(),
            scope: row.get(0)?,
            key: row.get(1)?,
            value: Some(row.get(2)?),
        })
    })?;
    Ok(read.collect::<Result<_, _>>()?)
}
