//! The inventory held against its model.

use super::*;

proptest! {
    #![proptest_config(crate::property::cases(300))]

    #[test]
    fn every_certificate_is_there_with_the_status_that_the_model_gives_it(steps in steps(40)) {
        let mut world = World::default();
        for step in &steps {
            world.step(step);
            world.check();
        }
    }

    #[test]
    fn sums_equal_a_fold_at_any_time(
        steps in proptest::collection::vec((steps(6), -3000..3000_i64), 1..8)
    ) {
        let mut world = World::default();
        let mut cache = SumsCache::new();
        for (steps, hours) in steps {
            let restarted = steps.iter().filter(|step| matches!(step, Step::Restart)).count() > 0;
            world.play(&steps);
            if restarted {
                cache = SumsCache::new();
            }
            let view = world.inventory.view();
            for now in [at(NOW), at(NOW + hours * 3600), at(NOW + hours * 3600 + 60)] {
                let expected: BTreeMap<_, _> =
                    view.scopes().map(|(scope, _, _)| (scope, world.sums(scope, now))).collect();
                prop_assert_eq!(cache.refresh(&view, now), &expected);
            }
        }
    }

    #[test]
    fn a_view_never_changes(before in steps(20), after in steps(20)) {
        let mut world = World::default();
        world.play(&before);
        let view = world.inventory.view();
        let shown = show(&view);
        world.play(&after);
        prop_assert_eq!(show(&view), shown);
        let now = world.inventory.view();
        // A restart makes another inventory, which counts its versions anew.
        let restarted = after.iter().any(|step| matches!(step, Step::Restart));
        let same = show(&now) == show(&view);
        prop_assert!(restarted || same || now.version() != view.version());
    }

    #[test]
    fn the_soonest_come_first(steps in steps(60), limit in 0..30_usize) {
        let mut world = World::default();
        world.play(&steps);
        let view = world.inventory.view();
        for source in ["a", "b", "c"] {
            let names: BTreeMap<_, _> = view.scopes().map(|(id, name, _)| (id, name)).collect();
            let mut ranked: Vec<_> = view
                .rows()
                .filter(|(_, row)| **names[&row.scope] == *source)
                .filter_map(|(id, row)| {
                    let end = row.not_after?;
                    Some((row.status != Status::Active, end < at(NOW - 30 * DAY), end, id))
                })
                .collect();
            prop_assert_eq!(view.dated(source), ranked.len() as u64);
            ranked.sort_unstable();
            let expected: Vec<_> = ranked.iter().map(|(.., id)| *id).take(limit).collect();
            prop_assert_eq!(view.soonest(source, limit, at(NOW)), expected);
        }
    }

    #[test]
    fn rows_of_a_scope_are_chosen_by_kind_and_end(steps in steps(30), from in -60..60_i64, days in 0..90_i64) {
        let mut world = World::default();
        world.play(&steps);
        let within = (at(NOW + from * DAY), at(NOW + (from + days) * DAY));
        for scope in [ScopeId(1), ScopeId(2), ScopeId(9)] {
            for kind in [None, Some(Kind::Device), Some(Kind::Ca)] {
                for window in [None, Some(within)] {
                    let fits = |end: Option<Timestamp>| window.is_none_or(|(from, to)| {
                        end.is_some_and(|end| (from..=to).contains(&end))
                    });
                    let expected: Vec<_> = world.stored.iter()
                        .filter(|(_, stored)| stored.scope == scope)
                        .filter(|(_, stored)| kind.is_none_or(|kind| stored.sighting.kind == kind))
                        .filter(|(_, stored)| fits(stored.sighting.not_after))
                        .map(|(id, _)| *id)
                        .collect();
                    let mut rows: Vec<_> = world.inventory.rows(scope, kind, window).collect();
                    rows.sort_unstable();
                    prop_assert_eq!(rows, expected);
                }
            }
        }
    }

    #[test]
    fn the_first_ends_after_a_time_are_those_of_a_plain_fold(
        steps in steps(60), from in -60..60_i64, most in 0..30_usize
    ) {
        let mut world = World::default();
        world.play(&steps);
        let view = world.inventory.view();
        let from = at(NOW + from * DAY);
        for scope in [ScopeId(1), ScopeId(2), ScopeId(9)] {
            for kind in [None, Some(Kind::Device), Some(Kind::Ca)] {
                let mut expected: Vec<_> = world.stored.values()
                    .filter(|stored| stored.scope == scope)
                    .filter(|stored| kind.is_none_or(|kind| stored.sighting.kind == kind))
                    .filter_map(|stored| stored.sighting.not_after)
                    .filter(|end| *end >= from)
                    .collect();
                expected.sort_unstable();
                expected.truncate(most);
                prop_assert_eq!(view.ends_after(scope, kind, from, most), expected);
            }
        }
    }

    #[test]
    fn leaves_are_counted_by_the_serial_of_their_authority(steps in steps(40)) {
        let mut world = World::default();
        world.play(&steps);
        for (id, ca) in &world.stored {
            let expected = world.stored.values().filter(|leaf| {
                ca.sighting.kind == Kind::Ca && leaf.sighting.kind != Kind::Ca
                    && leaf.scope == ca.scope && leaf.status == Status::Active
                    && leaf.sighting.issuer == ca.sighting.serial
            });
            let expected = expected.count() as u64;
            let is_authority = ca.sighting.kind == Kind::Ca;
            let known = is_authority && (expected > 0 || ca.sighting.place.is_empty());
            prop_assert_eq!(world.inventory.leaves(*id), known.then_some(expected));
        }
    }
}

proptest! {
    #![proptest_config(crate::property::cases(6))]

    #[test]
    fn a_holder_of_very_many_certificates_is_no_chain(
        steps in proptest::collection::vec((0..75_usize, any::<bool>(), -9..9_i64), 1..25)
    ) {
        let mut world = World::default();
        for serial in 0..63 {
            world.apply(0, &device(&format!("d{serial}"), "fleet", Some(NOW + serial)));
        }
        for (serial, remove, end) in steps {
            if remove {
                world.remove_at(serial);
            }
            world.apply(0, &device(&format!("d{serial}"), "fleet", Some(NOW + end)));
            world.apply(0, &device("other", if remove { "fleet" } else { "one" }, Some(NOW)));
            world.check();
        }
        world.restart();
        world.check();
        while !world.stored.is_empty() {
            world.remove_at(7);
        }
        world.check();
    }
}

proptest! {
    #![proptest_config(crate::property::config())]

    #[test]
    fn unchanged_is_said_exactly_when_nothing_is_to_be_written(first in sighting(), second in sighting()) {
        let mut world = World::default();
        world.apply(0, &first);
        world.apply(0, &Sighting { serial: first.serial.clone(), issuer: first.issuer.clone(), ..second });
        let again = world.stored.values().next().unwrap().sighting.clone();
        prop_assert_eq!(world.apply(0, &again).change, Change::Unchanged);
    }
}
