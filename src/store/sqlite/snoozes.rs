//! Snoozes, and the key of the links that make them.

use rusqlite::{Row, Transaction, params};

use super::super::code;
use super::super::types::KEPT_DEAD;
use super::certificates::{all, maybe_time, number, text, time};
use super::failure::{Failure, Outcome};
use crate::expiry::{Cover, RowId, Rung, Snooze, SnoozeEnd, Snoozed, Timestamp, Wanted};

const STANDING: &str = "
    SELECT id, made, until, hold, author, reason, link, certificate, certificate_row, rung, not_after, wanted,
        ended, ended_by
    FROM snooze WHERE ended IS NULL ORDER BY id";

const ALL: &str = "
    SELECT id, made, until, hold, author, reason, link, certificate, certificate_row, rung, not_after, wanted,
        ended, ended_by
    FROM snooze ORDER BY made DESC, id DESC";

const WRITE: &str = "
    INSERT OR REPLACE INTO snooze (id, made, until, hold, author, reason, link, certificate, certificate_row, rung,
        not_after, wanted, ended, ended_by)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

const FORGET: &str = "DELETE FROM snooze WHERE ended < ?1";

const KEEP_KEY: &str = "INSERT OR IGNORE INTO key (name, value) VALUES ('link', ?1)";

const KEY: &str = "SELECT value FROM key WHERE name = 'link'";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[STANDING, ALL, WRITE, FORGET, KEEP_KEY, KEY];

/// Keeps the newest of each id.
pub(super) fn write(transaction: &Transaction<'_>, snoozes: &[Snooze]) -> Outcome<()> {
    for snooze in snoozes {
        let (one, wanted) = match &snooze.cover {
            Cover::Certificate(one) => (Some(one), None),
            Cover::Match(wanted) => (None, Some(wanted.text())),
        };
        transaction.prepare_cached(WRITE)?.execute(params![
            snooze.id,
            snooze.made.seconds(),
            snooze.until.seconds(),
            snooze.hold,
            snooze.author,
            snooze.reason,
            snooze.link,
            one.map(|one| &one.id),
            one.map(|one| one.row.0),
            one.and_then(|one| one.rung).map(code::of_rung),
            one.and_then(|one| one.not_after).map(Timestamp::seconds),
            wanted,
            snooze.ended.map(|(at, _)| at.seconds()),
            snooze.ended.map(|(_, end)| end.as_str()),
        ])?;
        let at = snooze.ended.map_or(snooze.made, |(at, _)| at);
        transaction.prepare_cached(FORGET)?.execute([at.plus(-KEPT_DEAD).seconds()])?;
    }
    Ok(())
}

/// Reads those that have not ended.
pub(super) fn standing(transaction: &Transaction<'_>) -> Outcome<Vec<Snooze>> {
    all(transaction, STANDING, snooze)
}

/// Reads all that are kept, the newest first.
pub(super) fn every(transaction: &Transaction<'_>) -> Outcome<Vec<Snooze>> {
    all(transaction, ALL, snooze)
}

/// Keeps the key, if there is none, and returns the one that is kept.
pub(super) fn link_key(transaction: &Transaction<'_>, fresh: [u8; 32]) -> Outcome<[u8; 32]> {
    transaction.prepare_cached(KEEP_KEY)?.execute([fresh.as_slice()])?;
    let kept = transaction.prepare_cached(KEY)?.query_row([], |row| row.get::<_, Vec<u8>>(0))?;
    kept.try_into().map_err(|_| Failure::Rule("the key of links has a wrong length".to_owned()))
}

fn snooze(row: &Row<'_>) -> Outcome<Snooze> {
    let ended = match maybe_time(row, 12)?.zip(row.get::<_, Option<String>>(13)?) {
        Some((at, word)) => Some((at, end(&word)?)),
        None => None,
    };
    Ok(Snooze {
        id: text(row, 0)?,
        cover: cover(row)?,
        made: time(row, 1)?,
        until: time(row, 2)?,
        hold: row.get(3)?,
        author: text(row, 4)?,
        reason: text(row, 5)?,
        link: row.get(6)?,
        ended,
    })
}

fn cover(row: &Row<'_>) -> Outcome<Cover> {
    let Some(id) = row.get::<_, Option<String>>(7)? else {
        let wanted = Wanted::parse(&text(row, 11)?);
        let rule = |error| Failure::Rule(format!("a snooze cannot be read: {error}"));
        return wanted.map(Cover::Match).map_err(rule);
    };
    let rung: Option<Rung> = row.get::<_, Option<u32>>(9)?.map(code::rung);
    let (number, not_after) = (RowId(number(row, 8)?), maybe_time(row, 10)?);
    Ok(Cover::Certificate(Snoozed { id, row: number, rung, not_after }))
}

fn end(word: &str) -> Outcome<SnoozeEnd> {
    SnoozeEnd::from_word(word)
        .ok_or_else(|| Failure::Rule(format!("a snooze cannot have ended by `{word}`")))
}
