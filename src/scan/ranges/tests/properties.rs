//! What holds for any list, whatever happens to it while it is read.

use super::*;

fn end() -> impl Strategy<Value = Option<i64>> {
    // Batches share ends; few rows have no end.
    prop_oneof![
        6 => (0..SPREAD).prop_map(Some),
        3 => (0..4_i64).prop_map(|same_second| Some(same_second * 100)),
        1 => Just(None),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => Just(Happening::Nothing),
        1 => end().prop_map(Happening::Insert),
        1 => (0..200_usize).prop_map(Happening::Delete),
    ]
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        (-9..9_i64).prop_map(Lie::Total),
        Just(Lie::Empty),
        Just(Lie::FilterIgnored),
        Just(Lie::Fails),
    ]
}

fn published() -> impl Strategy<Value = Published> {
    prop_oneof![Just(Published::Live), Just(Published::AtTheStart), Just(Published::Nothing)]
}

/// Returns what a reading that calls itself proven did not show, though it was there all the time.
fn skipped(list: &List, mut known: Known, is_at_rest: bool) -> Vec<(u32, Option<i64>)> {
    let reading = run(list, &mut known, &Unfinished::default());
    if !reading.is_ok_and(|reading| reading.proven()) {
        return Vec::new();
    }
    // Those without an end are proven by counts, which a list that comes and goes in step with them deceives.
    let counted = |end: Option<i64>| end.is_some() || is_at_rest;
    let asked = |end| is_within(end, list.within) && counted(end);
    let throughout = list.throughout(0).into_iter();
    throughout.filter(|(name, end)| asked(*end) && !known.rows.contains_key(name)).collect()
}

#[test]
fn rows_that_come_and_go_within_a_second_do_not_hide_others() {
    let hours: [i64; 17] = [0, 9, 0, 9, 9, 9, 0, 0, 9, -1, 9, 9, 82, -1, 10, 11, 11];
    let ends = hours.map(|hour| (hour >= 0).then_some(hour));
    let mut script = vec![Happening::Nothing; 8];
    (script[0], script[4], script[5]) =
        (Happening::Insert(Some(0)), Happening::Insert(Some(0)), Happening::Delete(8));
    let list = List { script, ..List::of(&ends) };
    assert_eq!(skipped(&list, partly_known(&list, 3, 3), false), []);
}

proptest! {
    #![proptest_config(crate::property::cases(1024))]

    #[test]
    fn proven_means_that_nothing_was_skipped(
        ends in proptest::collection::vec(end(), 0..90),
        script in proptest::collection::vec(happening(), 0..12),
        lies in proptest::collection::hash_map(0..60_usize, lie(), 0..3),
        share in 0..8_usize,
        near in proptest::option::of((0..SPREAD, 0..SPREAD)),
        published in published(),
        undated_at_zero in any::<bool>(),
        listed in prop_oneof![Just(TINY.listed), Just(60)],
    ) {
        let within = near.map(|(from, length)| {
            let from = Timestamp::from_seconds(FIRST + from);
            (from, from.plus(length))
        });
        let is_at_rest = script.is_empty();
        let list = List { script, lies, within, undated_at_zero, listed, ..List::of(&ends) };
        let known = Known { published, ..partly_known(&list, share, 3) };
        let skipped = skipped(&list, known, is_at_rest);
        prop_assert!(skipped.is_empty(), "skipped {skipped:?}");
    }

    #[test]
    fn a_list_at_rest_is_proven_at_once_and_what_is_gone_is_found_gone(
        ends in proptest::collection::vec(end(), 0..120),
        share in 0..8_usize,
        gone in 0..20_u32,
        published in published(),
        undated_at_zero in any::<bool>(),
    ) {
        let list = List { undated_at_zero, ..List::of(&ends) };
        let mut known = Known { published, ..partly_known(&list, share, gone) };
        let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
        prop_assert!(reading.proven(), "{reading:?}");
        prop_assert_eq!(reading.last_total, ends.len() as u64);
        prop_assert_eq!(reading.distinct, ends.len() as u64);
        prop_assert_eq!(known.rows, list.truth());
    }

    #[test]
    fn a_reading_that_was_cut_off_goes_on_and_ends_with_the_truth(
        ends in proptest::collection::vec(end(), 30..120),
        cut_at in 0..60_usize,
        share in 0..8_usize,
        published in published(),
        undated_at_zero in any::<bool>(),
    ) {
        let lies = [(cut_at, Lie::Fails)].into();
        let list = List { lies, undated_at_zero, ..List::of(&ends) };
        let mut known = Known { published, ..partly_known(&list, share, 5) };
        let unfinished = Unfinished::default();
        if run(&list, &mut known, &unfinished).is_err() {
            let reading = run(&list, &mut known, &unfinished).unwrap();
            prop_assert!(reading.proven(), "{reading:?}");
        }
        prop_assert!(!unfinished.is_waiting());
        prop_assert_eq!(known.rows, list.truth());
    }

    #[test]
    fn a_provider_that_always_lies_comes_to_an_end_and_is_not_believed(
        ends in proptest::collection::vec((0..SPREAD).prop_map(Some), 30..90),
        always in prop_oneof![
            Just(Lie::Empty), Just(Lie::FilterIgnored), (1..99_i64).prop_map(Lie::Total), Just(Lie::Total(-3)),
        ],
        share in 0..8_usize,
        published in published(),
    ) {
        let list = List { always: Some(always), ..List::of(&ends) };
        let mut known = Known { published, ..partly_known(&list, share, 0) };
        let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
        let whole = known.rows.keys().len() == ends.len();
        prop_assert!(!reading.proven() || whole && always == Lie::FilterIgnored, "{reading:?}");
    }
}
