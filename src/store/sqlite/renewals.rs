//! How many certificates were renewed in each month.

use rusqlite::{Transaction, params};

use super::certificates::{all, number, text};
use super::failure::Outcome;
use crate::expiry::Month;

const ADD: &str = "
    INSERT INTO renewal (source, month, renewed) VALUES (?1, ?2, ?3)
    ON CONFLICT (source, month) DO UPDATE SET renewed = renewed + excluded.renewed";

const ALL: &str = "SELECT source, month, renewed FROM renewal ORDER BY source, month";

/// Every statement of this part.
pub(super) const STATEMENTS: &[&str] = &[ADD, ALL];

/// Adds what was renewed.
pub(super) fn add(transaction: &Transaction<'_>, renewals: &[(String, Month, u64)]) -> Outcome<()> {
    let mut add = transaction.prepare_cached(ADD)?;
    for (source, month, count) in renewals {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        add.execute(params![source, month.index(), count])?;
    }
    Ok(())
}

/// Reads all of it.
pub(super) fn read(transaction: &Transaction<'_>) -> Outcome<Vec<(String, Month, u64)>> {
    all(transaction, ALL, |row| {
        Ok((text(row, 0)?, Month::from_index(row.get(1)?), number(row, 2)?))
    })
}
