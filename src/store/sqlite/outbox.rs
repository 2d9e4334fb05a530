//! Events that are to be delivered, and how far each delivery has come.

use rusqlite::{Row, Transaction, params};

use super::super::types::{KEPT, KEPT_DEAD};
use super::super::{About, Batch, BatchUpdate, Body, ChannelState, Pending, event};
use super::bodies;
use super::certificates::{all, collect, maybe_time, number, text, time};
use super::failure::{Failure, Outcome};
use super::{heard, posts};
use crate::expiry::{RowId, Severity, Timestamp, said_again};

/// What one settlement clears away at most, beyond as many deliveries as it settled.
const CLEARED: i64 = 1000;

const PENDING: &str = "
    SELECT d.id, e.body, d.batch, b.attempts, b.detail, b.next_at, b.composed_at, b.begun, b.pages
    FROM delivery d CROSS JOIN event e ON e.number = d.event LEFT JOIN batch b
        ON b.channel = d.channel AND b.id = d.batch
    WHERE d.channel = ?1 AND d.state = 'pending' ORDER BY d.id LIMIT ?2";

const AFTER: &str = "
    SELECT e.body FROM delivery d CROSS JOIN event e ON e.number = d.event
    WHERE d.channel = ?1 AND d.state = 'pending' AND d.id > ?2 ORDER BY d.id";

const NEWEST: &str =
    "SELECT coalesce(max(id), 0) FROM delivery WHERE channel = ?1 AND state = 'pending'";

const BACKLOG: &str = "
    SELECT channel, count(*), min(created_at) FROM delivery WHERE state = 'pending'
    GROUP BY channel ORDER BY channel";

const CHANNEL_OF: &str = "SELECT channel FROM delivery WHERE id = ?1";

const BATCH: &str = "
    INSERT INTO batch (id, channel, attempts, detail, next_at, composed_at, begun, pages)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (channel, id) DO UPDATE SET attempts = excluded.attempts, detail = excluded.detail,
        next_at = excluded.next_at, composed_at = excluded.composed_at, begun = excluded.begun,
        pages = excluded.pages";

// Not one that is in another batch that may have arrived.
const FREE: &str = "
    SELECT 1 FROM delivery
    WHERE id = ?1 AND channel = ?3 AND state = 'pending' AND (batch IS NULL OR batch = ?2 OR NOT EXISTS
        (SELECT 1 FROM batch WHERE batch.channel = ?3 AND batch.id = delivery.batch AND batch.begun = 1))";

const FREEZE: &str = "UPDATE delivery SET batch = ?2 WHERE id = ?1";

const SENT: &str = "
    UPDATE delivery SET state = 'sent', settled_at = ?3, certificate_id = NULL
    WHERE batch = ?1 AND channel = ?2 AND state = 'pending'";

const DEAD: &str = "
    UPDATE delivery SET state = 'dead', settled_at = ?3, code = ?4
    WHERE batch = ?1 AND channel = ?2 AND state = 'pending'";

const RETRY: &str = "
    UPDATE batch SET attempts = ?3, detail = ?4, next_at = ?5, composed_at = ?6, begun = ?7, pages = ?8
    WHERE id = ?1 AND channel = ?2";

const RELEASE: &str = "
    UPDATE delivery SET batch = NULL WHERE batch = ?1 AND channel = ?2 AND state = 'pending'";

const GIVEN_UP: &str = "
    SELECT d.id, e.body, d.certificate_id FROM delivery d JOIN event e ON e.number = d.event
    WHERE d.channel = ?1 AND d.state = 'dead' AND d.certificate_id IS NOT NULL AND d.settled_at <= ?2
    ORDER BY d.settled_at, d.id";

const LEAVE: &str = "UPDATE delivery SET certificate_id = NULL, replaced = 1 WHERE id = ?1";

const FORGET_BATCH: &str = "DELETE FROM batch WHERE id = ?1 AND channel = ?2";

const STATE: &str = "
    INSERT INTO channel_state
        (channel, gate_until, down, failures, last_success, since, gave_up_at, gave_up_code)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (channel) DO UPDATE SET gate_until = excluded.gate_until, down = excluded.down,
        failures = excluded.failures, last_success = excluded.last_success, since = excluded.since,
        gave_up_at = excluded.gave_up_at, gave_up_code = excluded.gave_up_code";

