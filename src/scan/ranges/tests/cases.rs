//! Fleets as they are: known, new, of one second, without ends, never at rest.

use super::*;

/// Hours of rows, as a fleet has them that grew steadily.
fn fleet(rows: i64) -> Vec<Option<i64>> {
    (0..rows).map(|row| Some(row * 7 % rows * 3)).collect()
}

#[test]
fn what_is_known_is_read_with_one_answer_for_each_part() {
    let list = List::of(&fleet(240));
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    // 240 rows are 60 answers of four. Counting before and after, and at the last window, is eleven more.
    assert_eq!(list.state.lock().unwrap().served, 60 + 11);
    assert_eq!((known.begun, known.checkpoints), (1, 240 / 12 + 1));
}

/// Four times nine that end in the same second.
fn same_seconds() -> Vec<Option<i64>> {
    (0..36).map(|row| Some(row / 9 * 100)).collect()
}

#[test]
fn certificates_that_end_in_the_same_second_are_read_page_by_page() {
    let list = List::of(&same_seconds());
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    // Nine rows are three pages that overlap by two, and nothing lies between them and the next nine. Eleven more answers
    // count the fleet.
    assert_eq!(list.state.lock().unwrap().served, 4 * (3 + 1) + 11);
}

#[test]
fn finished_windows_are_not_read_again() {
    let list = List { lies: [(30, Lie::Fails)].into(), ..List::of(&fleet(240)) };
    let mut known = partly_known(&list, 7, 0);
    let unfinished = Unfinished::default();
    run(&list, &mut known, &unfinished).unwrap_err();
    let windows = known.checkpoints;
    assert!(windows > 5, "{windows}");
    let before = list.state.lock().unwrap().served;
    run(&list, &mut known, &unfinished).unwrap();
    let after = list.state.lock().unwrap().served - before;
    assert!(after < 60 - 12, "{after} answers");
    assert_eq!(known.begun, 1);
}

#[test]
fn certificates_without_an_end_are_proven_by_asking_for_them() {
    let mut ends = fleet(240);
    ends.extend([None, None, None]);
    let list = List::of(&ends);
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    assert_eq!(reading.distinct, 243);
    // One that nobody knows of is not proven away: the list as a whole shows it.
    let mut unaware = partly_known(&list, 7, 0);
    unaware.rows.remove(&241);
    let reading = run(&list, &mut unaware, &Unfinished::default()).unwrap();
    assert!(reading.proven() && !reading.by_windows, "{reading:?}");
    assert_eq!(unaware.rows, list.truth());
}

#[test]
fn certificates_without_an_end_are_read_as_a_window_where_the_filter_finds_them() {
    let mut ends = fleet(240);
    ends.extend([None; 30]);
    let list = List { undated_at_zero: true, ..List::of(&ends) };
    let mut known = partly_known(&list, 7, 0);
    // One of them is gone, and found out by one question.
    known.rows.insert(9_999, None);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    assert_eq!((reading.distinct, reading.undated, known.asked), (270, 30, 1));
    assert_eq!(known.rows, list.truth());
    // Thirty are ten pages that overlap, and the others one answer for each part. Ten more count.
    assert_eq!(list.state.lock().unwrap().served, 10 + 60 + 10);
}

#[test]
fn many_certificates_without_an_end_are_proven_by_the_list_though_the_fleet_changes() {
    let mut script = vec![Happening::Nothing; 9];
    script.extend([Happening::Insert(Some(350)), Happening::Nothing, Happening::Delete(40)]);
    let mut ends = fleet(400);
    ends.extend([None; 30]);
    for share in [0, 7] {
        let list = List { script: script.clone(), ..List::of(&ends) };
        let mut known = partly_known(&list, share, 0);
        // One of them is gone, and found out by one question.
        known.rows.insert(9_999, None);
        let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
        assert!(reading.proven() && reading.by_windows, "{share}: {reading:?}");
        assert_eq!((reading.undated, known.asked), (30, 1), "{share}");
        assert!(!known.rows.contains_key(&9_999));
        let throughout = list.throughout(0);
        assert!(throughout.iter().all(|(name, _)| known.rows.contains_key(name)), "{share}");
    }
}

