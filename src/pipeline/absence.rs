//! Which certificates a proven scan did not list, and when that is believed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::expiry::{Inventory, Kind, RowId, ScopeId};
use crate::scan::Report;
use crate::source::{Slice, Window};

/// Rows that may be missing at once without an alarm, whatever the size of the scope.
const FEW: usize = 20;

/// One in this many rows may be missing at once without an alarm: 2 %.
const SHARE: usize = 50;

/// Times that a certificate must be missing, one scan apart, before it is gone.
const MISSES: u8 = 2;

/// The part of a scope that is scanned by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Part {
    scope: ScopeId,
    kind: Option<Kind>,
    window: &'static str,
}

impl Part {
    fn of(scope: ScopeId, slice: &Slice) -> Self {
        Self { scope, kind: slice.kind, window: slice.window.as_str() }
    }
}

/// What a proven scan says about absence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Absent {
    /// Certificates that are known and were not listed.
    pub(super) missing: Vec<RowId>,
    /// Certificates that are known in this part.
    pub(super) known: usize,
    /// So many are missing at once that nothing is removed.
    pub(super) frozen: bool,
}

/// Remembers who was seen, who was missed, and which parts are frozen.
#[derive(Debug, Default)]
pub(super) struct Absence {
    seen: HashMap<Part, Seen>,
    missed: HashMap<RowId, u8>,
    frozen: HashMap<Part, Frozen>,
}

/// A part from which too much was missing at once.
#[derive(Debug)]
struct Frozen {
    missing: BTreeSet<RowId>,
    agreed: bool,
}

impl Absence {
    /// A reading begins: what an earlier one saw counts no more.
    pub(super) fn begin(&mut self, scope: ScopeId, slice: &Slice) {
        self.seen.insert(Part::of(scope, slice), Seen::default());
    }

    /// The reading lists a certificate.
    pub(super) fn see(&mut self, scope: ScopeId, slice: &Slice, row: RowId) {
        self.seen.entry(Part::of(scope, slice)).or_default().insert(row);
        if !self.missed.is_empty() {
            self.missed.remove(&row);
        }
    }

    /// The reading ended. Only a proven one, without rows that could hide a certificate, says who is missing.
    pub(super) fn end(
        &mut self,
        scope: ScopeId,
        report: &Report,
        inventory: &Inventory,
    ) -> Option<Absent> {
        let part = Part::of(scope, &report.slice);
        let seen = self.seen.remove(&part).unwrap_or_default();
        if !report.proven() || report.reading.unreadable > 0 {
            return None;
        }
        let within = match report.slice.window {
            Window::Near { from, to } => Some((from, to)),
            Window::All => None,
        };
        let mut absent = Absent::default();
        for row in inventory.rows(scope, part.kind, within) {
            absent.known += 1;
            if !seen.contains(row) {
                absent.missing.push(row);
            }
        }
        absent.frozen = self.guard(part, &absent);
        Some(absent)
    }

    /// Freezes a part that shrank too much at once, until two proven scans agree about what is missing.
    fn guard(&mut self, part: Part, absent: &Absent) -> bool {
        let emptied = absent.known > 0 && absent.missing.len() == absent.known;
        let many = absent.missing.len() > FEW.max(absent.known / SHARE);
        if !emptied && !many {
            self.frozen.remove(&part);
            return false;
        }
        let missing: BTreeSet<RowId> = absent.missing.iter().copied().collect();
        let agreed = self.frozen.get(&part).is_some_and(|before| {
            before.missing == missing || before.agreed && missing.is_subset(&before.missing)
        });
        self.frozen.insert(part, Frozen { missing, agreed });
        !agreed
    }

    /// The provider does not have these, or cannot be asked. Answers with those that are gone now.
    pub(super) fn confirm(&mut self, rows: Vec<RowId>) -> Vec<RowId> {
        let mut gone = Vec::new();
        for row in rows {
            let misses = self.missed.entry(row).or_default();
            *misses += 1;
            if *misses >= MISSES {
                self.missed.remove(&row);
                gone.push(row);
            }
        }
        gone
    }

    /// These are there after all.
    pub(super) fn keep(&mut self, rows: &[RowId]) {
        for row in rows {
            self.missed.remove(row);
        }
    }
}

/// Row numbers, as bits by block, so that a scan of ten million costs little more than a megabyte.
#[derive(Debug, Default)]
struct Seen {
    blocks: BTreeMap<u32, [u64; 16]>,
}

impl Seen {
    fn insert(&mut self, row: RowId) {
        let (block, word, bit) = Self::place(row);
        if let Some(word) = self.blocks.entry(block).or_default().get_mut(word) {
            *word |= bit;
        }
    }

    fn contains(&self, row: RowId) -> bool {
        let (block, word, bit) = Self::place(row);
        self.blocks
            .get(&block)
            .and_then(|words| words.get(word))
            .is_some_and(|word| word & bit != 0)
    }

    const fn place(row: RowId) -> (u32, usize, u64) {
        (row.0 / 1024, (row.0 / 64 % 16) as usize, 1 << (row.0 % 64))
    }
}
