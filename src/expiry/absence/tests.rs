use super::super::certificate::{Kind, Sighting, Status, Timestamp};
use super::*;

mod doubt;
mod places;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn sighting(kind: Kind, number: usize) -> Sighting {
    Sighting {
        issuer: "ca".into(),
        serial: format!("{kind}-{number}"),
        not_after: Some(day(number)),
        ..Sighting::bare(kind, Status::Active)
    }
}

/// Ends are one day apart, from today on.
fn day(number: usize) -> Timestamp {
    Timestamp::from_seconds(NOW + i64::try_from(number).unwrap() * DAY)
}

/// What a reading came to.
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

    fn devices(&self) -> usize {
        self.inventory.rows(self.scope, Some(Kind::Device), None).count()
    }

    fn part(&self, kind: Option<Kind>) -> Part {
        let (scope, window, coverage) = (self.scope, WindowName::All, Coverage::Whole);
        Part { scope, kind, span: None, window, coverage }
    }

    fn near(&self, days: usize) -> Part {
        let span = Some((day(0), day(days)));
        Part { span, window: WindowName::Near, ..self.part(Some(Kind::Device)) }
    }

    fn list(&mut self, part: &Part, numbers: impl IntoIterator<Item = usize>) {
        let kind = part.kind.unwrap_or(Kind::Device);
        let rows: Vec<RowId> = numbers.into_iter().map(|number| self.row(kind, number)).collect();
        self.absence.list(part, &rows);
    }

    /// Reads a part in which all devices but some are listed.
    fn read(&mut self, part: &Part, listed: impl Fn(usize) -> bool) -> Told {
        self.absence.begin(part);
        let listed: Vec<usize> = (0..self.devices()).filter(|number| listed(*number)).collect();
        self.list(part, listed);
        self.end(part)
    }

    /// Ends a complete reading, as scans do.
    fn end(&mut self, part: &Part) -> Told {
        let ends = part.span.map_or(Ends::All, Ends::Within);
        let Missing { rows, removal, unlisted: _ } =
            self.absence.missing(part, ends, &self.inventory);
        let outcome = self.absence.end(part, Proof::Complete, &self.inventory).unwrap();
        assert_eq!((rows.len() as u64, removal), (outcome.missing, outcome.removal));
        Told { missing: rows, known: outcome.known, frozen: removal == Removal::Frozen }
    }

    fn all(&mut self, listed: impl Fn(usize) -> bool) -> Told {
        self.read(&self.part(Some(Kind::Device)), listed)
    }
}

#[test]
fn only_a_complete_reading_says_what_is_missing() {
    let mut world = World::with(30);
    let part = world.part(Some(Kind::Device));
    world.absence.begin(&part);
    assert_eq!(world.absence.end(&part, Proof::Incomplete, &world.inventory), None);
    assert!(!world.absence.is_frozen(world.scope), "an incomplete reading that lists nothing");
    let absent = world.all(|number| number != 7);
    assert_eq!(absent.missing, [world.row(Kind::Device, 7)]);
    assert_eq!((absent.known, absent.frozen), (30, false));
}

#[test]
fn what_the_list_gives_no_end_for_is_missing_from_no_window() {
    let mut world = World::with(30);
    let unlisted = Sighting { end_unlisted: true, ..sighting(Kind::Device, 7) };
    world.inventory.apply(world.scope, &unlisted);
    let (near, row) = (world.near(20), world.row(Kind::Device, 7));
    for _ in 0..3 {
        assert_eq!(world.read(&near, |number| number != 7).missing, []);
    }
    assert_eq!(world.absence.doubt(world.scope), Doubt::default());
    let part = world.part(Some(Kind::Device));
    assert_eq!(world.absence.missing(&part, Ends::Unknown, &world.inventory).rows, [row]);
    assert_eq!(world.all(|number| number != 7).missing, [row], "the list as a whole shows it");
    world.inventory.apply(world.scope, &sighting(Kind::Device, 7));
    assert_eq!(world.read(&near, |number| number != 7).missing, [row], "its end is listed now");
}

