//! The index of names: which certificates have three letters in one of them.
//!
//! It is filled behind the scans, so that a first scan does not pay for it: in the order of the numbers, and after that what
//! was written since. Until a change is in it, its certificate counts as one that may be found.

use rusqlite::{Transaction, params};

use super::super::names::index_text;
use super::super::{NameHits, NameQuery};
use super::certificates::{self, collect, number};
use super::failure::Outcome;
use crate::expiry::RowId;

const UNTIL: &str = "SELECT until FROM name_index";

const ADVANCE: &str = "UPDATE name_index SET until = ?1";

const LAST: &str = "SELECT max(id) FROM certificate";

const MARK: &str = "INSERT OR IGNORE INTO name_stale (id) VALUES (?1)";

const STALE: &str = "SELECT id FROM name_stale ORDER BY id LIMIT ?1";

const FRESH: &str = "DELETE FROM name_stale WHERE id = ?1";

const PUT: &str = "INSERT OR REPLACE INTO name (rowid, text) VALUES (?1, ?2)";

const DROP: &str = "DELETE FROM name WHERE rowid = ?1";

const NEXT: &str = "SELECT id FROM certificate WHERE id >= ?1 ORDER BY id LIMIT ?2";

const FIND: &str = "SELECT rowid FROM name WHERE name MATCH ?1 ORDER BY rowid LIMIT ?2";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] =
    &[UNTIL, ADVANCE, LAST, MARK, STALE, FRESH, PUT, DROP, NEXT, FIND];

/// Marks certificates whose names may not be what the index has. Those that are not in it yet need no mark.
pub(super) fn mark(
    transaction: &Transaction<'_>,
    rows: impl Iterator<Item = RowId>,
) -> Outcome<()> {
    let until = until(transaction)?;
    let mut mark = transaction.prepare_cached(MARK)?;
    for row in rows.filter(|row| i64::from(row.0) < until) {
        mark.execute([row.0])?;
    }
    Ok(())
}

/// Brings up to `most` more certificates into the index. Answers whether all are in it.
pub(super) fn index(transaction: &Transaction<'_>, most: usize) -> Outcome<bool> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let stale = rows(transaction, STALE, params![limit])?;
    write(transaction, &stale)?;
    let mut fresh = transaction.prepare_cached(FRESH)?;
    for row in &stale {
        fresh.execute([row.0])?;
    }
    let left = limit - i64::try_from(stale.len()).unwrap_or(limit);
    if left == 0 {
        return Ok(false);
    }
    let next = rows(transaction, NEXT, params![until(transaction)?, left])?;
    write(transaction, &next)?;
    if let Some(last) = next.last() {
        transaction.prepare_cached(ADVANCE)?.execute([i64::from(last.0) + 1])?;
    }
    Ok(i64::try_from(next.len()).is_ok_and(|count| count < left))
}

fn write(transaction: &Transaction<'_>, rows: &[RowId]) -> Outcome<()> {
    let mut put = transaction.prepare_cached(PUT)?;
    let mut drop = transaction.prepare_cached(DROP)?;
    for (row, kept) in rows.iter().zip(certificates::kept(transaction, rows)?) {
        match kept.as_ref().map(index_text) {
            Some(text) => put.execute(params![row.0, text])?,
            None => drop.execute([row.0])?,
        };
    }
    Ok(())
}

/// Finds certificates that may have all parts in one of their names.
pub(super) fn find(transaction: &Transaction<'_>, query: &NameQuery) -> Outcome<NameHits> {
    let wanted = query.most.saturating_add(1);
    let limit = i64::try_from(wanted).unwrap_or(i64::MAX);
    let mut found = if query.parts.is_empty() {
        Vec::new()
    } else {
        rows(transaction, FIND, params![expression(&query.parts), limit])?
    };
    let stale = rows(transaction, STALE, params![limit])?;
    let more = found.len() > query.most || stale.len() > query.most || query.parts.is_empty();
    found.extend(stale);
    found.sort_unstable();
    found.dedup();
    found.truncate(query.most);
    let (until, last) = (until(transaction)?, last(transaction)?);
    let is_whole = last.is_none_or(|last| last < until);
    let first = u32::try_from(until).ok().map(RowId).filter(|_| !is_whole);
    Ok(NameHits { rows: found, more, unindexed: first })
}

/// Returns the expression that finds all of these, each of which is one token.
fn expression(parts: &[String]) -> String {
    let quoted = parts.iter().map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(" AND ")
}

fn until(transaction: &Transaction<'_>) -> Outcome<i64> {
    Ok(transaction.prepare_cached(UNTIL)?.query_row([], |row| row.get(0))?)
}

fn last(transaction: &Transaction<'_>) -> Outcome<Option<i64>> {
    Ok(transaction.prepare_cached(LAST)?.query_row([], |row| row.get(0))?)
}

fn rows(
    transaction: &Transaction<'_>,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> Outcome<Vec<RowId>> {
    let mut statement = transaction.prepare_cached(sql)?;
    collect(statement.query(parameters)?, |row| Ok(RowId(number(row, 0)?)))
}