const STATE_OF: &str = "
    SELECT gate_until, down, failures, last_success, since, gave_up_at, gave_up_code
    FROM channel_state WHERE channel = ?1";

// What was said of a condition is known for as long as it stands: it is said once.
const CLEAR_SENT: &str = "
    DELETE FROM delivery WHERE id IN
        (SELECT id FROM delivery WHERE state = 'sent' AND settled_at < ?1 AND NOT EXISTS
            (SELECT 1 FROM condition WHERE condition.key = delivery.condition) ORDER BY settled_at LIMIT ?2)
    RETURNING event, channel, batch";

const CLEAR_DEAD: &str = "
    DELETE FROM delivery WHERE id IN
        (SELECT id FROM delivery WHERE state = 'dead' AND settled_at < ?1 ORDER BY settled_at LIMIT ?2)
    RETURNING event, channel, batch";

const CLEAR_BATCH: &str = "
    DELETE FROM batch WHERE id = ?1 AND channel = ?2 AND NOT EXISTS
        (SELECT 1 FROM delivery WHERE batch = ?1 AND channel = ?2 AND state = 'pending')";

const CLEAR_SETTLED: &str = "
    DELETE FROM delivery WHERE id IN
        (SELECT id FROM delivery WHERE state = 'settled' AND settled_at < ?1 ORDER BY settled_at LIMIT ?2)
    RETURNING event, channel, batch";

const CLEAR_EVENT: &str = "
    DELETE FROM event WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM delivery WHERE event = ?1)";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[
    PENDING,
    AFTER,
    NEWEST,
    BACKLOG,
    CHANNEL_OF,
    BATCH,
    FREE,
    FREEZE,
    SENT,
    DEAD,
    RETRY,
    RELEASE,
    GIVEN_UP,
    LEAVE,
    FORGET_BATCH,
    STATE,
    STATE_OF,
    CLEAR_SENT,
    CLEAR_SETTLED,
    CLEAR_DEAD,
    CLEAR_BATCH,
    CLEAR_EVENT,
];

/// Reads what a channel has still to deliver, oldest first.
pub(super) fn pending(
    transaction: &Transaction<'_>,
    channel: &str,
    limit: usize,
) -> Outcome<Vec<Pending>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = transaction.prepare_cached(PENDING)?;
    collect(statement.query(params![channel, limit])?, |row| {
        Ok(Pending {
            delivery: row.get(0)?,
            event: event::read(row.get_ref(1)?.as_str()?).map_err(Failure::Rule)?,
            batch: read_batch(row)?,
        })
    })
}

/// Tells the newest of what a channel has still to deliver, and whether something critical came after a delivery.
pub(super) fn came_after(
    transaction: &Transaction<'_>,
    channel: &str,
    delivery: i64,
) -> Outcome<(i64, bool)> {
    let newest = transaction.prepare_cached(NEWEST)?.query_row([channel], |row| row.get(0))?;
    let mut statement = transaction.prepare_cached(AFTER)?;
    let mut rows = statement.query(params![channel, delivery])?;
    while let Some(row) = rows.next()? {
        let event = event::read(row.get_ref(0)?.as_str()?).map_err(Failure::Rule)?;
        if event.severity == Severity::Critical {
            return Ok((newest, true));
        }
    }
    Ok((newest, false))
}

/// Counts what each channel has still to deliver.
pub(super) fn backlog(transaction: &Transaction<'_>) -> Outcome<Vec<(String, u64, Timestamp)>> {
    all(transaction, BACKLOG, |row| Ok((text(row, 0)?, number(row, 1)?, time(row, 2)?)))
}