#[test]
fn what_no_window_shows_and_is_there_when_it_is_asked_for_is_no_doubt() {
    let mut world = World::with(30);
    let undated = Sighting { not_after: None, ..sighting(Kind::Device, 99) };
    let row = world.inventory.apply(world.scope, &undated).row;
    let part = world.part(Some(Kind::Device));
    for _ in 0..3 {
        world.absence.begin(&part);
        let told = world.absence.missing(&part, Ends::Unknown, &world.inventory);
        assert_eq!((told.rows, told.unlisted), (vec![row], vec![]));
        let answers = PointReads { present: vec![row], ..PointReads::default() };
        assert_eq!(world.absence.point_reads(&part, &answers, &world.inventory), []);
        assert_eq!(world.absence.doubt(world.scope), Doubt::default());
        world.absence.end(&part, Proof::Complete, &world.inventory);
    }
}

#[test]
fn what_an_earlier_reading_listed_counts_no_more() {
    let mut world = World::with(30);
    let part = world.part(Some(Kind::Device));
    world.absence.begin(&part);
    world.list(&part, [0]);
    let absent = world.all(|number| number > 0);
    assert_eq!(absent.missing, [world.row(Kind::Device, 0)]);
}

#[test]
fn readings_that_leave_out_what_was_listed_count_together_within_a_scan() {
    let mut world = World::with(30);
    let part = Part { coverage: Coverage::Once, ..world.part(Some(Kind::Device)) };
    let list = |world: &mut World, numbers: std::ops::Range<usize>| {
        world.absence.begin(&part);
        world.list(&part, numbers);
    };
    world.absence.plan(&part);
    list(&mut world, 0..20);
    list(&mut world, 20..29);
    assert_eq!(world.end(&part).missing, [world.row(Kind::Device, 29)]);
    // The scan after one that was broken off begins anew.
    list(&mut world, 0..29);
    world.absence.plan(&part);
    list(&mut world, 10..30);
    assert_eq!(world.end(&part).missing.len(), 10);
    // One that was not asked for everything says nothing, however well it ended.
    list(&mut world, 0..29);
    let skimmed = Part { coverage: Coverage::Skimmed, ..part };
    assert_eq!(world.absence.end(&skimmed, Proof::Complete, &world.inventory), None);
}

#[test]
fn two_misses_in_a_row_and_none_less() {
    let mut world = World::with(30);
    let row = world.row(Kind::Device, 3);
    let part = world.part(Some(Kind::Device));
    let absent = PointReads { absent: vec![row], ..PointReads::default() };
    let present = PointReads { present: vec![row], ..PointReads::default() };
    let unasked = PointReads { unasked: vec![row], ..PointReads::default() };
    let missed = |world: &mut World| world.absence.point_reads(&part, &absent, &world.inventory);
    assert_eq!(missed(&mut world), []);
    // Listed in between: it begins again.
    assert_eq!(world.all(|_| true).missing, []);
    assert_eq!(missed(&mut world), []);
    for kept in [&present, &unasked] {
        assert_eq!(world.absence.point_reads(&part, kept, &world.inventory), []);
        assert_eq!(missed(&mut world), []);
    }
    world.absence.forget(&[row]);
    assert_eq!(missed(&mut world), [], "its number belongs to another one now");
    assert_eq!(missed(&mut world), [row]);
    assert_eq!(missed(&mut world), []);
}

