//! The outbox as people look at it, and what they do about it.

use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::super::entries::{LOOKED_AT, Line, by_message};
use super::super::{EntryQuery, OutboxAnswer, OutboxEntry, OutboxOrder, Standing, event};
use super::certificates::{all, collect, maybe_time, number, text, time};
use super::failure::{Failure, Outcome};
use super::outbox;
use crate::expiry::{Event, Timestamp};

const WAITING: &str = "
    SELECT id, event, channel, batch, created_at, settled_at, code, replaced FROM delivery
    WHERE state = 'pending' AND channel = ?1 ORDER BY id LIMIT ?2";

const DEAD: &str = "
    SELECT id, event, channel, batch, created_at, settled_at, code, replaced FROM delivery
    WHERE state = 'dead' AND (?1 IS NULL OR channel = ?1) ORDER BY settled_at DESC, id LIMIT ?2";

const SENT: &str = "
    SELECT id, event, channel, batch, created_at, settled_at, code, replaced FROM delivery
    WHERE state = 'sent' AND (?1 IS NULL OR channel = ?1) ORDER BY settled_at DESC, id DESC LIMIT ?2";

const EVENT: &str = "SELECT body FROM event WHERE number = ?1";

const GIVEN_UP: &str = "
    SELECT channel, count(DISTINCT coalesce(batch, id)) FROM delivery
    WHERE state = 'dead' AND replaced IS NULL GROUP BY channel ORDER BY channel";

const ONE: &str = "SELECT channel, state, batch FROM delivery WHERE id = ?1";

// What was given up goes back where it waits, with its batch; what was said again since stays.
const REVIVE: &str = "
    UPDATE delivery SET state = 'pending', settled_at = NULL, code = NULL
    WHERE id IN (SELECT id FROM delivery WHERE state = 'dead' AND replaced IS NULL AND channel = ?2
        AND (id = ?1 OR batch = ?3))";

// It was clearly refused: it may be composed anew.
const REFRESH: &str = "
    UPDATE batch SET attempts = 0, detail = 0, begun = 0, pages = 0 WHERE channel = ?1 AND id = ?2";

const DROP: &str = "
    UPDATE delivery SET state = 'settled', settled_at = ?4, certificate_id = NULL, condition = NULL
    WHERE channel = ?2 AND state = ?5 AND (id = ?1 OR batch = ?3)";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] =
    &[WAITING, DEAD, SENT, EVENT, GIVEN_UP, ONE, REVIVE, REFRESH, DROP];

/// Lists messages: what waits longest first, what has ended last first.
pub(super) fn list(transaction: &Transaction<'_>, query: &EntryQuery) -> Outcome<Vec<OutboxEntry>> {
    let lines = match query.standing {
        Standing::Waiting => waiting(transaction, query.channel.as_deref())?,
        Standing::Dead => lines(transaction, DEAD, query.channel.as_deref())?,
        Standing::Sent => lines(transaction, SENT, query.channel.as_deref())?,
    };
    let mut event = transaction.prepare_cached(EVENT)?;
    let mut entries = Vec::new();
    for found in by_message(lines, query.limit) {
        let event: Event = event.query_row([found.0.event], |row| Ok(read(row)))??;
        entries.push(OutboxEntry::of(found, query.standing, event));
    }
    Ok(entries)
}

/// Counts what was given up for each channel, and not said again since.
pub(super) fn given_up(transaction: &Transaction<'_>) -> Outcome<Vec<(String, u64)>> {
    all(transaction, GIVEN_UP, |row| Ok((text(row, 0)?, number(row, 1)?)))
}

/// Does what an operator wants done with a message.
pub(super) fn order(
    transaction: &Transaction<'_>,
    (id, order): (i64, OutboxOrder),
    channels: &[String],
    at: Timestamp,
) -> Outcome<OutboxAnswer> {
    let found = transaction
        .prepare_cached(ONE)?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((channel, state, batch)) = found else { return Ok(OutboxAnswer::Unknown) };
    let (channel, state, batch): (String, String, Option<String>) = (channel, state, batch);
    match (order, state.as_str()) {
        (_, "settled") => return Ok(OutboxAnswer::Unknown),
        (OutboxOrder::Drop, "pending" | "dead") => {
            let dropped = params![id, channel, batch, at.seconds(), state];
            let events = transaction.prepare_cached(DROP)?.execute(dropped)? as u64;
            return Ok(OutboxAnswer::Done { channel, events });
        }
        (OutboxOrder::Retry, "dead") => {}
        _ => return Ok(OutboxAnswer::NotGivenUp),
    }
    if !channels.contains(&channel) {
        return Ok(OutboxAnswer::NoChannel(channel));
    }
    let revived = params![id, channel, batch];
    let events = transaction.prepare_cached(REVIVE)?.execute(revived)? as u64;
    if events == 0 {
        return Ok(OutboxAnswer::Replaced);
    }
    transaction.prepare_cached(REFRESH)?.execute(params![channel, batch])?;
    Ok(OutboxAnswer::Done { channel, events })
}

fn waiting(transaction: &Transaction<'_>, channel: Option<&str>) -> Outcome<Vec<Line<i64>>> {
    if channel.is_some() {
        return lines(transaction, WAITING, channel);
    }
    let mut found = Vec::new();
    for (channel, ..) in outbox::backlog(transaction)? {
        found.extend(lines(transaction, WAITING, Some(&channel))?);
    }
    Ok(found)
}

fn lines(
    transaction: &Transaction<'_>,
    sql: &str,
    channel: Option<&str>,
) -> Outcome<Vec<Line<i64>>> {
    let most = i64::try_from(LOOKED_AT).unwrap_or(i64::MAX);
    let mut statement = transaction.prepare_cached(sql)?;
    collect(statement.query(params![channel, most])?, |row| {
        Ok(Line {
            id: row.get(0)?,
            event: row.get(1)?,
            channel: text(row, 2)?,
            batch: row.get(3)?,
            decided: time(row, 4)?,
            ended: maybe_time(row, 5)?,
            code: row.get(6)?,
            replaced: row.get::<_, Option<i64>>(7)?.is_some(),
        })
    })
}

fn read(row: &Row<'_>) -> Outcome<Event> {
    event::read(row.get_ref(0)?.as_str()?).map_err(Failure::Rule)
}
