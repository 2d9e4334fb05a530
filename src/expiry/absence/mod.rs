//! Why a certificate is gone: which ones a proven reading did not list, and when that is believed.
//!
//! The way of a certificate that is not listed: a reading of its part begins ([`Absence::begin`]) and lists others
//! ([`Absence::list`]), and says which places it could not see ([`Absence::look`]): what is known there is not missing.
//! Some ends are read whole and the certificate is not among them ([`Absence::missing`]), unless so many are
//! missing that the guard freezes removals (`guard`); the provider is asked for it ([`Absence::point_reads`]); when it
//! was missing and not there in two readings in a row it is gone. A whole scope that is not listed goes the same way
//! ([`Absence::scope_is_absent`]).

mod contradictions;
mod guard;
mod part;
mod places;
mod reading;
mod rows;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::inventory::{Inventory, RowId, ScopeId};

pub use contradictions::Doubt;
pub use guard::{Accepted, Removal};
pub use part::{Coverage, Ends, Part, Proof, Span, WindowName};
pub use places::{Look, LostPlaces, PlaceState};

use contradictions::Contradictions;
use guard::Guard;
use reading::Readings;
use rows::Rows;

/// What the proven reading of some ends says about absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Certificates that are known and were not listed.
    pub rows: Vec<RowId>,
    /// What becomes of them.
    pub removal: Removal,
    /// Certificates that were not listed, and that were there all the same when they were last asked for. They are not
    /// among the missing; whether they are there still is to be asked again.
    pub unlisted: Vec<RowId>,
}

/// What a whole proven reading says about absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Certificates that are known in the part.
    pub known: u64,
    /// Those of them that were not listed.
    pub missing: u64,
    /// What becomes of them.
    pub removal: Removal,
}

/// What the provider says of missing certificates, asked one by one.
#[derive(Clone, Debug, Default)]
pub struct PointReads {
    /// Those that are not there, and those that the provider cannot be asked about.
    pub absent: Vec<RowId>,
    /// Those that are there after all.
    pub present: Vec<RowId>,
    /// Those that could not be asked about this time.
    pub unasked: Vec<RowId>,
}

/// Remembers what is listed, what is missing, and which parts are frozen.
#[derive(Debug, Default)]
pub struct Absence {
    readings: Readings,
    /// Certificates that were missing once, and not there when they were asked for.
    missed: Rows,
    /// Those of them that something had taken the place of by then.
    replaced: Rows,
    guard: Guard,
    contradictions: Contradictions,
    /// Whether something was not reported of a certificate that is missing.
    held_back: bool,
    /// Scopes with certificates that the last poll found absent.
    absent_scopes: BTreeSet<ScopeId>,
}

