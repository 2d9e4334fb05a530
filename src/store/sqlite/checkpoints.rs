//! What scans want to find again.

use rusqlite::{Transaction, params};

use super::super::Checkpoint;
use super::Take;
use super::failure::Outcome;

/// Notes that are handed over at once: some hundred KiB.
const CHUNK: usize = 2048;

const NOTE: &str = "
    INSERT INTO note (source, scope, key, value) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (source, scope, key) DO UPDATE SET value = excluded.value";

const FORGET: &str = "DELETE FROM note WHERE source = ?1 AND scope = ?2 AND key = ?3";

const FORGET_SCOPE: &str = "DELETE FROM note WHERE source = ?1 AND scope = ?2";

const CHECKPOINTS: &str =
    "SELECT scope, key, value FROM note WHERE source = ?1 ORDER BY scope, key";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[NOTE, FORGET, FORGET_SCOPE, CHECKPOINTS];

/// Writes checkpoints, and forgets those without a value.
pub(super) fn write(transaction: &Transaction<'_>, checkpoints: &[Checkpoint]) -> Outcome<()> {
    let mut keep = transaction.prepare_cached(NOTE)?;
    let mut forget = transaction.prepare_cached(FORGET)?;
    for Checkpoint { source, scope, key, value } in checkpoints {
        match value {
            Some(value) => keep.execute(params![source, scope, key, value])?,
            None => forget.execute(params![source, scope, key])?,
        };
    }
    Ok(())
}

/// Forgets every checkpoint of a scope.
pub(super) fn forget_scope(
    transaction: &Transaction<'_>,
    source: &str,
    scope: &str,
) -> Outcome<()> {
    transaction.prepare_cached(FORGET_SCOPE)?.execute([source, scope])?;
    Ok(())
}

/// Hands over the checkpoints of one source, by scope and key; stops early when nobody takes them any more.
pub(super) fn read(
    transaction: &Transaction<'_>,
    source: &str,
    take: Take<'_, Checkpoint>,
) -> Outcome<()> {
    let mut statement = transaction.prepare_cached(CHECKPOINTS)?;
    let mut rows = statement.query([source])?;
    let mut chunk = Vec::new();
    while let Some(row) = rows.next()? {
        let (scope, key, value) = (row.get(0)?, row.get(1)?, Some(row.get(2)?));
        chunk.push(Checkpoint { source: source.to_owned(), scope, key, value });
        if chunk.len() == CHUNK && !take(std::mem::take(&mut chunk)) {
            return Ok(());
        }
    }
    if !chunk.is_empty() && !take(chunk) {
        tracing::debug!("nobody took the last checkpoints");
    }
    Ok(())
}
