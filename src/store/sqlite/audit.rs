//! What happened.

use rusqlite::{Transaction, params};

use super::super::audit::{AUDIT_OVERHEAD, SHORT, of_message};
use super::super::{AuditEntry, AuditQuery, AuditSize, Verdict, event};
use super::certificates::{all, collect, number, text, time};
use super::failure::{Failure, Outcome};
use crate::expiry::{Event, Timestamp};

/// Entries that are dropped in one step.
const STEP: i64 = 2000;

const ADD: &str = "INSERT INTO audit (at, certificate, body) VALUES (?1, ?2, ?3)";

const GROW: &str = "UPDATE audit_size SET bytes = max(0, bytes + ?1), dropped = dropped + ?2";

const SIZE: &str = "SELECT bytes, dropped FROM audit_size";

const FIRST: &str = "SELECT min(number) FROM audit INDEXED BY audit_at WHERE at >= ?1";

const EVERYTHING: &str = "
    SELECT number, at, certificate, body FROM audit WHERE number > ?1 AND at >= ?2 ORDER BY number LIMIT ?3";

const OF_ONE: &str = "
    SELECT number, at, certificate, body FROM audit
    WHERE certificate IN (SELECT value FROM json_each(?4)) AND number > ?1 AND at >= ?2 ORDER BY number LIMIT ?3";

const DROP_OLD: &str = "
    DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)
    RETURNING length(body)";

const DROP_FIRST: &str = "
    DELETE FROM audit WHERE number IN (SELECT number FROM audit ORDER BY number LIMIT ?1) RETURNING length(body)";

const MEMBERS: &str = "
    SELECT e.body FROM delivery d CROSS JOIN event e ON e.number = d.event
    WHERE d.batch = ?1 AND d.channel = ?2 AND d.state = 'pending' ORDER BY d.id LIMIT ?3";

const COUNT: &str = "
    SELECT count(*) FROM delivery WHERE batch = ?1 AND channel = ?2 AND state = 'pending'";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] =
    &[ADD, GROW, SIZE, FIRST, EVERYTHING, OF_ONE, DROP_OLD, DROP_FIRST, MEMBERS, COUNT];

/// Writes what happened.
pub(super) fn write(transaction: &Transaction<'_>, entries: &[AuditEntry]) -> Outcome<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut add = transaction.prepare_cached(ADD)?;
    let mut bytes = 0;
    for entry in entries {
        let body = serde_json::to_string(&entry.what)
            .map_err(|error| Failure::Rule(format!("what happened cannot be written: {error}")))?;
        bytes += taken(body.len() as u64);
        add.execute(params![entry.at.seconds(), entry.certificate, body])?;
    }
    transaction.prepare_cached(GROW)?.execute([bytes, 0])?;
    Ok(())
}

/// Writes what became of an attempt to send a batch that still waits.
pub(super) fn sent(
    transaction: &Transaction<'_>,
    (channel, batch): (&str, &str),
    verdict: &Verdict,
) -> Outcome<()> {
    let count: u64 = transaction
        .prepare_cached(COUNT)?
        .query_row([batch, channel], |row| row.get::<_, i64>(0))?
        .unsigned_abs();
    let mut members = transaction.prepare_cached(MEMBERS)?;
    let some = if count <= SHORT { count.cast_signed() } else { 0 };
    let events: Vec<Event> = collect(members.query(params![batch, channel, some])?, |row| {
        event::read(row.get_ref(0)?.as_str()?).map_err(Failure::Rule)
    })?;
    write(transaction, &of_message((channel, batch), (&events, count), verdict))
}

/// Reads what happened, in its order, each with its number.
pub(super) fn read(
    transaction: &Transaction<'_>,
    query: &AuditQuery,
) -> Outcome<Vec<(i64, AuditEntry)>> {
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let since = query.since.map_or(i64::MIN, Timestamp::seconds);
    if query.certificates.is_empty() {
        // The clock was set back, perhaps: the first of them is found by the time, and what comes after it is looked through.
        let first: Option<i64> =
            transaction.prepare_cached(FIRST)?.query_row([since], |row| row.get(0))?;
        let Some(first) = first else { return Ok(Vec::new()) };
        let after = query.after.max(first.saturating_sub(1));
        let mut statement = transaction.prepare_cached(EVERYTHING)?;
        return collect(statement.query(params![after, since, limit])?, entry);
    }
    let ids = serde_json::Value::from(query.certificates.as_slice()).to_string();
    let mut statement = transaction.prepare_cached(OF_ONE)?;
    collect(statement.query(params![query.after, since, limit, ids])?, entry)
}

/// Drops some of what happened before a time, or of what is too much. Answers what is left, and whether there is more to drop.
pub(super) fn trim(
    transaction: &Transaction<'_>,
    before: Option<Timestamp>,
    most: u64,
) -> Outcome<(AuditSize, bool)> {
    let mut old = transaction.prepare_cached(DROP_OLD)?;
    let before = before.map_or(i64::MIN, Timestamp::seconds);
    let gone = lengths(old.query([before, STEP])?)?;
    let more = count(&gone) >= STEP;
    let freed: i64 = gone.into_iter().sum();
    transaction.prepare_cached(GROW)?.execute([-freed, 0])?;
    let mut size = size(transaction)?;
    if size.bytes <= most {
        return Ok((size, more));
    }
    // As many as it takes, by their usual length.
    let excess = (size.bytes - most).div_ceil(AUDIT_OVERHEAD + 200);
    let step = i64::try_from(excess).unwrap_or(STEP).min(STEP);
    let mut first = transaction.prepare_cached(DROP_FIRST)?;
    let gone = lengths(first.query([step])?)?;
    let (dropped, freed) = (count(&gone), gone.into_iter().sum::<i64>());
    transaction.prepare_cached(GROW)?.execute([-freed, dropped])?;
    size = self::size(transaction)?;
    Ok((size, dropped > 0 && size.bytes > most))
}

/// Returns how much is kept.
pub(super) fn size(transaction: &Transaction<'_>) -> Outcome<AuditSize> {
    let found = all(transaction, SIZE, |row| {
        Ok(AuditSize { bytes: number(row, 0)?, dropped: number(row, 1)? })
    })?;
    Ok(found.into_iter().next().unwrap_or_default())
}

fn lengths(rows: rusqlite::Rows<'_>) -> Outcome<Vec<i64>> {
    collect(rows, |row| Ok(taken(row.get::<_, i64>(0)?.unsigned_abs())))
}

fn count(gone: &[i64]) -> i64 {
    i64::try_from(gone.len()).unwrap_or(i64::MAX)
}

fn taken(length: u64) -> i64 {
    length.saturating_add(AUDIT_OVERHEAD).try_into().unwrap_or(i64::MAX)
}

fn entry(row: &rusqlite::Row<'_>) -> Outcome<(i64, AuditEntry)> {
    let body = text(row, 3)?;
    let what = serde_json::from_str(&body)
        .map_err(|error| Failure::Rule(format!("what happened cannot be read: {error}")))?;
    Ok((row.get(0)?, AuditEntry { at: time(row, 1)?, certificate: row.get(2)?, what }))
}