#[test]
fn many_certificates_without_an_end_are_not_missing_after_a_first_list_that_did_not_add_up() {
    let mut ends = fleet(240);
    ends.extend([None; 30]);
    // The first list shows too few rows, though its total stays the same and it comes to its end.
    let lies = (7..40).map(|number| (number, Lie::Repeat)).collect();
    let list = List { lies, ..List::of(&ends) };
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven(), "{reading:?}");
    assert_eq!((known.asked, known.begun), (0, 2));
    assert_eq!(known.rows, list.truth());
}

#[test]
fn a_fleet_that_changes_all_the_time_is_proven_all_the_same() {
    // Each answer is followed by a new row, and every third by a deletion.
    let script = vec![
        Happening::Insert(Some(350)),
        Happening::Nothing,
        Happening::Delete(40),
        Happening::Nothing,
        Happening::Nothing,
        Happening::Nothing,
        Happening::Nothing,
    ];
    let list = List { script, ..List::of(&fleet(400)) };
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    let throughout = list.throughout(0);
    assert!(throughout.iter().all(|(name, _)| known.rows.contains_key(name)));
}

#[test]
fn a_first_reading_is_proven_though_the_fleet_changes_and_some_do_not_say_when_they_end() {
    let mut script = vec![Happening::Nothing; 9];
    script.extend([Happening::Insert(Some(350)), Happening::Nothing, Happening::Delete(40)]);
    let mut ends = fleet(400);
    ends.extend([None, None]);
    for share in [0, 1] {
        let list = List { script: script.clone(), ..List::of(&ends) };
        let mut known = partly_known(&list, share, 0);
        known.rows.retain(|_, end| end.is_some());
        let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
        assert!(reading.proven() && reading.by_windows, "{share}: {reading:?}");
        assert_eq!(reading.undated, 2);
        let throughout = list.throughout(0);
        assert!(throughout.iter().all(|(name, _)| known.rows.contains_key(name)), "{share}");
    }
}

#[test]
fn a_list_that_does_not_change_is_read_as_one_and_shows_what_has_no_end() {
    let mut ends = fleet(240);
    ends.extend([None; 9]);
    let list = List { listed: 300, ..List::of(&ends) };
    let mut known = partly_known(&list, 7, 0);
    known.rows.insert(9_999, None);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && !reading.by_windows, "{reading:?}");
    assert_eq!((known.rows == list.truth(), known.asked), (true, 1));
    // Pages of five that overlap by two, and nothing else.
    assert_eq!(list.state.lock().unwrap().served, 249_usize.div_ceil(3));
}

#[test]
fn a_list_that_changes_is_given_up_at_once_and_read_by_windows() {
    let mut script = vec![Happening::Nothing; 1_000];
    script[4] = Happening::Insert(Some(350));
    let list = List { script, listed: 300, ..List::of(&fleet(240)) };
    let mut known = partly_known(&list, 7, 0);
    let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
    assert!(reading.proven() && reading.by_windows, "{reading:?}");
    assert_eq!((known.rows == list.truth(), known.begun), (true, 2));
    let served = list.state.lock().unwrap().served;
    assert!(served < 60 + 20, "{served} answers");
}

#[test]
fn a_list_that_can_be_read_only_so_far_is_read_by_windows() {
    for (rows, reach, share, listed) in
        [(240, 6, 0, 8), (240, 6, 7, 8), (240, 6, 0, 300), (240, 6, 7, 300), (8, 2, 0, 8)]
    {
        let list = List { reach, listed, ..List::of(&fleet(rows)) };
        let mut known = partly_known(&list, share, 0);
        let reading = run(&list, &mut known, &Unfinished::default()).unwrap();
        assert!(reading.proven() && reading.by_windows, "{rows} {share}: {reading:?}");
        assert_eq!(known.rows, list.truth(), "{rows} {share}");
    }
}