impl Absence {
    /// These were missing from the last reading before a restart, and not there when they were asked for.
    pub fn restore_missed<'a>(&mut self, rows: impl IntoIterator<Item = &'a RowId>) {
        for row in rows {
            self.missed.insert(*row);
        }
    }

    /// A scan is planned: what an earlier one listed counts no more.
    pub fn plan(&mut self, part: &Part) {
        drop(self.readings.take(part));
    }

    /// A reading begins: what an earlier one listed counts no more, unless this one leaves it out.
    pub fn begin(&mut self, part: &Part) {
        if part.coverage != Coverage::Once {
            self.plan(part);
        }
    }

    /// The reading lists certificates.
    pub fn list(&mut self, part: &Part, rows: &[RowId]) {
        self.readings.of(part).list(rows);
        self.contradictions.settle(part.scope, rows);
        if !self.missed.is_empty() {
            self.keep(rows);
        }
    }

    /// The reading looked at places.
    pub fn look(&mut self, part: &Part, looks: &[Look]) {
        let unseen = &mut self.readings.of(part).unseen;
        for look in looks {
            unseen.note(look);
        }
    }

    /// Returns how many places the reading lost sight of, when they are so many that it proves nothing.
    pub fn lost_places(&mut self, part: &Part, inventory: &Inventory) -> Option<LostPlaces> {
        self.readings.of(part).lost_places(part, inventory)
    }

    /// Some ends were read whole: says what is missing from them. What is in a place that was not seen is not, nor was
    /// it missing before.
    pub fn missing(&mut self, part: &Part, ends: Ends, inventory: &Inventory) -> Missing {
        let hidden = self.readings.of(part).unseen.hidden(part, inventory);
        self.keep(&hidden);
        let reading = self.readings.of(part);
        if reading.lost_places(part, inventory).is_some() {
            let (rows, unlisted) = (Vec::new(), Vec::new());
            return Missing { rows, removal: Removal::Frozen, unlisted };
        }
        let rows = reading.not_listed(part, ends, inventory);
        let is_unlisted = |row: &RowId| self.contradictions.is_unlisted(part.scope, *row);
        let (unlisted, rows): (Vec<RowId>, Vec<RowId>) = rows.into_iter().partition(is_unlisted);
        if !rows.is_empty() {
            reading.count_known(part, inventory);
        }
        if ends == Ends::Unknown {
            reading.could_not_show(&rows);
        }
        reading.miss(&rows, self.guard.frozen(part));
        let removal = self.guard.judge(part, reading.loss());
        Missing { rows, removal, unlisted }
    }

    /// The reading ended. Only a complete one, in which nothing could hide a certificate, freezes or releases.
    pub fn end(&mut self, part: &Part, proof: Proof, inventory: &Inventory) -> Option<Outcome> {
        let mut reading = self.readings.take(part);
        if part.coverage == Coverage::Skimmed || proof == Proof::Incomplete {
            return None;
        }
        let known = reading.count_known(part, inventory) as u64;
        let loss = reading.loss();
        let removal = self.guard.settle(part, loss, reading.missing);
        Some(Outcome { known, missing: loss.missing as u64, removal })
    }

    /// The provider was asked for what is missing. Answers with those that are gone now: not there, in two readings in
    /// a row, and replaced in both of them or in none.
    pub fn point_reads(
        &mut self,
        part: &Part,
        answers: &PointReads,
        inventory: &Inventory,
    ) -> Vec<RowId> {
        self.find(part, &answers.present);
        self.keep(&answers.unasked);
        self.contradictions.settle(part.scope, &answers.absent);
        self.miss(&answers.absent, inventory)
    }

    fn miss(&mut self, rows: &[RowId], inventory: &Inventory) -> Vec<RowId> {
        let is_gone = |row: &RowId| {
            let again = !self.missed.insert(*row);
            // What takes its place was there the last time as well, or waits for the next: one reading shows no renewal.
            let replaced = inventory.replacement(*row).is_some();
            let settled = !replaced || !self.replaced.insert(*row);
            again && settled
        };
        let gone: Vec<RowId> = rows.iter().copied().filter(is_gone).collect();
        self.keep(&gone);
        gone
    }

    /// These are there, whatever the list says: they are not missing from the reading under way.
    fn find(&mut self, part: &Part, rows: &[RowId]) {
        self.keep(rows);
        let reading = self.readings.of(part);
        let doubted = reading.should_show(rows);
        reading.find(rows);
        self.contradictions.find(part.scope, &doubted, self.guard.frozen(part));
    }

    fn keep(&mut self, rows: &[RowId]) {
        for row in rows {
            self.missed.remove(*row);
            self.replaced.remove(*row);
        }
    }

    /// These are removed; their numbers may be given to others.
    pub fn forget(&mut self, rows: &[RowId]) {
        self.keep(rows);
        self.contradictions.forget(rows);
    }

    /// Returns whether a certificate was missing from the last reading and not there when it was asked for. Nothing is
    /// reported of it until the next reading tells whether it is gone.
    pub fn holds_back(&mut self, row: RowId) -> bool {
        let missed = self.missed.contains(row);
        self.held_back |= missed;
        missed
    }

    /// Returns whether the reading under way has listed a certificate.
    pub fn has_listed(&self, part: &Part, row: RowId) -> bool {
        self.readings.has_listed(part, row)
    }

    /// Returns whether a certificate was missing from the last reading: it may be there no more.
    pub fn is_missed(&self, row: RowId) -> bool {
        self.missed.contains(row)
    }

    /// Returns whether something was held back since the last call: a reading has ended, and it may be there again.
    pub fn release(&mut self) -> bool {
        std::mem::take(&mut self.held_back)
    }

    /// Returns how many certificates of a scope are there although its list leaves them out.
    pub fn doubt(&self, scope: ScopeId) -> Doubt {
        self.contradictions.of(scope)
    }

    /// Returns the loss of a scope that was believed since its removals were frozen, once.
    pub fn take_accepted(&mut self, scope: ScopeId) -> Option<Accepted> {
        self.guard.take_accepted(scope)
    }

    /// Returns whether some part of the scope lost too much and is not agreed upon.
    pub fn is_frozen(&self, scope: ScopeId) -> bool {
        self.guard.is_frozen(scope)
    }

    /// Returns whether the last poll found a scope absent.
    pub fn is_absent(&self, scope: ScopeId) -> bool {
        self.absent_scopes.contains(&scope)
    }

    /// The provider lists the scope.
    pub fn scope_is_listed(&mut self, scope: ScopeId) {
        self.absent_scopes.remove(&scope);
    }

    /// The provider neither lists the scope nor has the certificate of it that it was asked for. Answers whether the
    /// scope is gone: so it was at the poll before.
    pub fn scope_is_absent(&mut self, scope: ScopeId) -> bool {
        let gone = !self.absent_scopes.insert(scope);
        if gone {
            self.absent_scopes.remove(&scope);
        }
        gone
    }
}
