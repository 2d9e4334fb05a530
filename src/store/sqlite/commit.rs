//! Writing one step of the pipeline.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};

use super::super::{Commit, RowWrite, ScanRecord, Settled, code};
use super::failure::{Failure, Outcome};
use super::{audit, checkpoints, history, names, posts, renewals, snoozes};
use crate::expiry::{Notified, RowId, Sighting, Timestamp};

const SCOPE: &str = "INSERT INTO scope (id, source, scope) VALUES (?1, ?2, ?3)";

const FORGET_CERTIFICATE: &str = "DELETE FROM certificate WHERE id = ?1";

const FORGET_LEDGER: &str = "DELETE FROM ledger WHERE certificate_id = ?1";

// Everything but `first_seen`, which stays as it was first written.
const ROW: &str = "
    INSERT INTO certificate (id, scope_id, kind, provider_status, status, not_before, not_after, row_digest,
        first_seen, issuer, serial, common_name, holder, unit, names, successors,
        place, fingerprint, collides, signer, signs, end_unlisted, labels)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
        (SELECT id FROM label_set WHERE labels = ?23))
    ON CONFLICT (id) DO UPDATE SET scope_id = excluded.scope_id, kind = excluded.kind,
        provider_status = excluded.provider_status, status = excluded.status, not_before = excluded.not_before,
        not_after = excluded.not_after, row_digest = excluded.row_digest, issuer = excluded.issuer,
        serial = excluded.serial, common_name = excluded.common_name, holder = excluded.holder,
        unit = excluded.unit, names = excluded.names, successors = excluded.successors,
        place = excluded.place, fingerprint = excluded.fingerprint, collides = excluded.collides,
        signer = excluded.signer, signs = excluded.signs,
        end_unlisted = excluded.end_unlisted, labels = excluded.labels";

const LABEL_SET: &str =
    "INSERT INTO label_set (labels) VALUES (?1) ON CONFLICT (labels) DO NOTHING";

const STATUS: &str = "UPDATE certificate SET status = ?2 WHERE id = ?1";

const WRITE_LEDGER: &str = "
    INSERT INTO ledger (certificate_id, rung, at, told, mild, reminders) VALUES (?1, ?2, ?3, '[]', ?4, ?5)
    ON CONFLICT (certificate_id) DO UPDATE SET rung = excluded.rung, at = excluded.at, mild = excluded.mild,
        reminders = excluded.reminders";

const INHERIT: &str = "
    INSERT INTO ledger (certificate_id, rung, at, told, mild, reminders, late)
    SELECT ?2, rung, at, told, mild, reminders, late FROM ledger WHERE certificate_id = ?1
    ON CONFLICT (certificate_id) DO NOTHING";

const WRITE_CONDITION: &str = "
    INSERT INTO condition (key, at) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET at = excluded.at";

const FORGET_CONDITION: &str = "DELETE FROM condition WHERE key = ?1";

const SCAN: &str = r#"
    INSERT INTO scan (source, scope, "window", started, ended, proven, reported, collected, last_proven, error)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (source, scope, "window") DO UPDATE SET started = excluded.started, ended = excluded.ended,
        proven = excluded.proven, reported = excluded.reported, collected = excluded.collected,
        last_proven = excluded.last_proven, error = excluded.error"#;

const FORGET_SCANS: &str = "DELETE FROM scan WHERE source = ?1 AND scope = ?2";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[
    SCOPE,
    FORGET_CERTIFICATE,
    FORGET_LEDGER,
    ROW,
    LABEL_SET,
    STATUS,
    WRITE_LEDGER,
    INHERIT,
    WRITE_CONDITION,
    FORGET_CONDITION,
    FORGET_SCANS,
    SCAN,
];

/// Writes everything, in the order that `Commit` promises, and answers with what it settled.
pub(super) fn write(transaction: &Transaction<'_>, commit: &Commit) -> Outcome<Settled> {
    for (id, source, scope) in &commit.scopes {
        transaction.prepare_cached(SCOPE)?.execute(params![id.0, source, scope])?;
    }
    let settled = posts::post(transaction, &commit.outbox)?;
    history::keep_ends(transaction, &commit.former_ends)?;
    remove(transaction, &commit.removed)?;
    history::forget(transaction, &commit.removed)?;
    write_rows(transaction, &commit.rows)?;
    let written = commit.rows.iter().map(|write| write.row);
    names::mark(transaction, written.chain(commit.removed.iter().copied()))?;
    let mut statement = transaction.prepare_cached(STATUS)?;
    for (row, status) in &commit.statuses {
        statement.execute(params![row.0, code::of_status(*status)])?;
    }
    write_ledger(transaction, &commit.ledger)?;
    for (from, to) in &commit.inherited {
        transaction.prepare_cached(INHERIT)?.execute([from.0, to.0])?;
    }
    write_conditions(transaction, &commit.conditions)?;
    for (source, scope) in &commit.unlisted {
        transaction.prepare_cached(FORGET_SCANS)?.execute([source, scope])?;
        checkpoints::forget_scope(transaction, source, scope)?;
    }
    checkpoints::write(transaction, &commit.checkpoints)?;
    commit.scans.iter().try_for_each(|scan| write_scan(transaction, scan))?;
    snoozes::write(transaction, &commit.snoozes)?;
    renewals::add(transaction, &commit.renewals)?;
    audit::write(transaction, &commit.audit)?;
    Ok(settled)
}