/// Freezes deliveries into a batch, with what it says; all of them, or none when one is not free.
pub(super) fn freeze(
    transaction: &Transaction<'_>,
    deliveries: &[i64],
    batch: &Batch,
    body: &Body,
) -> Outcome<bool> {
    let Some(first) = deliveries.first() else { return Ok(true) };
    let mut channel_of = transaction.prepare_cached(CHANNEL_OF)?;
    let Some(channel) = channel_of.query([first])?.next()?.map(|row| text(row, 0)) else {
        return Ok(false);
    };
    let channel = channel?;
    let mut free = transaction.prepare_cached(FREE)?;
    for delivery in deliveries {
        if !free.exists(params![delivery, batch.id, channel])? {
            return Ok(false);
        }
    }
    let mut freeze = transaction.prepare_cached(FREEZE)?;
    for delivery in deliveries {
        freeze.execute(params![delivery, batch.id])?;
    }
    transaction.prepare_cached(BATCH)?.execute(params![
        batch.id,
        channel,
        batch.attempts,
        batch.detail,
        batch.next_at.seconds(),
        batch.composed_at.seconds(),
        batch.begun,
        batch.pages,
    ])?;
    bodies::write(transaction, (&channel, &batch.id), body)?;
    Ok(true)
}

/// Records how a batch ended or goes on, and the channel's state with it.
pub(super) fn settle(
    transaction: &Transaction<'_>,
    (channel, batch): (&str, &str),
    update: &BatchUpdate,
    state: &ChannelState,
) -> Outcome<()> {
    match update {
        BatchUpdate::Delivered { at } => delivered(transaction, (channel, batch), *at)?,
        BatchUpdate::Retry(next) if next.id == batch => {
            transaction.prepare_cached(RETRY)?.execute(params![
                batch,
                channel,
                next.attempts,
                next.detail,
                next.next_at.seconds(),
                next.composed_at.seconds(),
                next.begun,
                next.pages,
            ])?;
        }
        BatchUpdate::Retry(next) => {
            return Err(Failure::Rule(format!("batch {batch} cannot become {}", next.id)));
        }
        BatchUpdate::Released => {
            transaction.prepare_cached(RELEASE)?.execute([batch, channel])?;
            transaction.prepare_cached(FORGET_BATCH)?.execute([batch, channel])?;
        }
        // The batch stays as long: an operator's retry uses the same id.
        BatchUpdate::Dead { at, code } => {
            let dead = params![batch, channel, at.seconds(), code];
            transaction.prepare_cached(DEAD)?.execute(dead)?;
        }
    }
    write_state(transaction, channel, state)
}

fn delivered(
    transaction: &Transaction<'_>,
    (channel, batch): (&str, &str),
    at: Timestamp,
) -> Outcome<()> {
    heard::tell(transaction, (channel, batch), at)?;
    let sent = params![batch, channel, at.seconds()];
    let settled = transaction.prepare_cached(SENT)?.execute(sent)?;
    transaction.prepare_cached(FORGET_BATCH)?.execute([batch, channel])?;
    if settled > 0 {
        say_again(transaction, channel, at, at)?;
    }
    Ok(())
}

/// Puts back what was given up before a time and is still open, as events of their own.
pub(super) fn say_again(
    transaction: &Transaction<'_>,
    channel: &str,
    given_up_before: Timestamp,
    at: Timestamp,
) -> Outcome<u64> {
    let mut statement = transaction.prepare_cached(GIVEN_UP)?;
    let given_up = collect(statement.query(params![channel, given_up_before.seconds()])?, |row| {
        let event = event::read(row.get_ref(1)?.as_str()?).map_err(Failure::Rule)?;
        Ok((row.get::<_, i64>(0)?, event, RowId(row.get(2)?)))
    })?;
    for (delivery, event, row) in &given_up {
        transaction.prepare_cached(LEAVE)?.execute([delivery])?;
        let (event, about) = (said_again(event, at), About::Certificate(*row));
        posts::enqueue(transaction, &event, &[channel.to_owned()], &about, false)?;
    }
    Ok(given_up.len() as u64)
}

/// Reads a channel's state.
pub(super) fn channel_state(transaction: &Transaction<'_>, channel: &str) -> Outcome<ChannelState> {
    let mut statement = transaction.prepare_cached(STATE_OF)?;
    let mut rows = statement.query([channel])?;
    rows.next()?.map_or(Ok(ChannelState::default()), |row| {
        Ok(ChannelState {
            gate_until: maybe_time(row, 0)?,
            down: row.get(1)?,
            failures: number(row, 2)?,
            last_success: maybe_time(row, 3)?,
            since: maybe_time(row, 4)?,
            gave_up: maybe_time(row, 5)?.zip(row.get(6)?),
        })
    })
}

