//! What is kept of one certificate beside itself: the ends that it had, and what was said of it.

use rusqlite::{Transaction, params};

use super::super::entries::{Line, by_message};
use super::super::{OutboxEntry, Standing, event};
use super::certificates::{collect, maybe_time, said, text, time};
use super::failure::{Failure, Outcome};
use crate::expiry::{Event, Notified, RowId, Timestamp};

/// Ends that are kept of a certificate.
pub(super) const ENDS: i64 = 10;

/// Messages that are looked up.
const MESSAGES: usize = 200;

const MOVE: &str = "
    INSERT INTO former_end (certificate_id, not_after, until)
    SELECT id, not_after, ?2 FROM certificate WHERE id = ?1 AND not_after IS NOT NULL";

const KEEP_TEN: &str = "
    DELETE FROM former_end WHERE certificate_id = ?1 AND number NOT IN
        (SELECT number FROM former_end WHERE certificate_id = ?1 ORDER BY number DESC LIMIT ?2)";

const ENDS_OF: &str = "
    SELECT not_after, until FROM former_end WHERE certificate_id = ?1 ORDER BY number";

const FORGET: &str = "DELETE FROM former_end WHERE certificate_id = ?1";

const SAID_OF: &str = "
    SELECT d.id, d.channel, d.batch, d.created_at, d.settled_at, d.code, d.replaced, d.state, e.body
    FROM event e CROSS JOIN delivery d ON d.event = e.number
    WHERE e.certificate = ?1 AND d.state <> 'settled' ORDER BY d.id DESC LIMIT ?2";

const OPEN: &str = "
    SELECT certificate_id, rung, at, mild, reminders, told FROM ledger
    WHERE certificate_id > ?1 ORDER BY certificate_id LIMIT ?2";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[MOVE, KEEP_TEN, ENDS_OF, FORGET, SAID_OF, OPEN];

/// Keeps the ends of certificates that are about to get other ones. To be called before they do.
pub(super) fn keep_ends(
    transaction: &Transaction<'_>,
    moved: &[(RowId, Timestamp)],
) -> Outcome<()> {
    for (row, at) in moved {
        transaction.prepare_cached(MOVE)?.execute(params![row.0, at.seconds()])?;
        transaction.prepare_cached(KEEP_TEN)?.execute(params![row.0, ENDS])?;
    }
    Ok(())
}

/// Forgets the ends of certificates that are gone.
pub(super) fn forget(transaction: &Transaction<'_>, removed: &[RowId]) -> Outcome<()> {
    let mut forget = transaction.prepare_cached(FORGET)?;
    removed.iter().try_for_each(|row| forget.execute([row.0]).map(drop))?;
    Ok(())
}

/// Reads the ends that a certificate had, each with the time until which it had it.
pub(super) fn ends(
    transaction: &Transaction<'_>,
    row: RowId,
) -> Outcome<Vec<(Timestamp, Timestamp)>> {
    let mut statement = transaction.prepare_cached(ENDS_OF)?;
    collect(statement.query([row.0])?, |row| Ok((time(row, 0)?, time(row, 1)?)))
}

/// Reads open alerts about certificates with larger numbers, as they were last said, and who was told.
pub(super) fn open(
    transaction: &Transaction<'_>,
    after: Option<RowId>,
    limit: usize,
) -> Outcome<Vec<(RowId, Notified, Vec<String>)>> {
    let after = after.map_or(-1, |row| i64::from(row.0));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = transaction.prepare_cached(OPEN)?;
    collect(statement.query([after, limit])?, |row| {
        let (number, notified) = said(row)?;
        let told = serde_json::from_str(row.get_ref(5)?.as_str()?);
        let told = told.map_err(|error| Failure::Rule(format!("who was told: {error}")))?;
        Ok((number, notified, told))
    })
}

/// Reads what was said of a certificate, the newest first.
pub(super) fn said_of(transaction: &Transaction<'_>, id: &str) -> Outcome<Vec<OutboxEntry>> {
    let mut statement = transaction.prepare_cached(SAID_OF)?;
    let most = i64::try_from(MESSAGES).unwrap_or(i64::MAX);
    let lines = collect(statement.query(params![id, most])?, |row| {
        let standing = match row.get_ref(7)?.as_str()? {
            "pending" => Standing::Waiting,
            "dead" => Standing::Dead,
            _ => Standing::Sent,
        };
        let event: Event = event::read(row.get_ref(8)?.as_str()?).map_err(Failure::Rule)?;
        Ok(Line {
            id: row.get(0)?,
            event: (standing, event),
            channel: text(row, 1)?,
            batch: row.get(2)?,
            decided: time(row, 3)?,
            ended: maybe_time(row, 4)?,
            code: row.get(5)?,
            replaced: row.get::<_, Option<i64>>(6)?.is_some(),
        })
    })?;
    let entry = |(line, count): (Line<(Standing, Event)>, u64)| {
        let (standing, event) = line.event.clone();
        OutboxEntry::of((line, count), standing, event)
    };
    Ok(by_message(lines, MESSAGES).into_iter().map(entry).collect())
}