fn remove(transaction: &Transaction<'_>, removed: &[RowId]) -> Outcome<()> {
    let mut certificate = transaction.prepare_cached(FORGET_CERTIFICATE)?;
    let mut ledger = transaction.prepare_cached(FORGET_LEDGER)?;
    for row in removed {
        certificate.execute([row.0])?;
        ledger.execute([row.0])?;
    }
    Ok(())
}

fn write_rows(transaction: &Transaction<'_>, rows: &[RowWrite]) -> Outcome<()> {
    let mut statement = transaction.prepare_cached(ROW)?;
    for RowWrite { row, scope, sighting, status, first_seen } in rows {
        let labels = label_set(transaction, sighting)?;
        statement.execute(params![
            row.0,
            scope.0,
            code::of_kind(sighting.kind),
            code::of_status(sighting.status),
            code::of_status(*status),
            sighting.not_before.map(Timestamp::seconds),
            sighting.not_after.map(Timestamp::seconds),
            sighting.row_digest().cast_signed(),
            first_seen.seconds(),
            sighting.issuer,
            sighting.serial,
            sighting.common_name,
            sighting.holder,
            sighting.unit,
            strings(&sighting.names)?,
            strings(&sighting.successors)?,
            unless_empty(&sighting.place),
            sighting.fingerprint,
            sighting.collides.then_some(1),
            Some(&sighting.signer).filter(|signer| **signer != sighting.issuer),
            unless_empty(&sighting.signs),
            sighting.end_unlisted.then_some(1),
            labels,
        ])?;
    }
    Ok(())
}

/// Writes labels that are not there yet: those of a source or an account are the same on most of its certificates.
fn label_set(transaction: &Transaction<'_>, sighting: &Sighting) -> Outcome<Option<String>> {
    if sighting.labels.is_empty() {
        return Ok(None);
    }
    let labels: BTreeMap<&str, &str> =
        sighting.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let text = json(&labels)?;
    transaction.prepare_cached(LABEL_SET)?.execute([&text])?;
    Ok(Some(text))
}

fn unless_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn write_ledger(
    transaction: &Transaction<'_>,
    ledger: &[(RowId, Option<Notified>)],
) -> Outcome<()> {
    let mut write = transaction.prepare_cached(WRITE_LEDGER)?;
    let mut forget = transaction.prepare_cached(FORGET_LEDGER)?;
    for (row, notified) in ledger {
        match notified {
            None => forget.execute([row.0])?,
            Some(Notified { rung, at, mild, count }) => {
                let (mild, count) = (mild.then_some(1), Some(*count).filter(|count| *count > 0));
                write.execute(params![row.0, code::of_rung(*rung), at.seconds(), mild, count])?
            }
        };
    }
    Ok(())
}

fn write_conditions(
    transaction: &Transaction<'_>,
    conditions: &[(String, Option<Timestamp>)],
) -> Outcome<()> {
    for (key, at) in conditions {
        match at {
            None => transaction.prepare_cached(FORGET_CONDITION)?.execute([key])?,
            Some(at) => {
                transaction.prepare_cached(WRITE_CONDITION)?.execute(params![key, at.seconds()])?
            }
        };
    }
    Ok(())
}

fn write_scan(transaction: &Transaction<'_>, scan: &ScanRecord) -> Outcome<()> {
    transaction.prepare_cached(SCAN)?.execute(params![
        scan.source,
        scan.scope,
        scan.window,
        scan.started.seconds(),
        scan.ended.seconds(),
        scan.proven,
        count(scan.reported),
        count(scan.collected),
        scan.last_proven.map(Timestamp::seconds),
        scan.error,
    ])?;
    Ok(())
}

/// A provider may claim any total; one beyond `SQLite`'s numbers is as wrong as the largest of them.
fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn strings(list: &[String]) -> Outcome<Option<String>> {
    if list.is_empty() { Ok(None) } else { json(list).map(Some) }
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Outcome<String> {
    serde_json::to_string(value)
        .map_err(|error| Failure::Rule(format!("a list cannot be written: {error}")))
}
