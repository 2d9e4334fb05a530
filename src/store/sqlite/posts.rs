//! What a step of the pipeline does to the outbox.

use rusqlite::{Transaction, params};

use super::super::{About, Post, Settled, Stranded, event};
use super::certificates::{collect, said, text};
use super::failure::{Failure, Outcome};
use super::heard;
use crate::expiry::{Event, Facts, Notified, RowId, Timestamp};

const EVENT: &str = "
    INSERT INTO event (id, body, certificate) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING";

const EVENT_NUMBER: &str = "SELECT number FROM event WHERE id = ?1";

// What was settled was never sent; what was said of an alert that was closed meanwhile is news again.
const MAKE_ROOM: &str = "
    DELETE FROM delivery WHERE event = ?1 AND channel = ?2
        AND (state = 'settled' OR (?3 AND state IN ('sent', 'dead')))";

const DELIVERY: &str = "
    INSERT INTO delivery (event, channel, created_at, certificate_id, condition) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (event, channel) DO NOTHING";

const IS_OPEN: &str = "SELECT 1 FROM ledger WHERE certificate_id = ?1";

const SETTLE_CERTIFICATE: &str = "
    UPDATE delivery SET state = 'settled', settled_at = ?2, certificate_id = NULL
    WHERE certificate_id = ?1 AND state = 'pending' AND NOT EXISTS
        (SELECT 1 FROM batch WHERE batch.channel = delivery.channel AND batch.id = delivery.batch AND batch.begun = 1)
    RETURNING channel";

/// What was given up is not said again once something else takes its place.
const LEAVE_GIVEN_UP: &str = "UPDATE delivery SET certificate_id = NULL, replaced = 1 WHERE certificate_id = ?1 AND state = 'dead'";

/// Those that were told, and those that a message is on its way to.
const RECIPIENTS: &str = "
    SELECT value FROM ledger, json_each(ledger.told) WHERE certificate_id = ?1
    UNION SELECT channel FROM delivery WHERE certificate_id = ?1 AND state = 'pending' ORDER BY 1";

const RELEASE: &str = "UPDATE delivery SET certificate_id = NULL WHERE certificate_id = ?1";

const FORGET_LEDGER: &str = "DELETE FROM ledger WHERE certificate_id = ?1";

const SETTLE_CONDITION: &str = "
    UPDATE delivery SET state = 'settled', settled_at = ?2
    WHERE condition = ?1 AND state = 'pending' AND NOT EXISTS
        (SELECT 1 FROM batch WHERE batch.channel = delivery.channel AND batch.id = delivery.batch AND batch.begun = 1)
    RETURNING channel";

/// Who has a condition to deliver, or was told of it.
const HAD: &str = "
    SELECT DISTINCT channel FROM delivery WHERE condition = ?1 AND state <> 'settled' ORDER BY 1";

/// Who was told of a condition, or may have been, once what waits about it is settled.
const HEARD: &str = "
    SELECT DISTINCT channel FROM delivery WHERE condition = ?1 AND state IN ('sent', 'pending') ORDER BY 1";

const FORGET_CONDITION: &str = "
    UPDATE delivery SET condition = NULL, replaced = CASE state WHEN 'dead' THEN 1 ELSE replaced END
    WHERE condition = ?1";

const SETTLE_OTHERS: &str = "
    UPDATE delivery SET state = 'settled', settled_at = ?2, certificate_id = NULL, condition = NULL
    WHERE state = 'pending' AND channel NOT IN (SELECT value FROM json_each(?1)) RETURNING channel";

const STRANDED: &str = "
    SELECT event.body, min(delivery.certificate_id), min(delivery.condition)
    FROM delivery JOIN event ON event.number = delivery.event
    WHERE delivery.state = 'pending' AND delivery.channel NOT IN (SELECT value FROM json_each(?1))
    GROUP BY event.number ORDER BY min(delivery.id)";

const OPEN_FOR: &str = "
    SELECT certificate_id, rung, at, mild, reminders FROM ledger
    WHERE EXISTS (SELECT 1 FROM json_each(ledger.told) WHERE value = ?1) ORDER BY certificate_id";

const LEAVE_OUT: &str = "
    UPDATE delivery SET state = 'settled', settled_at = ?3, certificate_id = NULL, condition = NULL
    WHERE id = ?1 AND channel = ?2 AND state = 'pending' AND NOT EXISTS
        (SELECT 1 FROM batch WHERE batch.channel = delivery.channel AND batch.id = delivery.batch AND batch.begun = 1)";

