//! Reading what is known: everything at start, facts and lists later.

use rusqlite::{Row, Transaction, params};

use super::super::{Kept, ListQuery, Saved, ScanRecord, code};
use super::Take;
use super::failure::{Failure, Outcome};
use crate::expiry::{
    Facts, Fingerprint, Kind, Labels, Notified, RowId, ScopeId, Status, StoredParts, StoredRow,
    Timestamp,
};

/// Rows that are handed over at once: some hundred KiB.
const CHUNK: usize = 4096;

const ROWS: &str = "
    SELECT id, scope_id, kind, provider_status, status, not_before, not_after, row_digest,
           issuer, serial, holder, names, successors, place, fingerprint, collides, signer, signs,
           end_unlisted
    FROM certificate ORDER BY id";

const FACTS: &str = "
    SELECT s.source, s.scope, c.issuer, c.serial, c.kind, c.status, c.common_name, c.holder, c.unit,
           c.not_before, c.not_after, c.place, c.fingerprint, c.collides,
           (SELECT labels FROM label_set WHERE id = c.labels)
    FROM certificate c JOIN scope s ON s.id = c.scope_id WHERE c.id = ?1";

const KEPT: &str = "
    SELECT s.source, s.scope, c.issuer, c.serial, c.kind, c.status, c.common_name, c.holder, c.unit,
           c.not_before, c.not_after, c.place, c.fingerprint, c.collides,
           (SELECT labels FROM label_set WHERE id = c.labels), c.first_seen, c.names, c.successors
    FROM certificate c JOIN scope s ON s.id = c.scope_id WHERE c.id = ?1";

// CROSS JOIN keeps SQLite from walking all certificates once for each scope.
const LIST: &str = "
    SELECT s.source, s.scope, c.issuer, c.serial, c.kind, c.status, c.common_name, c.holder, c.unit,
           c.not_before, c.not_after, c.place, c.fingerprint, c.collides,
           (SELECT labels FROM label_set WHERE id = c.labels)
    FROM certificate c CROSS JOIN scope s ON s.id = c.scope_id
    WHERE c.not_after IS NOT NULL AND (?1 IS NULL OR s.source = ?1) AND (?2 IS NULL OR c.not_after < ?2)
    ORDER BY c.not_after, c.id LIMIT ?3";

const LIST_ALL: &str = "
    SELECT s.source, s.scope, c.issuer, c.serial, c.kind, c.status, c.common_name, c.holder, c.unit,
           c.not_before, c.not_after, c.place, c.fingerprint, c.collides,
           (SELECT labels FROM label_set WHERE id = c.labels), c.first_seen, c.names, c.successors
    FROM certificate c CROSS JOIN scope s ON s.id = c.scope_id
    WHERE (?1 IS NULL OR s.source = ?1) AND (?2 IS NULL OR c.not_after < ?2)
    ORDER BY c.not_after IS NULL, c.not_after, c.id LIMIT ?3";

const SCOPES: &str = "SELECT id, source, scope FROM scope ORDER BY id";

const LEDGER: &str =
    "SELECT certificate_id, rung, at, mild, reminders FROM ledger ORDER BY certificate_id";

const CONDITIONS: &str = "SELECT key, at FROM condition ORDER BY key";

const SCANS: &str = r#"
    SELECT source, scope, "window", started, ended, proven, reported, collected, last_proven, error
    FROM scan ORDER BY source, scope, "window""#;

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] =
    &[ROWS, FACTS, KEPT, LIST, LIST_ALL, SCOPES, LEDGER, CONDITIONS, SCANS];

/// Hands over every certificate, in the order of their numbers; stops early when nobody takes them any more.
pub(super) fn rows(
    transaction: &Transaction<'_>,
    take: Take<'_, (ScopeId, StoredRow)>,
) -> Outcome<()> {
    let mut statement = transaction.prepare_cached(ROWS)?;
    in_chunks(statement.query([])?, stored_row, take)
}

