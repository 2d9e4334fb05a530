//! Which certificates a proven scan did not list, and when that is believed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::expiry::{Inventory, Kind, RowId, ScopeId};
use crate::scan::Report;
use crate::source::{Coverage, Slice, Window};

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
    /// A scan begins: what an earlier one saw counts no more.
    pub(super) fn plan(&mut self, scope: ScopeId, slice: &Slice) {
        self.seen.remove(&Part::of(scope, slice));
    }

    /// A reading begins: what an earlier one saw counts no more, unless this one leaves it out.
    pub(super) fn begin(&mut self, scope: ScopeId, slice: &Slice) {
        if slice.coverage != Coverage::Once {
            self.plan(scope, slice);
        }
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
        let skimmed = report.slice.coverage == Coverage::Skimmed;
        if skimmed || !report.proven() || report.reading.unreadable > 0 {
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

    /// Freezes a part that shrank too much at once, until two proven scans agree about what is missing: what went
    /// missing between them is no more than may go missing at any time, or a busy part would stay frozen for ever.
    fn guard(&mut self, part: Part, absent: &Absent) -> bool {
        let few = FEW.max(absent.known / SHARE);
        let emptied = absent.known > 0 && absent.missing.len() == absent.known;
        if !emptied && absent.missing.len() <= few {
            self.frozen.remove(&part);
            return false;
        }
        let missing: BTreeSet<RowId> = absent.missing.iter().copied().collect();
        let agreed = self
            .frozen
            .get(&part)
            .is_some_and(|before| missing.difference(&before.missing).count() <= few);
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

    /// Returns whether some part of the scope shrank too much and is not agreed upon.
    pub(super) fn is_frozen(&self, scope: ScopeId) -> bool {
        self.frozen.iter().any(|(part, frozen)| part.scope == scope && !frozen.agreed)
    }

    /// These are removed; their numbers may be given to others.
    pub(super) fn forget(&mut self, rows: &[RowId]) {
        self.keep(rows);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::expiry::{Sighting, Status, Timestamp};
    use crate::scan::Reading;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    fn sighting(kind: Kind, number: usize) -> Sighting {
        Sighting {
            issuer: "ca".into(),
            serial: format!("{kind}-{number}"),
            kind,
            status: Status::Active,
            not_before: None,
            // One day apart, from today on.
            not_after: Some(Timestamp::from_seconds(NOW + i64::try_from(number).unwrap() * DAY)),
            common_name: String::new(),
            holder: String::new(),
            unit: String::new(),
            names: Vec::new(),
            successors: Vec::new(),
        }
    }

    fn near(days: i64) -> Window {
        let at = Timestamp::from_seconds;
        Window::Near { from: at(NOW), to: at(NOW + days * DAY) }
    }

    /// A scope with certificates, and what is known of absence in it.
    struct World {
        inventory: Inventory,
        absence: Absence,
        scope: ScopeId,
    }

    impl World {
        fn with(devices: usize) -> Self {
            let mut inventory = Inventory::new();
            let (scope, _) = inventory.scope("iot", "mqtt-1");
            for number in 0..devices {
                inventory.apply(scope, &sighting(Kind::Device, number));
            }
            for number in 0..3 {
                inventory.apply(scope, &sighting(Kind::Ca, number));
            }
            Self { inventory, absence: Absence::default(), scope }
        }

        fn row(&self, kind: Kind, number: usize) -> RowId {
            let wanted = sighting(kind, number);
            self.inventory.find(self.scope, &wanted.issuer, &wanted.serial).unwrap()
        }

        fn slice(kind: Option<Kind>, window: Window) -> Arc<Slice> {
            let (scope, coverage) = ("mqtt-1".into(), Coverage::Whole);
            Arc::new(Slice { scope, kind, window, limit: 100, overlap: 10, coverage })
        }

        /// Scans a part in which all devices but some are listed.
        fn scan(
            &mut self,
            window: Window,
            listed: impl Fn(usize) -> bool,
            spoil: impl FnOnce(&mut Report),
        ) -> Option<Absent> {
            let slice = Self::slice(Some(Kind::Device), window);
            self.absence.begin(self.scope, &slice);
            let devices = self.inventory.rows(self.scope, Some(Kind::Device), None).count();
            for number in (0..devices).filter(|number| listed(*number)) {
                let row = self.row(Kind::Device, number);
                self.absence.see(self.scope, &slice, row);
            }
            let at = Timestamp::from_seconds(NOW);
            let reading = Reading { finished: true, ..Reading::default() };
            let mut report = Report { slice, window, started: at, ended: at, reading, error: None };
            spoil(&mut report);
            self.absence.end(self.scope, &report, &self.inventory)
        }

        fn all(&mut self, listed: impl Fn(usize) -> bool) -> Absent {
            self.scan(Window::All, listed, |_| {}).expect("the scan is proven")
        }
    }

    #[test]
    fn only_a_proven_scan_that_understood_every_row_says_who_is_missing() {
        let mut world = World::with(30);
        let spoils: [fn(&mut Report); 6] = [
            |report| report.error = Some("broke off".into()),
            |report| report.reading.finished = false,
            |report| report.reading.torn = true,
            |report| report.reading.last_total = 1,
            |report| report.reading.unreadable = 1,
            |report| report.reading.unknown = 1,
        ];
        for spoil in spoils {
            assert_eq!(world.scan(Window::All, |_| false, spoil), None);
        }
        let absent = world.all(|number| number != 7);
        assert_eq!(absent.missing, [world.row(Kind::Device, 7)]);
        assert_eq!((absent.known, absent.frozen), (30, false));
    }

    #[test]
    fn what_an_earlier_reading_saw_counts_no_more() {
        let mut world = World::with(30);
        let slice = World::slice(Some(Kind::Device), Window::All);
        world.absence.begin(world.scope, &slice);
        let row = world.row(Kind::Device, 0);
        world.absence.see(world.scope, &slice, row);
        let absent = world.all(|number| number > 0);
        assert_eq!(absent.missing, [row]);
    }

    #[test]
    fn readings_that_leave_out_what_was_told_count_together_within_a_scan() {
        let mut world = World::with(30);
        let mut slice = Arc::unwrap_or_clone(World::slice(Some(Kind::Device), Window::All));
        slice.coverage = Coverage::Once;
        let at = Timestamp::from_seconds(NOW);
        let reading = Reading { finished: true, ..Reading::default() };
        let report = |slice: &Slice| Report {
            slice: Arc::new(slice.clone()),
            window: Window::All,
            started: at,
            ended: at,
            reading,
            error: None,
        };
        let tell = |world: &mut World, numbers: std::ops::Range<usize>| {
            world.absence.begin(world.scope, &slice);
            for number in numbers {
                let row = world.row(Kind::Device, number);
                world.absence.see(world.scope, &slice, row);
            }
        };
        world.absence.plan(world.scope, &slice);
        tell(&mut world, 0..20);
        tell(&mut world, 20..29);
        let absent = world.absence.end(world.scope, &report(&slice), &world.inventory).unwrap();
        assert_eq!(absent.missing, [world.row(Kind::Device, 29)]);
        // The scan after one that was broken off begins anew.
        tell(&mut world, 0..29);
        world.absence.plan(world.scope, &slice);
        tell(&mut world, 10..30);
        let absent = world.absence.end(world.scope, &report(&slice), &world.inventory).unwrap();
        assert_eq!(absent.missing.len(), 10);
        // One that was not asked for everything says nothing, however well it ended.
        tell(&mut world, 0..29);
        slice.coverage = Coverage::Skimmed;
        assert_eq!(world.absence.end(world.scope, &report(&slice), &world.inventory), None);
    }

    #[test]
    fn two_misses_in_a_row_and_none_less() {
        let mut world = World::with(30);
        let row = world.row(Kind::Device, 3);
        assert_eq!(world.absence.confirm(vec![row]), []);
        // Seen in between: it begins again.
        assert_eq!(world.all(|_| true).missing, []);
        assert_eq!(world.absence.confirm(vec![row]), []);
        world.absence.keep(&[row]);
        assert_eq!(world.absence.confirm(vec![row]), []);
        world.absence.forget(&[row]);
        assert_eq!(world.absence.confirm(vec![row]), [], "its number belongs to another one now");
        assert_eq!(world.absence.confirm(vec![row]), [row]);
        assert_eq!(world.absence.confirm(vec![row]), []);
    }

    #[test]
    fn kinds_and_windows_are_judged_apart() {
        let mut world = World::with(40);
        // Devices end on days 0 to 39: the window holds 11 of them, and no authority is missing from it.
        let absent = world.scan(near(10), |number| number % 2 == 0, |_| {}).unwrap();
        assert_eq!((absent.known, absent.missing.len()), (11, 5));
        let authorities = World::slice(Some(Kind::Ca), Window::All);
        world.absence.begin(world.scope, &authorities);
        let row = world.row(Kind::Ca, 0);
        world.absence.see(world.scope, &authorities, row);
        let at = Timestamp::from_seconds(NOW);
        let report = Report {
            slice: authorities,
            window: Window::All,
            started: at,
            ended: at,
            reading: Reading { finished: true, ..Reading::default() },
            error: None,
        };
        let absent = world.absence.end(world.scope, &report, &world.inventory).unwrap();
        assert_eq!((absent.known, absent.missing.len(), absent.frozen), (3, 2, false));
        // A slice of any kind has all of them.
        let report = Report { slice: World::slice(None, Window::All), ..report };
        let absent = world.absence.end(world.scope, &report, &world.inventory).unwrap();
        assert_eq!((absent.known, absent.frozen), (43, true));
    }

    #[test]
    fn the_guard_freezes_from_its_bound_on() {
        for (known, missing, frozen) in [
            (30, 20, false),
            (30, 21, true),
            (2000, 40, false),
            (2000, 41, true),
            // However few: an empty answer where there was one before.
            (3, 3, true),
            (1, 1, true),
        ] {
            let mut world = World::with(known);
            let absent = world.all(|number| number >= missing);
            assert_eq!(absent.missing.len(), missing);
            assert_eq!(absent.frozen, frozen, "{missing} of {known}");
            assert_eq!(world.absence.is_frozen(world.scope), frozen);
        }
        assert!(!World::with(0).all(|_| true).frozen, "nothing known, nothing missing");
    }

    #[test]
    fn two_scans_that_agree_release_the_guard() {
        let mut world = World::with(100);
        assert!(world.all(|number| number >= 50).frozen);
        assert!(!world.all(|number| number >= 50).frozen);
        assert!(!world.absence.is_frozen(world.scope));
        // Some came back: what is missing still is what it was.
        assert!(!world.all(|number| number >= 40).frozen);
        // All came back: the next time begins anew.
        assert!(!world.all(|_| true).frozen);
        assert!(world.all(|number| number >= 50).frozen);
    }

    #[test]
    fn scans_that_tell_different_stories_stay_frozen_and_daily_loss_does_not() {
        let mut world = World::with(100);
        for round in 0..6 {
            let absent = world.all(|number| (number < 50) == (round % 2 == 0));
            assert!(absent.frozen, "round {round}: the halves alternate");
        }
        let mut world = World::with(100);
        assert!(world.all(|number| number >= 50).frozen);
        // Twenty more are lost, as many as may be lost at any time.
        assert!(!world.all(|number| number >= 70).frozen);
        assert!(world.all(|number| number >= 91).frozen, "21 more");
    }

    #[test]
    fn an_unproven_scan_neither_freezes_nor_releases() {
        let mut world = World::with(100);
        assert!(world.all(|number| number >= 50).frozen);
        assert_eq!(
            world.scan(Window::All, |number| number >= 50, |report| report.reading.torn = true),
            None
        );
        assert!(world.absence.is_frozen(world.scope));
        assert!(!world.all(|number| number >= 50).frozen);
    }
}
