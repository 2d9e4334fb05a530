//! What could not be seen protects what is known there, and nothing else.

use super::*;

/// A scope with one certificate in each of so many places, `/0/a` and so on.
struct Places {
    inventory: Inventory,
    absence: Absence,
    part: Part,
}

fn place(number: usize) -> String {
    format!("/{number}/a")
}

fn unseen(place: String, covers_below: bool) -> Look {
    let (state, why) = (PlaceState::Unreadable, "closed".to_owned());
    Look { covers_below, ..Look::of(place, state, why) }
}

impl Places {
    fn with(count: usize) -> Self {
        let mut inventory = Inventory::new();
        let (scope, _) = inventory.scope("files", "all");
        for number in 0..count {
            let seen = Sighting { place: place(number), ..sighting(Kind::Server, number) };
            inventory.apply(scope, &seen);
        }
        let (window, coverage) = (WindowName::All, Coverage::Whole);
        let part = Part { scope, kind: None, span: None, window, coverage };
        Self { inventory, absence: Absence::default(), part }
    }

    fn row(&self, number: usize) -> RowId {
        self.inventory.at(self.part.scope, &place(number)).next().unwrap()
    }

    /// Reads the places that are `listed` and cannot see others. Answers with those that are gone now.
    fn read(&mut self, listed: &[usize], looks: &[Look]) -> Vec<RowId> {
        self.absence.begin(&self.part);
        let rows: Vec<RowId> = listed.iter().map(|number| self.row(*number)).collect();
        self.absence.list(&self.part, &rows);
        self.absence.look(&self.part, looks);
        let missing = self.absence.missing(&self.part, Ends::All, &self.inventory);
        let absent = PointReads { absent: missing.rows, ..PointReads::default() };
        let gone = self.absence.point_reads(&self.part, &absent, &self.inventory);
        self.absence.end(&self.part, Proof::Complete, &self.inventory);
        gone
    }
}

#[test]
fn what_an_unseen_place_held_is_not_missing_and_all_else_is() {
    let mut places = Places::with(4);
    let looks =
        [unseen(place(0), false), unseen("/1".to_owned(), true), unseen("/2".to_owned(), false)];
    assert_eq!(places.read(&[], &looks), []);
    // A folder that was read covers nothing below it; one that could not be walked does.
    assert_eq!(places.read(&[], &looks), [places.row(2), places.row(3)]);
}

#[test]
fn a_place_that_was_not_seen_begins_to_be_missing_anew() {
    let mut places = Places::with(3);
    assert_eq!(places.read(&[1, 2], &[]), []);
    assert_eq!(places.read(&[1, 2], &[unseen(place(0), false)]), []);
    assert_eq!(places.read(&[1, 2], &[]), []);
    assert_eq!(places.read(&[1, 2], &[]), [places.row(0)]);
}

#[test]
fn a_broken_place_protects_what_was_not_understood() {
    let mut places = Places::with(2);
    let broken = [Look { state: PlaceState::Broken, ..unseen(place(0), false) }];
    let gone = [PlaceState::Read, PlaceState::Missing]
        .map(|state| Look { state, ..unseen(place(0), false) });
    assert_eq!([places.read(&[1], &broken), places.read(&[1], &broken)].concat(), []);
    assert_eq!(places.read(&[1], &gone[..1]), []);
    assert_eq!(places.read(&[1], &gone[1..]), [places.row(0)]);
}

#[test]
fn more_than_a_few_places_out_of_sight_prove_nothing() {
    for (known, closed, lost) in
        [(30, 20, false), (30, 21, true), (2000, 40, false), (2000, 41, true)]
    {
        let mut places = Places::with(known);
        let part = places.part;
        let looks: Vec<Look> = (0..closed).map(|number| unseen(place(number), false)).collect();
        let rows: Vec<RowId> = (closed + 1..known).map(|number| places.row(number)).collect();
        places.absence.begin(&part);
        places.absence.list(&part, &rows);
        places.absence.look(&part, &looks);
        let expected = lost.then_some(LostPlaces { known, unseen: closed });
        assert_eq!(places.absence.lost_places(&part, &places.inventory), expected);
        let missing = places.absence.missing(&part, Ends::All, &places.inventory);
        let row = places.row(closed);
        assert_eq!(missing.rows, if lost { vec![] } else { vec![row] }, "{closed} of {known}");
    }
}

#[test]
fn places_that_are_broken_in_part_and_show_all_that_is_known_are_in_sight() {
    let mut places = Places::with(30);
    let part = places.part;
    let broken = |number| Look { state: PlaceState::Broken, ..unseen(place(number), false) };
    let rows: Vec<RowId> = (0..30).map(|number| places.row(number)).collect();
    places.absence.list(&part, &rows);
    places.absence.look(&part, &(0..30).map(broken).collect::<Vec<_>>());
    assert_eq!(places.absence.lost_places(&part, &places.inventory), None);
}