fn in_chunks<T>(
    mut rows: rusqlite::Rows<'_>,
    read: impl Fn(&Row<'_>) -> Outcome<T>,
    take: Take<'_, T>,
) -> Outcome<()> {
    let mut chunk = Vec::with_capacity(CHUNK);
    while let Some(row) = rows.next()? {
        chunk.push(read(row)?);
        if chunk.len() == CHUNK {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
            if !take(full) {
                return Ok(());
            }
        }
    }
    if !chunk.is_empty() && !take(chunk) {
        tracing::debug!("nobody took the last certificates");
    }
    Ok(())
}

/// Reads the facts of certificates, in the order asked.
pub(super) fn facts(transaction: &Transaction<'_>, rows: &[RowId]) -> Outcome<Vec<Option<Facts>>> {
    let mut statement = transaction.prepare_cached(FACTS)?;
    rows.iter()
        .map(|row| {
            let mut found = statement.query([row.0])?;
            found.next()?.map(read_facts).transpose()
        })
        .collect()
}

/// Reads all that is kept of certificates, in the order asked.
pub(super) fn kept(transaction: &Transaction<'_>, rows: &[RowId]) -> Outcome<Vec<Option<Kept>>> {
    let mut statement = transaction.prepare_cached(KEPT)?;
    rows.iter()
        .map(|row| {
            let mut found = statement.query([row.0])?;
            found.next()?.map(read_kept).transpose()
        })
        .collect()
}

/// Lists certificates with a known end, soonest first.
pub(super) fn list(transaction: &Transaction<'_>, query: &ListQuery) -> Outcome<Vec<Facts>> {
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let mut statement = transaction.prepare_cached(LIST)?;
    let parameters = params![query.source, query.ends_before.map(Timestamp::seconds), limit];
    collect(statement.query(parameters)?, read_facts)
}

/// Hands over the same, in chunks, and those without a known end as well, last.
pub(super) fn each_listed(
    transaction: &Transaction<'_>,
    query: &ListQuery,
    take: Take<'_, Kept>,
) -> Outcome<()> {
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let mut statement = transaction.prepare_cached(LIST_ALL)?;
    let parameters = params![query.source, query.ends_before.map(Timestamp::seconds), limit];
    in_chunks(statement.query(parameters)?, read_kept, take)
}

/// Reads what was last said about one certificate.
pub(super) fn said(row: &Row<'_>) -> Outcome<(RowId, Notified)> {
    let rung = code::rung(number(row, 1)?);
    let mild = row.get::<_, Option<i64>>(3)?.is_some();
    let count = if row.get_ref(4)?.as_i64_or_null()?.is_some() { number(row, 4)? } else { 0 };
    Ok((RowId(number(row, 0)?), Notified { rung, at: time(row, 2)?, mild, count }))
}

/// Reads back everything but the certificates.
pub(super) fn saved(transaction: &Transaction<'_>) -> Outcome<Saved> {
    Ok(Saved {
        scopes: all(transaction, SCOPES, |row| {
            Ok((ScopeId(number(row, 0)?), text(row, 1)?, text(row, 2)?))
        })?,
        ledger: all(transaction, LEDGER, said)?,
        conditions: all(transaction, CONDITIONS, |row| Ok((text(row, 0)?, time(row, 1)?)))?,
        scans: scans(transaction)?,
        snoozes: Vec::new(),
        renewals: Vec::new(),
    })
}

/// Reads the newest scan of each (source, scope, window).
pub(super) fn scans(transaction: &Transaction<'_>) -> Outcome<Vec<ScanRecord>> {
    all(transaction, SCANS, |row| {
        Ok(ScanRecord {
            source: text(row, 0)?,
            scope: text(row, 1)?,
            window: text(row, 2)?,
            started: time(row, 3)?,
            ended: time(row, 4)?,
            proven: row.get(5)?,
            reported: number(row, 6)?,
            collected: number(row, 7)?,
            last_proven: maybe_time(row, 8)?,
            error: row.get(9)?,
        })
    })
}

/// Runs a statement without parameters and reads every row of its answer.
pub(super) fn all<T>(
    transaction: &Transaction<'_>,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let mut statement = transaction.prepare_cached(sql)?;
    collect(statement.query([])?, read)
}

/// Reads every row of an answer.
pub(super) fn collect<T>(
    mut rows: rusqlite::Rows<'_>,
    mut read: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        values.push(read(row)?);
    }
    Ok(values)
}

/// Reads a number of a narrower type than `SQLite` has.
pub(super) fn number<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Outcome<T> {
    let value = row.get_ref(column)?.as_i64()?;
    T::try_from(value).map_err(|_| Failure::Rule(format!("{value} is out of its range")))
}

/// Reads a text.
pub(super) fn text(row: &Row<'_>, column: usize) -> Outcome<String> {
    Ok(row.get(column)?)
}

