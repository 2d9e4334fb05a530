use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::certificate::{Kind, Sighting, Status, Timestamp};
use super::model::{DAY, NOW, Step, World, device, sighting, steps};
use super::view::CaRow;
use super::{BUCKETS, Change, Inventory, RowId, ScopeId, StoredParts, StoredRow, SumsCache, View};

mod properties;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn show(view: &View) -> String {
    let scopes: Vec<_> = view.scopes().collect();
    let cas: Vec<_> = scopes.iter().map(|(scope, ..)| view.cas(*scope)).collect();
    format!("{} {scopes:?} {cas:?} {:?}", view.len(), view.rows().collect::<Vec<_>>())
}

#[test]
fn a_successor_mutes_and_its_end_unmutes() {
    let mut inventory = Inventory::new();
    let (scope, new) = inventory.scope("iot", "mqtt-1");
    assert_eq!((scope, new), (ScopeId(1), true));
    assert_eq!(inventory.scope("iot", "mqtt-1"), (scope, false));
    let old = inventory.apply(scope, &device("01", "pump", Some(NOW + DAY)));
    assert_eq!((old.change, old.status, &*old.restated), (Change::Added, Status::Active, &[][..]));
    let next = inventory.apply(scope, &device("02", "pump", Some(NOW + 300 * DAY)));
    assert_eq!(next.restated, [(old.row, Status::Superseded)]);
    assert_eq!(inventory.successor(old.row), Some(next.row));
    let revoked =
        Sighting { status: Status::Revoked, ..device("02", "pump", Some(NOW + 300 * DAY)) };
    assert_eq!(inventory.apply(scope, &revoked).restated, [(old.row, Status::Active)]);
    inventory.apply(scope, &device("02", "pump", Some(NOW + 300 * DAY)));
    assert_eq!(inventory.remove(next.row), [(old.row, Status::Active)]);
    assert_eq!(inventory.remove(next.row), []);
}

#[test]
fn equal_ends_other_issuers_and_authorities_do_not_succeed() {
    let mut inventory = Inventory::new();
    let (scope, _) = inventory.scope("iot", "all");
    let first = inventory.apply(scope, &device("01", "pump", Some(NOW))).row;
    let ca = |serial: &str| Sighting { kind: Kind::Ca, ..device(serial, "pump", Some(NOW + DAY)) };
    for other in [
        device("02", "pump", Some(NOW)),
        device("03", "", Some(NOW + DAY)),
        // Another authority may serve another purpose, unless the certificate began later.
        Sighting {
            signer: "ca2".to_owned(),
            not_before: Some(at(NOW - 365 * DAY)),
            ..device("04", "pump", Some(NOW + DAY))
        },
        Sighting { status: Status::Pending, ..device("05", "pump", Some(NOW + DAY)) },
        device("06", "pump", None),
        ca("07"),
    ] {
        assert_eq!(inventory.apply(scope, &other).restated, [], "{other:?}");
    }
    assert_eq!(inventory.successor(first), None);
    let later = Sighting { signer: "ca2".to_owned(), ..device("08", "pump", Some(NOW + DAY)) };
    let later = inventory.apply(scope, &later).row;
    assert_eq!(inventory.successor(first), Some(later));
}

#[test]
fn an_end_that_moves_is_told_apart_from_other_changes() {
    let mut inventory = Inventory::new();
    let (scope, _) = inventory.scope("ssl", "all");
    let mut see = |status, end| {
        let applied = inventory.apply(scope, &Sighting { status, ..device("01", "", end) });
        (applied.change, applied.end_moved)
    };
    let changed =
        |renewed_from: Option<i64>| Change::Changed { renewed_from: renewed_from.map(at) };
    for (status, end, expected) in [
        (Status::Inactive, Some(100), (Change::Added, false)),
        (Status::Inactive, Some(100), (Change::Unchanged, false)),
        (Status::Active, Some(100), (changed(None), false)),
        (Status::Active, Some(200), (changed(Some(100)), true)),
        (Status::Active, Some(150), (changed(None), true)),
        (Status::Active, None, (changed(None), false)),
        (Status::Active, Some(900), (changed(None), false)),
        (Status::Revoked, Some(900), (changed(None), false)),
    ] {
        assert_eq!(see(status, end), expected, "{status} {end:?}");
    }
}

