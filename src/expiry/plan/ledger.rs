//! What was notified about each certificate.

use hashbrown::HashTable;

use super::super::certificate::Timestamp;
use super::super::inventory::RowId;
use super::super::ladder::Rung;
use super::Notified;

/// What was notified about each certificate, for as long as it is known. 16 bytes an entry: a fleet may have millions.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: HashTable<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: i64,
    row: u32,
    /// The code of the rung.
    rung: u32,
    count: u16,
    mild: bool,
}

impl Ledger {
    /// Returns a ledger in which nothing was notified.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what was last notified about a certificate.
    pub fn get(&self, row: RowId) -> Option<Notified> {
        let entry = self.find(row)?;
        Some(Notified {
            rung: entry.rung(),
            at: Timestamp::from_seconds(entry.at),
            mild: entry.mild,
            count: entry.count,
        })
    }

    /// Writes down what was notified about a certificate, in place of what was there before.
    pub fn set(&mut self, row: RowId, notified: Notified) {
        let (at, rung) = (notified.at.seconds(), notified.rung.code());
        let entry = Entry { at, row: row.0, rung, mild: notified.mild, count: notified.count };
        self.entries
            .entry(place(row.0), |other| other.row == row.0, |other| place(other.row))
            .insert(entry);
    }

    /// Forgets what was notified about a certificate. Returns whether there was anything.
    pub fn remove(&mut self, row: RowId) -> bool {
        let found = self.entries.find_entry(place(row.0), |entry| entry.row == row.0);
        found.map(hashbrown::hash_table::OccupiedEntry::remove).is_ok()
    }

    /// Returns whether anything was notified about a certificate.
    pub fn contains(&self, row: RowId) -> bool {
        self.find(row).is_some()
    }

    /// Returns every certificate that something was notified about, in no order.
    pub fn rows(&self) -> impl Iterator<Item = RowId> + '_ {
        self.entries.iter().map(|entry| RowId(entry.row))
    }

    /// Returns how many certificates something was notified about.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether nothing was notified.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the tightest rung notified about a certificate, when, and whether mildly.
    pub(super) fn last(&self, row: RowId) -> Option<(Rung, Timestamp, bool)> {
        let last = |entry: &Entry| (entry.rung(), Timestamp::from_seconds(entry.at), entry.mild);
        self.find(row).map(last)
    }

    fn find(&self, row: RowId) -> Option<&Entry> {
        self.entries.find(place(row.0), |entry| entry.row == row.0)
    }
}

impl Extend<(RowId, Notified)> for Ledger {
    fn extend<T: IntoIterator<Item = (RowId, Notified)>>(&mut self, entries: T) {
        entries.into_iter().for_each(|(row, notified)| self.set(row, notified));
    }
}

impl FromIterator<(RowId, Notified)> for Ledger {
    fn from_iter<T: IntoIterator<Item = (RowId, Notified)>>(entries: T) -> Self {
        let mut ledger = Self::new();
        ledger.extend(entries);
        ledger
    }
}

impl Entry {
    fn rung(self) -> Rung {
        Rung::from_code(self.rung)
    }
}

/// Spreads the numbers over the table, those of 64 neighbours side by side: certificates that end together were often
/// made together, and are asked for one after the other. The upper seven bits, by which the table tells entries apart
/// before it looks at them, differ all the same. The numbers come from us, so nobody can make them collide.
fn place(row: u32) -> u64 {
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    const UPPER: u64 = 0x7F << 57;
    let row = u64::from(row);
    let near = ((row / 64).wrapping_mul(SPREAD) << 6) | (row % 64);
    (row.wrapping_mul(SPREAD) & UPPER) | (near & !UPPER)
}