const UNSAID: &str = "
    SELECT certificate_id FROM ledger WHERE told = '[]' AND NOT EXISTS
        (SELECT 1 FROM delivery WHERE delivery.certificate_id = ledger.certificate_id
            AND delivery.state IN ('pending', 'dead')) ORDER BY certificate_id";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[
    EVENT,
    EVENT_NUMBER,
    MAKE_ROOM,
    DELIVERY,
    IS_OPEN,
    SETTLE_CERTIFICATE,
    LEAVE_GIVEN_UP,
    RECIPIENTS,
    RELEASE,
    FORGET_LEDGER,
    SETTLE_CONDITION,
    HAD,
    HEARD,
    FORGET_CONDITION,
    SETTLE_OTHERS,
    STRANDED,
    OPEN_FOR,
    LEAVE_OUT,
    UNSAID,
];

/// Does what the posts say, in their order, and answers with what they settled.
pub(super) fn post(transaction: &Transaction<'_>, posts: &[Post]) -> Outcome<Settled> {
    let mut settled = Settled::new();
    for one in posts {
        for channel in post_one(transaction, one)? {
            *settled.entry(channel).or_default() += 1;
        }
    }
    Ok(settled)
}

fn post_one(transaction: &Transaction<'_>, post: &Post) -> Outcome<Vec<String>> {
    match post {
        Post::Say { event, channels, about } => {
            enqueue(transaction, event, channels, about, false)?;
            Ok(Vec::new())
        }
        Post::Rung { row, event, channels } => {
            let settled = settle_certificate(transaction, *row, event.at)?;
            transaction.prepare_cached(LEAVE_GIVEN_UP)?.execute([row.0])?;
            let opens = !transaction.prepare_cached(IS_OPEN)?.exists([row.0])?;
            enqueue(transaction, event, channels, &About::Certificate(*row), opens)?;
            Ok(settled)
        }
        Post::Closed { row, at, event, channels } => {
            close(transaction, *row, *at, event.as_ref(), channels)
        }
        Post::Held { about, at } => hold(transaction, about, *at),
        Post::Over { key, at, event, channels, otherwise } => {
            over(transaction, (key, *at), event.as_ref(), (channels, otherwise))
        }
        Post::Channels { at, names } => {
            let names = serde_json::Value::from(names.as_slice()).to_string();
            heard::forget_others(transaction, &names)?;
            let mut statement = transaction.prepare_cached(SETTLE_OTHERS)?;
            collect(statement.query(params![names, at.seconds()])?, |row| text(row, 0))
        }
    }
}

fn hold(transaction: &Transaction<'_>, about: &About, at: Timestamp) -> Outcome<Vec<String>> {
    match about {
        About::Nothing => Ok(Vec::new()),
        About::Certificate(row) => {
            let settled = settle_certificate(transaction, *row, at)?;
            transaction.prepare_cached(LEAVE_GIVEN_UP)?.execute([row.0])?;
            Ok(settled)
        }
        About::Condition(key) => settle_condition(transaction, key, at),
    }
}

fn close(
    transaction: &Transaction<'_>,
    row: RowId,
    at: Timestamp,
    event: Option<&Event>,
    channels: &[String],
) -> Outcome<Vec<String>> {
    let settled = settle_certificate(transaction, row, at)?;
    transaction.prepare_cached(LEAVE_GIVEN_UP)?.execute([row.0])?;
    if let Some(event) = event {
        let mut statement = transaction.prepare_cached(RECIPIENTS)?;
        let heard: Vec<String> = collect(statement.query([row.0])?, |row| text(row, 0))?;
        let told: Vec<String> = heard.into_iter().filter(|one| channels.contains(one)).collect();
        // The same may have been said of it before: it was alerted about again since.
        enqueue(transaction, event, &told, &About::Nothing, true)?;
    }
    transaction.prepare_cached(RELEASE)?.execute([row.0])?;
    transaction.prepare_cached(FORGET_LEDGER)?.execute([row.0])?;
    Ok(settled)
}

