//! Certificates in the order of their names. No column tells these, and an index of ten million would cost more than it gives:
//! up to so many are read and sorted, and where there are more it is said how to choose fewer.

use super::cursor::Cursor;
use super::list::Asked;
use super::{Catalog, CatalogError, Page};
use crate::expiry::{Position, RowId, Selected};
use crate::store::Kept;

/// Certificates that are sorted at most, which takes some tens of milliseconds.
pub const MOST: usize = 5000;

/// Names that are read at once.
const STEP: usize = 256;

impl Catalog {
    /// Returns a page by name.
    pub(super) async fn by_name(&self, asked: &Asked<'_>) -> Result<Page, CatalogError> {
        let mut found = self.sorted_by_name(asked).await?;
        let total = found.len();
        let begin = asked.cursor.map_or(0, |cursor| begins(&found, cursor)).min(total);
        let end = begin.saturating_add(asked.query.limit).min(total);
        let found: Vec<_> = found.drain(begin..end).collect();
        let last = found.last().filter(|_| end < total).map(|(position, _)| position.row);
        let last = last.map(|row| ended(row, end));
        let items = self.shown(asked, found).await?;
        Ok(asked.page(items, last, Some(total as u64)))
    }

    /// Returns everything that is asked for, by name.
    pub(super) async fn sorted_by_name(
        &self,
        asked: &Asked<'_>,
    ) -> Result<Vec<(Position, Kept)>, CatalogError> {
        let Selected { positions, total } = asked.select(None, MOST).await?;
        if total > MOST as u64 {
            let detail = format!(
                "sort: at most {MOST} certificates can be put in the order of their names, and these are {total}: choose fewer, \
                 such as those of one source, or sort them otherwise"
            );
            return Err(CatalogError::Mistaken(detail));
        }
        let mut found = Vec::new();
        for step in positions.chunks(STEP) {
            found.extend(self.look(asked, step).await?);
        }
        let name = |kept: &Kept| kept.facts.called(&kept.names).to_lowercase();
        found.sort_by_cached_key(|(position, kept)| (name(kept), *position));
        if asked.query.is_turned_round() {
            found.reverse();
        }
        Ok(found)
    }
}

/// Returns how far in a page ended, and at which certificate.
fn ended(row: RowId, end: usize) -> Position {
    Position { class: i64::try_from(end).unwrap_or(i64::MAX), end: 0, row }
}

/// Returns where the next page begins: behind the certificate that ended the one before; where that has gone, in its place.
fn begins(found: &[(Position, Kept)], Cursor { after, .. }: Cursor) -> usize {
    let place = found.iter().position(|(position, _)| position.row == after.row);
    place.map_or(usize::try_from(after.class.saturating_sub(1)).unwrap_or(0), |place| place + 1)
}
