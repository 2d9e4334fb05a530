//! Which certificates a proven scan did not list, and when that is believed.

use std::collections::HashMap;

use crate::expiry::{Inventory, Kind, RowId, ScopeId};
use crate::scan::{Ends, Report};
use crate::source::{Coverage, Slice};

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
    /// Whether it is only what ends in the near window.
    near: bool,
}

impl Part {
    const fn of(scope: ScopeId, slice: &Slice) -> Self {
        Self { scope, kind: slice.kind, near: slice.within.is_some() }
    }
}

/// A part, and the kind of poll that reads it: two of them may read the same part side by side.
type Reader = (Part, &'static str);

fn reader(scope: ScopeId, slice: &Slice) -> Reader {
    (Part::of(scope, slice), slice.window.as_str())
}

/// What the proven reading of some ends says about absence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Absent {
    /// Certificates that are known and were not listed.
    pub(super) missing: Vec<RowId>,
    /// So many are missing at once that nothing is removed.
    pub(super) frozen: bool,
}

/// What a whole proven scan says about absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shrunk {
    /// Certificates that are known in this part.
    pub(super) known: u64,
    /// Those of them that were not listed.
    pub(super) missing: u64,
    /// So many that nothing is removed.
    pub(super) frozen: bool,
}

/// Remembers who was seen, who was missed, and which parts are frozen.
#[derive(Debug, Default)]
pub(super) struct Absence {
    passes: HashMap<Reader, Pass>,
    missed: HashMap<RowId, u8>,
    frozen: HashMap<Part, Frozen>,
}

/// A scan under way.
#[derive(Debug, Default)]
struct Pass {
    seen: Rows,
    missing: Rows,
    missing_count: usize,
    /// Those of them that were not missing when the part was frozen.
    fresh: usize,
    /// Certificates known in the part; counted when first needed.
    known: Option<usize>,
}

/// A part from which too much was missing at once.
#[derive(Debug)]
struct Frozen {
    missing: Rows,
    agreed: bool,
}

impl Pass {
    /// More than may go missing at once, or all there is.
    fn is_too_much(&self) -> bool {
        let known = self.known.unwrap_or_default();
        self.missing_count > few(known) || known > 0 && self.missing_count == known
    }
}

fn few(known: usize) -> usize {
    FEW.max(known / SHARE)
}

impl Absence {
    /// A scan begins: what an earlier one saw counts no more.
    pub(super) fn plan(&mut self, scope: ScopeId, slice: &Slice) {
        self.passes.remove(&reader(scope, slice));
    }

    /// A reading begins: what an earlier one saw counts no more, unless this one leaves it out.
    pub(super) fn begin(&mut self, scope: ScopeId, slice: &Slice) {
        if slice.coverage != Coverage::Once {
            self.plan(scope, slice);
        }
    }

    /// The reading lists certificates.
    pub(super) fn see(&mut self, scope: ScopeId, slice: &Slice, rows: &[RowId]) {
        let seen = &mut self.passes.entry(reader(scope, slice)).or_default().seen;
        for row in rows {
            seen.insert(*row);
        }
        if !self.missed.is_empty() {
            self.keep(rows);
        }
    }

    /// Some ends were read whole: says who is missing from them.
    ///
    /// A scope that shrank too much at once is frozen until two proven scans agree about what is missing: what went
    /// missing between them is no more than may go missing at any time, or a busy part would stay frozen for ever.
    pub(super) fn covered(
        &mut self,
        scope: ScopeId,
        slice: &Slice,
        ends: Ends,
        inventory: &Inventory,
    ) -> Absent {
        let reader = reader(scope, slice);
        let pass = self.passes.entry(reader).or_default();
        let within = match ends {
            Ends::Within(span) => Some(span),
            Ends::All | Ends::Unknown => None,
        };
        let undated = |row: &RowId| inventory.row(*row).is_some_and(|row| row.not_after.is_none());
        let missing: Vec<RowId> = inventory
            .rows(scope, slice.kind, within)
            .filter(|row| !pass.seen.contains(*row) && (ends != Ends::Unknown || undated(row)))
            .collect();
        if !missing.is_empty() && pass.known.is_none() {
            pass.known = Some(inventory.rows(scope, slice.kind, slice.within).count());
        }
        let before = self.frozen.get(&reader.0);
        for row in &missing {
            pass.missing.insert(*row);
            pass.fresh += usize::from(before.is_some_and(|it| !it.missing.contains(*row)));
        }
        pass.missing_count += missing.len();
        let agreed = before.is_some() && pass.fresh <= few(pass.known.unwrap_or_default());
        Absent { frozen: pass.is_too_much() && !agreed, missing }
    }

