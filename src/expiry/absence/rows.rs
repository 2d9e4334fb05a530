//! Sets of certificates, by number.

use roaring::RoaringBitmap;

use super::super::inventory::RowId;

/// A set of certificates. A scan of ten million costs little more than a megabyte.
#[derive(Debug, Default)]
pub(super) struct Rows(RoaringBitmap);

impl Rows {
    /// Adds a certificate; false when it was in the set already.
    pub(super) fn insert(&mut self, row: RowId) -> bool {
        self.0.insert(row.0)
    }

    /// Takes a certificate out; false when it was not in the set.
    pub(super) fn remove(&mut self, row: RowId) -> bool {
        self.0.remove(row.0)
    }

    pub(super) fn contains(&self, row: RowId) -> bool {
        self.0.contains(row.0)
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