/// Reads a time.
pub(super) fn time(row: &Row<'_>, column: usize) -> Outcome<Timestamp> {
    Ok(Timestamp::from_seconds(row.get_ref(column)?.as_i64()?))
}

/// Reads a time that may be unknown.
pub(super) fn maybe_time(row: &Row<'_>, column: usize) -> Outcome<Option<Timestamp>> {
    Ok(row.get_ref(column)?.as_i64_or_null()?.map(Timestamp::from_seconds))
}

/// A start reads ten million of these, so texts are borrowed from `SQLite` and only lists that exist are allocated.
fn stored_row(row: &Row<'_>) -> Outcome<(ScopeId, StoredRow)> {
    let names = strings(row.get_ref(11)?.as_str_or_null()?)?;
    let successors = strings(row.get_ref(12)?.as_str_or_null()?)?;
    let issuer = row.get_ref(8)?.as_str()?;
    let parts = StoredParts {
        place: row.get_ref(13)?.as_str_or_null()?.unwrap_or_default(),
        fingerprint: fingerprint(row, 14)?,
        collides: row.get_ref(15)?.as_i64_or_null()?.is_some(),
        signer: row.get_ref(16)?.as_str_or_null()?.unwrap_or(issuer),
        signs: row.get_ref(17)?.as_str_or_null()?.unwrap_or_default(),
        kind: kind(row, 2)?,
        provider: status(row, 3)?,
        status: status(row, 4)?,
        not_before: maybe_time(row, 5)?,
        not_after: maybe_time(row, 6)?,
        end_unlisted: row.get_ref(18)?.as_i64_or_null()?.is_some(),
        row_digest: row.get_ref(7)?.as_i64()?.cast_unsigned(),
        issuer,
        serial: row.get_ref(9)?.as_str()?,
        holder: row.get_ref(10)?.as_str()?,
        names: &names,
        successors: &successors,
    };
    Ok((ScopeId(number(row, 1)?), StoredRow::new(RowId(number(row, 0)?), parts)))
}

fn read_facts(row: &Row<'_>) -> Outcome<Facts> {
    Ok(Facts {
        source: text(row, 0)?,
        scope: text(row, 1)?,
        issuer: text(row, 2)?,
        serial: text(row, 3)?,
        place: row.get_ref(11)?.as_str_or_null()?.unwrap_or_default().to_owned(),
        fingerprint: fingerprint(row, 12)?,
        collides: row.get_ref(13)?.as_i64_or_null()?.is_some(),
        kind: kind(row, 4)?,
        status: status(row, 5)?,
        common_name: text(row, 6)?,
        holder: text(row, 7)?,
        unit: text(row, 8)?,
        not_before: maybe_time(row, 9)?,
        not_after: maybe_time(row, 10)?,
        labels: labels(row.get_ref(14)?.as_str_or_null()?)?,
    })
}

fn read_kept(row: &Row<'_>) -> Outcome<Kept> {
    Ok(Kept {
        facts: read_facts(row)?,
        first_seen: time(row, 15)?,
        names: strings(row.get_ref(16)?.as_str_or_null()?)?,
        successors: strings(row.get_ref(17)?.as_str_or_null()?)?,
    })
}

fn fingerprint(row: &Row<'_>, column: usize) -> Outcome<Option<Fingerprint>> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else { return Ok(None) };
    let unfit = |_| Failure::Rule(format!("{} bytes are no fingerprint", bytes.len()));
    Fingerprint::try_from(bytes).map(Some).map_err(unfit)
}

fn kind(row: &Row<'_>, column: usize) -> Outcome<Kind> {
    let written = row.get_ref(column)?.as_i64()?;
    code::kind(written).ok_or_else(|| Failure::Rule(format!("{written} is not a kind")))
}

fn status(row: &Row<'_>, column: usize) -> Outcome<Status> {
    let written = row.get_ref(column)?.as_i64()?;
    code::status(written).ok_or_else(|| Failure::Rule(format!("{written} is not a status")))
}

fn labels(json: Option<&str>) -> Outcome<Labels> {
    json.map_or(Ok(Labels::new()), |json| {
        serde_json::from_str(json)
            .map_err(|error| Failure::Rule(format!("labels cannot be read: {error}")))
    })
}

fn strings(json: Option<&str>) -> Outcome<Vec<String>> {
    json.map_or(Ok(Vec::new()), |json| {
        serde_json::from_str(json)
            .map_err(|error| Failure::Rule(format!("a list cannot be read: {error}")))
    })
}