fn read_batch(row: &Row<'_>) -> Outcome<Option<Batch>> {
    let Some(id) = row.get::<_, Option<String>>(2)? else { return Ok(None) };
    Ok(Some(Batch {
        attempts: number(row, 3)?,
        detail: number(row, 4)?,
        next_at: time(row, 5)?,
        composed_at: time(row, 6)?,
        begun: row.get(7)?,
        pages: number(row, 8)?,
        id,
    }))
}

fn write_state(transaction: &Transaction<'_>, channel: &str, state: &ChannelState) -> Outcome<()> {
    transaction.prepare_cached(STATE)?.execute(params![
        channel,
        state.gate_until.map(Timestamp::seconds),
        state.down,
        state.failures,
        state.last_success.map(Timestamp::seconds),
        state.since.map(Timestamp::seconds),
        state.gave_up.as_ref().map(|(at, _)| at.seconds()),
        state.gave_up.as_ref().map(|(_, code)| code),
    ])?;
    Ok(())
}

/// Clears away a piece of what ended long ago, with batches and events that nothing points to any more. Answers whether
/// there may be more.
pub(super) fn clear(transaction: &Transaction<'_>, now: Timestamp) -> Outcome<bool> {
    let mut more = false;
    let mut batch = transaction.prepare_cached(CLEAR_BATCH)?;
    let mut event = transaction.prepare_cached(CLEAR_EVENT)?;
    for (sql, kept) in [(CLEAR_SENT, KEPT), (CLEAR_SETTLED, KEPT), (CLEAR_DEAD, KEPT_DEAD)] {
        let mut ended = transaction.prepare_cached(sql)?;
        let rows = ended.query([now.plus(-kept).seconds(), CLEARED])?;
        let cleared = collect(rows, |row| {
            Ok((row.get::<_, i64>(0)?, text(row, 1)?, row.get::<_, Option<String>>(2)?))
        })?;
        more |= i64::try_from(cleared.len()).is_ok_and(|count| count >= CLEARED);
        for (number, channel, id) in cleared {
            if let Some(id) = id {
                batch.execute([&id, &channel])?;
            }
            event.execute([number])?;
        }
    }
    Ok(more)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::schema;
    use super::*;

    fn plan(sql: &str) -> String {
        let connection = Connection::open_in_memory().unwrap();
        for step in schema::STEPS {
            connection.execute_batch(step).unwrap();
        }
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        for parameter in 1..=statement.parameter_count() {
            statement.raw_bind_parameter(parameter, 1).unwrap();
        }
        let mut rows = statement.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get::<_, String>(3).unwrap());
        }
        steps.join("; ")
    }

    #[test]
    fn nothing_walks_over_the_whole_outbox() {
        for (sql, index) in [
            (PENDING, "INDEX delivery_pending (channel=?)"),
            (SENT, "INDEX delivery_frozen (batch=?)"),
            (DEAD, "INDEX delivery_frozen (batch=?)"),
            (RELEASE, "INDEX delivery_frozen (batch=?)"),
            (GIVEN_UP, "INDEX delivery_given_up (channel=? AND settled_at<?)"),
            (CLEAR_SENT, "INDEX delivery_sent (settled_at<?)"),
            (CLEAR_SETTLED, "INDEX delivery_settled (settled_at<?)"),
            (CLEAR_DEAD, "INDEX delivery_dead (settled_at<?)"),
            (CLEAR_BATCH, "INDEX delivery_frozen (batch=?)"),
            (FREE, "INTEGER PRIMARY KEY (rowid=?)"),
            (FREEZE, "INTEGER PRIMARY KEY (rowid=?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(index), "{sql}: {plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
        let backlog = plan(BACKLOG);
        assert_eq!(backlog, "SCAN delivery USING COVERING INDEX delivery_pending");
    }
}
