//! Who was told of an alert, and when.

use rusqlite::{Transaction, params};

use super::certificates::{all, collect, maybe_time, text, time};
use super::failure::Outcome;
use crate::expiry::{Heard, RowId, Timestamp};

/// What is told soon costs no word: it counts from when it was decided.
const TELL: &str = "
    UPDATE ledger SET
        told = (SELECT json_group_array(value) FROM
            (SELECT value FROM json_each(ledger.told) UNION SELECT ?2 ORDER BY 1)),
        late = CASE
            WHEN ?3 - at > ?4 THEN json_patch(coalesce(late, '{}'), json_object(?2, ?3))
            WHEN late IS NOT NULL THEN nullif(json_patch(late, json_object(?2, NULL)), '{}')
        END
    WHERE certificate_id IN
        (SELECT certificate_id FROM delivery WHERE batch = ?1 AND channel = ?2 AND state = 'pending')";

const TOLD: &str = "
    SELECT value FROM ledger, json_each(ledger.told) WHERE certificate_id = ?1 ORDER BY value";

const HEARD: &str = "
    SELECT one.key, one.value FROM ledger, json_each(ledger.late) one
    WHERE ledger.certificate_id = ?1 AND ledger.late IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM delivery WHERE delivery.certificate_id = ?1 AND delivery.channel = one.key
            AND delivery.state IN ('pending', 'dead'))
    UNION SELECT delivery.channel, NULL FROM delivery
        JOIN batch ON batch.channel = delivery.channel AND batch.id = delivery.batch
    WHERE delivery.certificate_id = ?1 AND delivery.state = 'pending' AND batch.begun = 1 AND NOT EXISTS
        (SELECT 1 FROM delivery other LEFT JOIN batch of ON of.channel = other.channel AND of.id = other.batch
            WHERE other.certificate_id = ?1 AND other.channel = delivery.channel
                AND (other.state = 'dead' OR (other.state = 'pending' AND coalesce(of.begun, 0) = 0))) ORDER BY 1";

const LATE: &str = "
    SELECT certificate_id, one.value FROM ledger, json_each(ledger.late) one
    WHERE late IS NOT NULL ORDER BY certificate_id, one.key";

const FORGET_OTHERS: &str = "
    UPDATE ledger SET told = (SELECT json_group_array(value) FROM json_each(ledger.told)
        WHERE value IN (SELECT value FROM json_each(?1)))
    WHERE EXISTS (SELECT 1 FROM json_each(ledger.told) WHERE value NOT IN (SELECT value FROM json_each(?1)))";

const FORGET_LATE: &str = "
    UPDATE ledger SET late = nullif((SELECT json_group_object(key, value) FROM json_each(ledger.late)
        WHERE key IN (SELECT value FROM json_each(?1))), '{}')
    WHERE late IS NOT NULL";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[TELL, TOLD, HEARD, LATE, FORGET_OTHERS, FORGET_LATE];

/// A channel is told of what a batch is about.
pub(super) fn tell(
    transaction: &Transaction<'_>,
    (channel, batch): (&str, &str),
    at: Timestamp,
) -> Outcome<()> {
    let values = params![batch, channel, at.seconds(), Heard::SOON];
    transaction.prepare_cached(TELL)?.execute(values)?;
    Ok(())
}

/// Nobody was told but these channels, in JSON.
pub(super) fn forget_others(transaction: &Transaction<'_>, channels: &str) -> Outcome<()> {
    transaction.prepare_cached(FORGET_OTHERS)?.execute([channels])?;
    transaction.prepare_cached(FORGET_LATE)?.execute([channels])?;
    Ok(())
}

/// Reads who was told of the open alerts about certificates.
pub(super) fn told(transaction: &Transaction<'_>, rows: &[RowId]) -> Outcome<Vec<Vec<String>>> {
    let mut statement = transaction.prepare_cached(TOLD)?;
    let mut told_of = |row: &RowId| collect(statement.query([row.0])?, |row| text(row, 0));
    rows.iter().map(&mut told_of).collect()
}

/// Reads who was told late of the open alerts about certificates, and to whom a message may have arrived.
pub(super) fn heard(transaction: &Transaction<'_>, rows: &[RowId]) -> Outcome<Vec<Vec<Heard>>> {
    let mut statement = transaction.prepare_cached(HEARD)?;
    let mut heard_of = |row: &RowId| {
        collect(statement.query([row.0])?, |row| {
            Ok(Heard { channel: text(row, 0)?, at: maybe_time(row, 1)? })
        })
    };
    rows.iter().map(&mut heard_of).collect()
}

/// Reads every open alert that a channel was told of late, and when.
pub(super) fn late(transaction: &Transaction<'_>) -> Outcome<Vec<(RowId, Timestamp)>> {
    all(transaction, LATE, |row| Ok((RowId(row.get(0)?), time(row, 1)?)))
}