#[test]
fn an_authority_is_listed_and_its_leaves_outlive_it() {
    let mut world = World::default();
    let ca = |end| Sighting { kind: Kind::Ca, issuer: "root".to_owned(), ..device("ca1", "", end) };
    for (serial, days) in [("01", 10), ("02", 20), ("03", 30)] {
        world.apply(0, &device(serial, "", Some(NOW + days * DAY)));
    }
    let row = world.apply(0, &ca(Some(NOW + 15 * DAY))).row;
    let mut cache = SumsCache::new();
    let mut outliving = |world: &mut World| {
        let view = world.inventory.view();
        let sums = &cache.refresh(&view, at(NOW))[&ScopeId(1)];
        (sums.outliving.get(&row).copied(), view.cas(ScopeId(1)))
    };
    let listed =
        |end| vec![CaRow { row, serial: "ca1".into(), signs: "ca1".into(), not_after: end }];
    assert_eq!(outliving(&mut world), (Some(2), listed(Some(at(NOW + 15 * DAY)))));
    assert_eq!(world.inventory.leaves(row), Some(3));
    world.apply(0, &ca(Some(NOW + 25 * DAY)));
    assert_eq!(outliving(&mut world), (Some(1), listed(Some(at(NOW + 25 * DAY)))));
    world.apply(0, &ca(None));
    assert_eq!(outliving(&mut world), (None, listed(None)));
    world.apply(0, &ca(Some(NOW)));
    assert_eq!(outliving(&mut world).0, Some(3));
    world.inventory.remove(row);
    assert_eq!(outliving(&mut world), (None, Vec::new()));
    assert_eq!(world.inventory.leaves(row), None, "nobody knows it any more");
}

#[test]
fn an_authority_counts_for_leaves_in_other_chunks_too() {
    let mut world = World::default();
    for serial in 0..4096 {
        world.apply(0, &device(&serial.to_string(), "", Some(NOW + DAY)));
    }
    let mut cache = SumsCache::new();
    for (end, outliving) in [(None, None), (Some(NOW), Some(4096)), (Some(NOW + DAY), None)] {
        let row = world.apply(0, &Sighting { kind: Kind::Ca, ..device("ca1", "", end) }).row;
        let sums = &cache.refresh(&world.inventory.view(), at(NOW))[&ScopeId(1)];
        assert_eq!(sums.outliving.get(&row).copied(), outliving);
    }
}

/// Chunks whose ends lie apart, so that some are passed over, and the ends move while they are asked for.
#[test]
fn chunks_are_passed_over_only_when_nothing_in_them_ends_there() {
    let mut inventory = Inventory::new();
    let (scope, _) = inventory.scope("a", "all");
    let mut ends: BTreeMap<i64, RowId> = BTreeMap::new();
    for number in 0..3 * 4096_i64 {
        let end = NOW + number * 10;
        let row = inventory.apply(scope, &device(&number.to_string(), "", Some(end))).row;
        ends.insert(end, row);
    }
    let moved = inventory.apply(scope, &device("5000", "", Some(NOW + 7))).row;
    ends.remove(&(NOW + 50_000));
    ends.insert(NOW + 7, moved);
    for gone in (8192..12_288).filter(|number| number % 4 != 0) {
        let row = ends.remove(&(NOW + gone * 10)).unwrap();
        inventory.remove(row);
    }
    for (from, to) in [(-9, 3), (7, 7), (40_950, 50_010), (81_920, 81_930), (122_870, 900_000)] {
        let (from, to) = (NOW + from, NOW + to);
        let mut rows: Vec<_> = inventory.rows(scope, None, Some((at(from), at(to)))).collect();
        rows.sort_unstable();
        let mut expected: Vec<_> = ends.range(from..=to).map(|(_, row)| *row).collect();
        expected.sort_unstable();
        assert_eq!(rows, expected, "{from} {to}");
        for most in [1, 5, 5000] {
            let expected: Vec<_> = ends.range(from..).map(|(end, _)| at(*end)).take(most).collect();
            assert_eq!(inventory.view().ends_after(scope, None, at(from), most), expected);
        }
        for (now, most) in [(from, 3), (from + 30 * DAY, 5000), (from, 0), (to, 9000)] {
            let long_ended = now - 30 * DAY;
            let soon = ends.range(long_ended..).chain(ends.range(..long_ended));
            let expected: Vec<_> = soon.map(|(_, row)| *row).take(most).collect();
            assert_eq!(inventory.view().soonest("a", most, at(now)), expected);
        }
    }
}

#[test]
fn a_bound_is_crossed_in_its_very_second() {
    let mut world = World::default();
    world.apply(0, &device("01", "", Some(NOW)));
    let view = world.inventory.view();
    let mut cache = SumsCache::new();
    for bound in BUCKETS.into_iter().rev() {
        for now in [at(NOW - bound - 2), at(NOW - bound - 1), at(NOW - bound), at(NOW - bound + 1)]
        {
            assert_eq!(cache.refresh(&view, now)[&ScopeId(1)], world.sums(ScopeId(1), now));
        }
    }
}

#[test]
fn what_ended_more_than_30_days_ago_is_no_longer_the_earliest_end_of_its_kind() {
    let mut world = World::default();
    world.apply(0, &device("01", "", Some(NOW)));
    world.apply(0, &device("02", "", Some(NOW + 40 * DAY)));
    world.apply(0, &Sighting { kind: Kind::Ca, ..device("ca", "", Some(NOW + DAY)) });
    let view = world.inventory.view();
    let mut cache = SumsCache::new();
    for (after, device, ca) in [
        (0, Some(0), Some(DAY)),
        (30 * DAY, Some(0), Some(DAY)),
        (30 * DAY + 1, Some(40 * DAY), Some(DAY)),
        (31 * DAY, Some(40 * DAY), Some(DAY)),
        (31 * DAY + 1, Some(40 * DAY), None),
        (70 * DAY + 1, None, None),
    ] {
        let kinds = &cache.refresh(&view, at(NOW + after))[&ScopeId(1)].kinds;
        let earliest = |kind: Kind| kinds[kind as usize].earliest.map(|end| end.seconds() - NOW);
        assert_eq!((earliest(Kind::Device), earliest(Kind::Ca)), (device, ca), "{after}");
    }
}