    /// The scan ended. Only a proven one, without rows that could hide a certificate, freezes or releases.
    pub(super) fn end(
        &mut self,
        scope: ScopeId,
        report: &Report,
        inventory: &Inventory,
    ) -> Option<Shrunk> {
        let reader = reader(scope, &report.slice);
        let mut pass = self.passes.remove(&reader).unwrap_or_default();
        let skimmed = report.slice.coverage == Coverage::Skimmed;
        if skimmed || !report.proven() || report.reading.unreadable > 0 {
            return None;
        }
        let slice = &report.slice;
        let known =
            pass.known.unwrap_or_else(|| inventory.rows(scope, slice.kind, slice.within).count());
        pass.known = Some(known);
        let too_much = pass.is_too_much();
        let before = self.frozen.remove(&reader.0);
        let agreed = before.is_some() && pass.fresh <= few(known);
        if too_much {
            self.frozen.insert(reader.0, Frozen { missing: pass.missing, agreed });
        }
        let (known, missing) = (known as u64, pass.missing_count as u64);
        Some(Shrunk { known, missing, frozen: too_much && !agreed })
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

    /// The scan under way found these there by asking for them: they are not missing from it.
    pub(super) fn found(&mut self, scope: ScopeId, slice: &Slice, rows: &[RowId]) {
        self.keep(rows);
        let Some(pass) = self.passes.get_mut(&reader(scope, slice)) else { return };
        for row in rows {
            pass.missing.remove(*row);
            pass.missing_count = pass.missing_count.saturating_sub(1);
        }
    }
}

/// Row numbers, as bits by block, so that a scan of ten million costs little more than a megabyte.
#[derive(Debug, Default)]
struct Rows {
    blocks: Vec<Option<Box<Block>>>,
}

/// As many as a chunk of the inventory has.
type Block = [u64; 64];

impl Rows {
    fn insert(&mut self, row: RowId) {
        let (block, word, bit) = Self::place(row);
        if self.blocks.len() <= block {
            self.blocks.resize(block + 1, None);
        }
        let block = self.blocks.get_mut(block).map(|block| block.get_or_insert_with(empty));
        if let Some(word) = block.and_then(|words| words.get_mut(word)) {
            *word |= bit;
        }
    }

    fn remove(&mut self, row: RowId) {
        let (block, word, bit) = Self::place(row);
        let block = self.blocks.get_mut(block).and_then(Option::as_mut);
        if let Some(word) = block.and_then(|words| words.get_mut(word)) {
            *word &= !bit;
        }
    }

    fn contains(&self, row: RowId) -> bool {
        let (block, word, bit) = Self::place(row);
        let block = self.blocks.get(block).and_then(Option::as_ref);
        block.and_then(|words| words.get(word)).is_some_and(|word| word & bit != 0)
    }

    const fn place(row: RowId) -> (usize, usize, u64) {
        ((row.0 / 4096) as usize, (row.0 / 64 % 64) as usize, 1 << (row.0 % 64))
    }
}

fn empty() -> Box<Block> {
    Box::new([0; 64])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::expiry::{Sighting, Status, Timestamp};
    use crate::scan::Reading;
    use crate::source::Window;

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

    /// What a scan came to.
    #[derive(Debug, PartialEq, Eq)]
    struct Told {
        missing: Vec<RowId>,
        known: u64,
        frozen: bool,
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
            let within = match window {
                Window::Near { from, to } => Some((from, to)),
                Window::All => None,
            };
            let whole = Slice::whole(&"mqtt-1".into(), window, 100, 10);
            Arc::new(Slice { kind, within, ..whole })
        }

        /// Scans a part in which all devices but some are listed.
        fn scan(
            &mut self,
            window: Window,
            listed: impl Fn(usize) -> bool,
            spoil: impl FnOnce(&mut Report),
        ) -> Option<Told> {
            let slice = Self::slice(Some(Kind::Device), window);
            self.absence.begin(self.scope, &slice);
            let devices = self.inventory.rows(self.scope, Some(Kind::Device), None).count();
            for number in (0..devices).filter(|number| listed(*number)) {
                let row = self.row(Kind::Device, number);
                self.absence.see(self.scope, &slice, &[row]);
            }
            let at = Timestamp::from_seconds(NOW);
            let reading = Reading { finished: true, ..Reading::default() };
            let mut report = Report { slice, started: at, ended: at, reading, error: None };
            spoil(&mut report);
            self.end(&report)
        }

        /// Ends a scan as scans do: what is not proven covers nothing.
        fn end(&mut self, report: &Report) -> Option<Told> {
            let ends = report.slice.within.map_or(Ends::All, Ends::Within);
            let whole = report.proven() && report.reading.unreadable == 0;
            let covered = whole
                .then(|| self.absence.covered(self.scope, &report.slice, ends, &self.inventory));
            let shrunk = self.absence.end(self.scope, report, &self.inventory);
            assert_eq!(covered.is_some(), shrunk.is_some());
            let (Absent { missing, frozen }, shrunk) = (covered?, shrunk?);
            assert_eq!((missing.len() as u64, frozen), (shrunk.missing, shrunk.frozen));
            Some(Told { missing, known: shrunk.known, frozen })
        }

        fn all(&mut self, listed: impl Fn(usize) -> bool) -> Told {
            self.scan(Window::All, listed, |_| {}).expect("the scan is proven")
        }
    }

