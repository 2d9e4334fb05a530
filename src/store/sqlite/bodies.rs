//! What the requests of a batch say.

use rusqlite::{Transaction, params};

use super::super::Body;
use super::certificates::{collect, text};
use super::failure::Outcome;

const FORGET: &str = "DELETE FROM batch_page WHERE channel = ?1 AND batch = ?2";

const PAGE: &str =
    "INSERT INTO batch_page (channel, batch, page, kind, body) VALUES (?1, ?2, ?3, ?4, ?5)";

const PAGES: &str =
    "SELECT kind, body FROM batch_page WHERE channel = ?1 AND batch = ?2 ORDER BY page";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[FORGET, PAGE, PAGES];

/// Keeps what a batch says, in the place of what it said before.
pub(super) fn write(
    transaction: &Transaction<'_>,
    (channel, batch): (&str, &str),
    body: &Body,
) -> Outcome<()> {
    transaction.prepare_cached(FORGET)?.execute([channel, batch])?;
    let mut insert = transaction.prepare_cached(PAGE)?;
    for (page, text) in (0_i64..).zip(&body.pages) {
        insert.execute(params![channel, batch, page, body.kind, text])?;
    }
    Ok(())
}

/// Reads what a batch says, where that was kept.
pub(super) fn read(
    transaction: &Transaction<'_>,
    channel: &str,
    batch: &str,
) -> Outcome<Option<Body>> {
    let mut statement = transaction.prepare_cached(PAGES)?;
    let rows = statement.query([channel, batch])?;
    let pages = collect(rows, |row| Ok((text(row, 0)?, text(row, 1)?)))?;
    let kind = pages.first().map(|(kind, _)| kind.clone());
    let pages = pages.into_iter().map(|(_, body)| body).collect();
    Ok(kind.map(|kind| Body { kind, pages }))
}