#[test]
fn kinds_and_windows_are_judged_apart() {
    let mut world = World::with(40);
    // Devices expire on days 0 to 39: the window holds 11 of them, and no authority is missing from it.
    let near = world.near(10);
    let absent = world.read(&near, |number| number % 2 == 0);
    assert_eq!((absent.known, absent.missing.len()), (11, 5));
    let authorities = world.part(Some(Kind::Ca));
    world.absence.begin(&authorities);
    world.list(&authorities, [0]);
    let absent = world.end(&authorities);
    assert_eq!((absent.known, absent.missing.len(), absent.frozen), (3, 2, false));
    // A part of any kind has all of them.
    let absent = world.end(&world.part(None));
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
fn an_incomplete_reading_neither_freezes_nor_releases() {
    let mut world = World::with(100);
    assert!(world.all(|number| number >= 50).frozen);
    let part = world.part(Some(Kind::Device));
    world.absence.begin(&part);
    world.list(&part, 50..100);
    assert_eq!(world.absence.end(&part, Proof::Incomplete, &world.inventory), None);
    assert!(world.absence.is_frozen(world.scope));
    assert!(!world.all(|number| number >= 50).frozen);
}

/// Reads all devices by windows of ten days, of which some are listed.
fn by_windows(world: &mut World, listed: impl Fn(usize) -> bool) -> (Vec<Missing>, Outcome) {
    let part = world.part(Some(Kind::Device));
    world.absence.begin(&part);
    let devices = world.devices();
    let mut told = Vec::new();
    for first in (0..devices).step_by(10) {
        let window = first..(first + 10).min(devices);
        world.list(&part, window.filter(|number| listed(*number)));
        let ends = Ends::Within((day(first), day(first + 10).plus(-1)));
        told.push(world.absence.missing(&part, ends, &world.inventory));
    }
    (told, world.absence.end(&part, Proof::Complete, &world.inventory).unwrap())
}

#[test]
fn a_reading_by_windows_freezes_when_the_windows_together_miss_too_much() {
    let mut world = World::with(100);
    let (told, outcome) = by_windows(&mut world, |number| number % 2 == 0);
    let frozen: Vec<bool> = told.iter().map(|told| told.removal == Removal::Frozen).collect();
    assert_eq!(frozen, [false, false, false, false, true, true, true, true, true, true]);
    assert_eq!(outcome, Outcome { known: 100, missing: 50, removal: Removal::Frozen });
    // The next one agrees, and so does a reading of everything at once.
    let (told, outcome) = by_windows(&mut world, |number| number % 2 == 0);
    assert!(told.iter().all(|told| told.removal != Removal::Frozen && told.rows.len() == 5));
    assert_eq!(outcome, Outcome { known: 100, missing: 50, removal: Removal::Agreed });
    assert!(!world.absence.is_frozen(world.scope));
    assert!(!world.all(|number| number % 2 == 0).frozen);
}

#[test]
fn what_is_found_by_asking_is_not_missing() {
    let mut world = World::with(100);
    let part = world.part(Some(Kind::Device));
    world.absence.begin(&part);
    world.list(&part, 2..100);
    let missing = world.absence.missing(&part, Ends::All, &world.inventory).rows;
    assert_eq!(missing.len(), 2);
    let answers = PointReads {
        present: missing[..1].to_vec(),
        absent: missing[1..].to_vec(),
        ..PointReads::default()
    };
    assert_eq!(world.absence.point_reads(&part, &answers, &world.inventory), []);
    let outcome = world.absence.end(&part, Proof::Complete, &world.inventory);
    assert_eq!(outcome, Some(Outcome { known: 100, missing: 1, removal: Removal::Usual }));
}

#[test]
fn a_scope_is_gone_when_it_is_absent_twice_in_a_row() {
    let mut world = World::with(1);
    let scope = world.scope;
    assert!(!world.absence.scope_is_absent(scope));
    world.absence.scope_is_listed(scope);
    assert!(!world.absence.scope_is_absent(scope), "listed in between");
    assert!(world.absence.scope_is_absent(scope));
    assert!(!world.absence.scope_is_absent(scope), "a new one of that number begins anew");
}

#[test]
fn what_is_known_of_a_part_is_counted_before_any_of_it_is_removed() {
    let mut world = World::with(100);
    let part = world.part(Some(Kind::Device));
    world.absence.begin(&part);
    world.list(&part, 2..100);
    let missing = world.absence.missing(&part, Ends::All, &world.inventory).rows;
    for row in &missing {
        world.inventory.remove(*row);
    }
    let outcome = world.absence.end(&part, Proof::Complete, &world.inventory);
    assert_eq!(outcome, Some(Outcome { known: 100, missing: 2, removal: Removal::Usual }));
}