    #[test]
    fn only_a_proven_scan_that_understood_every_row_says_who_is_missing() {
        let mut world = World::with(30);
        let spoils: [fn(&mut Report); 6] = [
            |report| report.error = Some("broke off".into()),
            |report| report.reading.finished = false,
            |report| report.reading.gap_detected = true,
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
        world.absence.see(world.scope, &slice, &[row]);
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
            started: at,
            ended: at,
            reading,
            error: None,
        };
        let tell = |world: &mut World, numbers: std::ops::Range<usize>| {
            world.absence.begin(world.scope, &slice);
            for number in numbers {
                let row = world.row(Kind::Device, number);
                world.absence.see(world.scope, &slice, &[row]);
            }
        };
        world.absence.plan(world.scope, &slice);
        tell(&mut world, 0..20);
        tell(&mut world, 20..29);
        let absent = world.end(&report(&slice)).unwrap();
        assert_eq!(absent.missing, [world.row(Kind::Device, 29)]);
        // The scan after one that was broken off begins anew.
        tell(&mut world, 0..29);
        world.absence.plan(world.scope, &slice);
        tell(&mut world, 10..30);
        let absent = world.end(&report(&slice)).unwrap();
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
        world.absence.see(world.scope, &authorities, &[row]);
        let at = Timestamp::from_seconds(NOW);
        let report = Report {
            slice: authorities,
            started: at,
            ended: at,
            reading: Reading { finished: true, ..Reading::default() },
            error: None,
        };
        let absent = world.end(&report).unwrap();
        assert_eq!((absent.known, absent.missing.len(), absent.frozen), (3, 2, false));
        // A slice of any kind has all of them.
        let report = Report { slice: World::slice(None, Window::All), ..report };
        let absent = world.end(&report).unwrap();
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
            world.scan(
                Window::All,
                |number| number >= 50,
                |report| report.reading.gap_detected = true
            ),
            None
        );
        assert!(world.absence.is_frozen(world.scope));
        assert!(!world.all(|number| number >= 50).frozen);
    }

    /// Reads all devices by windows of ten days, of which some are listed.
    fn by_windows(world: &mut World, listed: impl Fn(usize) -> bool) -> (Vec<Absent>, Shrunk) {
        let slice = World::slice(Some(Kind::Device), Window::All);
        world.absence.begin(world.scope, &slice);
        let devices = world.inventory.rows(world.scope, Some(Kind::Device), None).count();
        let mut told = Vec::new();
        for first in (0..devices).step_by(10) {
            for number in (first..first + 10).filter(|number| *number < devices && listed(*number))
            {
                let row = world.row(Kind::Device, number);
                world.absence.see(world.scope, &slice, &[row]);
            }
            let day =
                |number: usize| Timestamp::from_seconds(NOW + i64::try_from(number).unwrap() * DAY);
            let ends = Ends::Within((day(first), day(first + 10).plus(-1)));
            told.push(world.absence.covered(world.scope, &slice, ends, &world.inventory));
        }
        let at = Timestamp::from_seconds(NOW);
        let reading = Reading { finished: true, ..Reading::default() };
        let report = Report { slice, started: at, ended: at, reading, error: None };
        (told, world.absence.end(world.scope, &report, &world.inventory).unwrap())
    }

    #[test]
    fn a_scan_by_windows_freezes_when_the_windows_together_miss_too_much() {
        let mut world = World::with(100);
        let (told, shrunk) = by_windows(&mut world, |number| number % 2 == 0);
        let frozen: Vec<bool> = told.iter().map(|absent| absent.frozen).collect();
        assert_eq!(frozen, [false, false, false, false, true, true, true, true, true, true]);
        assert_eq!(shrunk, Shrunk { known: 100, missing: 50, frozen: true });
        // The next one agrees, and so does a scan of everything at once.
        let (told, shrunk) = by_windows(&mut world, |number| number % 2 == 0);
        assert!(told.iter().all(|absent| !absent.frozen && absent.missing.len() == 5));
        assert!(!shrunk.frozen && !world.absence.is_frozen(world.scope));
        assert!(!world.all(|number| number % 2 == 0).frozen);
    }

    #[test]
    fn what_is_found_by_asking_is_not_missing() {
        let mut world = World::with(100);
        let slice = World::slice(Some(Kind::Device), Window::All);
        world.absence.begin(world.scope, &slice);
        for number in 2..100 {
            let row = world.row(Kind::Device, number);
            world.absence.see(world.scope, &slice, &[row]);
        }
        let absent = world.absence.covered(world.scope, &slice, Ends::All, &world.inventory);
        assert_eq!(absent.missing.len(), 2);
        world.absence.found(world.scope, &slice, &absent.missing[..1]);
        assert_eq!(world.absence.confirm(absent.missing[1..].to_vec()), []);
        let at = Timestamp::from_seconds(NOW);
        let reading = Reading { finished: true, ..Reading::default() };
        let report = Report { slice, started: at, ended: at, reading, error: None };
        let shrunk = world.absence.end(world.scope, &report, &world.inventory).unwrap();
        assert_eq!((shrunk.missing, shrunk.frozen), (1, false));
    }
}