#[test]
fn a_freed_number_rests_until_the_next_view_and_is_then_used_again() {
    let mut inventory = Inventory::new();
    let (scope, _) = inventory.scope("a", "all");
    let (other, _) = inventory.scope("b", "all");
    let apply = |inventory: &mut Inventory, scope, serial: &str| {
        inventory.apply(scope, &device(serial, "", Some(NOW))).row
    };
    let first = apply(&mut inventory, scope, "01");
    assert_eq!((first, apply(&mut inventory, scope, "02")), (RowId(0), RowId(1)));
    assert_eq!(apply(&mut inventory, other, "01"), RowId(4096));
    inventory.remove(first);
    assert_eq!(apply(&mut inventory, scope, "03"), RowId(2));
    assert_eq!(inventory.view().row(first), None);
    assert_eq!(apply(&mut inventory, other, "02"), RowId(4097), "never of another scope");
    assert_eq!(apply(&mut inventory, scope, "04"), first);
    assert_eq!(apply(&mut inventory, scope, "05"), RowId(3));
}

#[test]
fn gaps_in_restored_numbers_are_filled() {
    let mut inventory = Inventory::new();
    inventory.restore_scope(ScopeId(7), "a", "all");
    let mut restore = |scope, row, serial: &str| {
        let sighting = device(serial, "", Some(NOW));
        let parts = StoredParts::of(&sighting, sighting.row_digest());
        inventory.restore(ScopeId(scope), StoredRow::new(RowId(row), parts))
    };
    assert!(restore(7, 8195, "01"));
    assert!(restore(7, 8193, "02"));
    assert!(!restore(7, 8193, "03"), "the number is taken");
    assert!(!restore(8, 8200, "04"), "the chunk is another scope's");
    assert!(!restore(7, 8194, "01"), "the certificate is known");
    assert_eq!(inventory.scope("b", "all"), (ScopeId(8), true));
    let mut rows = Vec::new();
    for serial in 10..14 {
        rows.push(inventory.apply(ScopeId(7), &device(&serial.to_string(), "", Some(NOW))).row.0);
    }
    rows.push(inventory.apply(ScopeId(8), &device("01", "", Some(NOW))).row.0);
    rows.sort_unstable();
    assert_eq!(rows[1..], [8192, 8194, 8196, 8197]);
    assert!(rows[0] == 0 || rows[0] == 4096, "an unowned chunk is given to a scope: {rows:?}");
    assert_eq!(inventory.view().len(), 7);
}

#[test]
fn a_certificate_costs_at_most_80_bytes() {
    for count in [50_000_u32, 100_000, 115_000, 230_000] {
        let mut inventory = Inventory::new();
        let (scope, _) = inventory.scope("iot", "all");
        let mut view = inventory.view();
        for number in 0..count {
            let serial = format!("{number:040x}");
            inventory.apply(scope, &device(&serial, &serial, Some(NOW + i64::from(number))));
            if number % 1000 == 999 {
                view = inventory.view();
            }
        }
        assert_eq!(view.len(), count as usize);
        let each = inventory.heap_bytes() / count as usize;
        assert!(each <= 80, "{each} bytes for each of {count}");
    }
}

#[test]
fn small_scopes_stay_small() {
    let mut inventory = Inventory::new();
    for number in 0..100 {
        let (scope, _) = inventory.scope("many", &number.to_string());
        inventory.apply(scope, &device("01", "", Some(NOW)));
    }
    assert!(inventory.heap_bytes() < 100 * 1500, "{} bytes", inventory.heap_bytes());
}

#[test]
fn times_at_the_edge_of_the_range_do_no_harm() {
    let mut inventory = Inventory::new();
    let (scope, _) = inventory.scope("a", "all");
    for (serial, end) in [("01", i64::MIN), ("02", i64::MIN + 1), ("03", i64::MAX), ("04", 0)] {
        let sighting = Sighting { not_before: Some(at(0)), ..device(serial, "", Some(0)) };
        inventory.apply(scope, &Sighting { not_after: Some(at(end)), ..sighting });
    }
    let view = inventory.view();
    let mut cache = SumsCache::new();
    for now in [i64::MIN, -1, 0, i64::MAX] {
        let sums = &cache.refresh(&view, at(now))[&scope];
        assert_eq!((sums.count(), sums.months.values().sum::<u64>()), (4, 1));
    }
    assert_eq!(view.soonest("a", 1, at(i64::MIN)).len(), 1);
    assert_eq!(view.row(RowId(u32::MAX)), None);
}
