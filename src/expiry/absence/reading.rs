//! Readings under way: what each of them has listed so far, and what is missing from it.

use std::collections::BTreeMap;

use super::super::certificate::Kind;
use super::super::inventory::{Inventory, RowId, ScopeId};
use super::guard::Loss;
use super::part::{Ends, Part, WindowName};
use super::places::{LostPlaces, Unseen};
use super::rows::Rows;

/// What tells two readings apart that go on side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reader {
    scope: ScopeId,
    kind: Option<Kind>,
    spanned: bool,
    window: WindowName,
}

impl Reader {
    const fn of(part: &Part) -> Self {
        Self {
            scope: part.scope,
            kind: part.kind,
            spanned: part.span.is_some(),
            window: part.window,
        }
    }
}

/// Every reading that is under way.
#[derive(Debug, Default)]
pub(super) struct Readings(BTreeMap<Reader, Reading>);

/// One reading.
#[derive(Debug, Default)]
pub(super) struct Reading {
    listed: Rows,
    /// Places that it could not see.
    pub(super) unseen: Unseen,
    pub(super) missing: Rows,
    missing_count: usize,
    /// Those of the missing that were not missing when the part was frozen.
    fresh: usize,
    /// Those of the missing that nothing of it could show: only asking tells whether they are there.
    shown_by_nothing: Rows,
    /// Certificates known in the part; counted when first needed.
    known: Option<usize>,
}

impl Readings {
    pub(super) fn of(&mut self, part: &Part) -> &mut Reading {
        self.0.entry(Reader::of(part)).or_default()
    }

    /// Returns whether the reading of a part has listed a certificate.
    pub(super) fn has_listed(&self, part: &Part, row: RowId) -> bool {
        self.0.get(&Reader::of(part)).is_some_and(|reading| reading.listed.contains(row))
    }

    /// Ends the reading of a part.
    pub(super) fn take(&mut self, part: &Part) -> Reading {
        self.0.remove(&Reader::of(part)).unwrap_or_default()
    }
}

impl Reading {
    /// These are listed.
    pub(super) fn list(&mut self, rows: &[RowId]) {
        for row in rows {
            self.listed.insert(*row);
        }
    }

    /// Returns the certificates of some ends that are known and were not listed.
    pub(super) fn not_listed(&self, part: &Part, ends: Ends, inventory: &Inventory) -> Vec<RowId> {
        let within = match ends {
            Ends::Within(span) => Some(span),
            Ends::All | Ends::Unknown => None,
        };
        let shows = |row: &RowId| match ends {
            Ends::All => true,
            Ends::Within(_) => inventory.lists_end(*row),
            Ends::Unknown => !inventory.lists_end(*row),
        };
        inventory
            .rows(part.scope, part.kind, within)
            .filter(|row| !self.listed.contains(*row) && shows(row))
            .filter(|row| !self.unseen.hides(*row, inventory))
            .collect()
    }

    /// Returns how many places it lost sight of, when they are more than may be at any time.
    pub(super) fn lost_places(&self, part: &Part, inventory: &Inventory) -> Option<LostPlaces> {
        self.unseen.lost(part, inventory, &self.listed)
    }

    /// No window shows these.
    pub(super) fn could_not_show(&mut self, rows: &[RowId]) {
        for row in rows {
            self.shown_by_nothing.insert(*row);
        }
    }

    /// Returns those that it should have shown.
    pub(super) fn should_show(&self, rows: &[RowId]) -> Vec<RowId> {
        rows.iter().copied().filter(|row| !self.shown_by_nothing.contains(*row)).collect()
    }

    /// These are missing; `before` were so when the part was frozen, if it is.
    pub(super) fn miss(&mut self, rows: &[RowId], before: Option<&Rows>) {
        for row in rows {
            self.missing.insert(*row);
            self.fresh += usize::from(before.is_some_and(|before| !before.contains(*row)));
        }
        self.missing_count += rows.len();
    }

    /// These are there after all.
    pub(super) fn find(&mut self, rows: &[RowId]) {
        for row in rows {
            let counted = self.missing.remove(*row);
            self.missing_count = self.missing_count.saturating_sub(usize::from(counted));
        }
    }

    /// Counts what is known in the part, before any of it is removed.
    pub(super) fn count_known(&mut self, part: &Part, inventory: &Inventory) -> usize {
        let count = || inventory.rows(part.scope, part.kind, part.span).count();
        *self.known.get_or_insert_with(count)
    }

    /// Returns what is missing so far, in numbers. Nothing is known of a part that nothing is missing from.
    pub(super) fn loss(&self) -> Loss {
        let known = self.known.unwrap_or_default();
        Loss { known, missing: self.missing_count, fresh: self.fresh }
    }
}
