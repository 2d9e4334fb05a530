//! What was seen in one scan only: a new state of a place is believed when two scans in a row show it.

use std::collections::BTreeMap;

use super::super::inventory::RowId;

/// Certificates that are new in their place, or have another end there, each with whether the last reading that ended
/// listed it.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    seen: BTreeMap<RowId, bool>,
}

impl Fresh {
    /// The reading under way is the first that shows this.
    pub(super) fn appear(&mut self, row: RowId) {
        self.seen.insert(row, false);
    }

    /// These are listed. Those that the reading before listed as well are settled.
    pub(super) fn list(&mut self, rows: &[RowId]) {
        for row in rows {
            if self.seen.get(row) == Some(&true) {
                self.seen.remove(row);
            }
        }
    }

    /// A reading ended that could see those that `could_see` tells, and listed those that `listed` tells.
    pub(super) fn end(
        &mut self,
        could_see: impl Fn(RowId) -> bool,
        listed: impl Fn(RowId) -> bool,
    ) {
        for (row, seen) in &mut self.seen {
            if could_see(*row) {
                *seen = listed(*row);
            }
        }
    }

    pub(super) fn forget(&mut self, rows: &[RowId]) {
        for row in rows {
            self.seen.remove(row);
        }
    }

    /// Returns whether two readings in a row showed it as it is.
    pub(super) fn is_settled(&self, row: RowId) -> bool {
        !self.seen.contains_key(&row)
    }
}