fn over(
    transaction: &Transaction<'_>,
    (key, at): (&str, Timestamp),
    event: Option<&Event>,
    (channels, otherwise): (&[String], &[String]),
) -> Outcome<Vec<String>> {
    let named = |sql| -> Outcome<Vec<String>> {
        let mut statement = transaction.prepare_cached(sql)?;
        let mut found: Vec<String> = collect(statement.query([key])?, |row| text(row, 0))?;
        found.retain(|channel| channels.contains(channel));
        Ok(found)
    };
    let had = named(HAD)?;
    let settled = settle_condition(transaction, key, at)?;
    let heard = named(HEARD)?;
    transaction.prepare_cached(FORGET_CONDITION)?.execute([key])?;
    if let Some(event) = event {
        let told = if had.is_empty() { otherwise } else { &heard };
        enqueue(transaction, event, told, &About::Nothing, false)?;
    }
    Ok(settled)
}

fn settle_condition(
    transaction: &Transaction<'_>,
    key: &str,
    at: Timestamp,
) -> Outcome<Vec<String>> {
    let mut statement = transaction.prepare_cached(SETTLE_CONDITION)?;
    collect(statement.query(params![key, at.seconds()])?, |row| text(row, 0))
}

fn settle_certificate(
    transaction: &Transaction<'_>,
    row: RowId,
    at: Timestamp,
) -> Outcome<Vec<String>> {
    let mut statement = transaction.prepare_cached(SETTLE_CERTIFICATE)?;
    collect(statement.query(params![row.0, at.seconds()])?, |row| text(row, 0))
}

/// Puts an event into the outbox; what is in it already, by event and channel, stays as it is.
pub(super) fn enqueue(
    transaction: &Transaction<'_>,
    event: &Event,
    channels: &[String],
    about: &About,
    anew: bool,
) -> Outcome<()> {
    if channels.is_empty() {
        return Ok(());
    }
    let number = write_event(transaction, event)?;
    let (row, condition) = match about {
        About::Nothing => (None, None),
        About::Certificate(row) => (Some(row.0), None),
        About::Condition(key) => (None, Some(key)),
    };
    for channel in channels {
        transaction.prepare_cached(MAKE_ROOM)?.execute(params![number, channel, anew])?;
        let values = params![number, channel, event.at.seconds(), row, condition];
        transaction.prepare_cached(DELIVERY)?.execute(values)?;
    }
    Ok(())
}

fn write_event(transaction: &Transaction<'_>, event: &Event) -> Outcome<i64> {
    let body = event::write(event).map_err(Failure::Rule)?;
    let certificate = event.facts().map(Facts::id);
    let added = transaction.prepare_cached(EVENT)?.execute(params![event.id, body, certificate])?;
    if added == 1 {
        return Ok(transaction.last_insert_rowid());
    }
    Ok(transaction.prepare_cached(EVENT_NUMBER)?.query_row([&event.id], |row| row.get(0))?)
}

/// Reads what waits for channels that are not among these.
pub(super) fn stranded(
    transaction: &Transaction<'_>,
    channels: &[String],
) -> Outcome<Vec<Stranded>> {
    let channels = serde_json::Value::from(channels).to_string();
    let mut statement = transaction.prepare_cached(STRANDED)?;
    collect(statement.query([channels])?, |row| {
        let event = event::read(row.get_ref(0)?.as_str()?).map_err(Failure::Rule)?;
        let about = match (row.get::<_, Option<u32>>(1)?, row.get::<_, Option<String>>(2)?) {
            (Some(row), _) => About::Certificate(RowId(row)),
            (None, Some(key)) => About::Condition(key),
            (None, None) => About::Nothing,
        };
        Ok(Stranded { event, about })
    })
}

/// Reads the open alerts that a channel was told of, as they were last said.
pub(super) fn open_for(
    transaction: &Transaction<'_>,
    channel: &str,
) -> Outcome<Vec<(RowId, Notified)>> {
    let mut statement = transaction.prepare_cached(OPEN_FOR)?;
    collect(statement.query([channel])?, said)
}

/// Settles deliveries that wait, and answers how many.
pub(super) fn leave_out(
    transaction: &Transaction<'_>,
    channel: &str,
    deliveries: &[i64],
    at: Timestamp,
) -> Outcome<u64> {
    let mut statement = transaction.prepare_cached(LEAVE_OUT)?;
    let mut settled = 0;
    for delivery in deliveries {
        settled += statement.execute(params![delivery, channel, at.seconds()])? as u64;
    }
    Ok(settled)
}

/// Reads which ledger entries say what nobody was told and nobody will be.
pub(super) fn unsaid(transaction: &Transaction<'_>) -> Outcome<Vec<RowId>> {
    let mut statement = transaction.prepare_cached(UNSAID)?;
    collect(statement.query([])?, |row| Ok(RowId(row.get(0)?)))
}
