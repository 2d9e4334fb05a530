use proptest::prelude::*;

use super::*;
use crate::expiry::Kind;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn near(now: Timestamp) -> Window {
    Window::Near { from: now.plus(-30 * DAY), to: now.plus(45 * DAY) }
}

/// A device that was asked for `NOW` and answered so.
fn asked(device: u64, soonest: Soonest) -> Checks {
    let mut checks = Checks::default();
    assert_eq!(checks.begin(Window::All, NOW), Coverage::Once);
    checks.restore(&[checks.checkpoint(device, Window::All, soonest, NOW)]);
    checks.restore(&checks.checkpoint_sweep(Window::All, true));
    checks
}

fn ends_in(days: i64) -> Soonest {
    Soonest::At(NOW.plus(days * DAY))
}

/// Returns the whole hours after which a near scan first asks for a device that answered so.
fn hours(device: u64, soonest: Soonest) -> i64 {
    let checks = asked(device, soonest);
    let due = |hour: &i64| {
        let now = NOW.plus(hour * 3600);
        checks.is_due(device, near(now), now)
    };
    (0..24 * 30).find(due).unwrap()
}

#[test]
fn the_later_the_end_the_later_the_next_check() {
    // Devices of which the one waits half of the time, and the other the whole.
    for (soonest, half, whole) in [
        (ends_in(-29), 0, 0),
        (ends_in(0), 0, 0),
        (ends_in(45), 0, 0),
        // It comes into the window before its time has come.
        (ends_in(46), 24, 24),
        (ends_in(80), 60, 120),
        (ends_in(112), 84, 168),
        (ends_in(3650), 84, 168),
        (Soonest::At(Timestamp::from_seconds(253_402_300_799)), 84, 168),
        (Soonest::None, 12, 24),
        (Soonest::Unread, 0, 0),
        // It left the window.
        (ends_in(-31), 12, 24),
    ] {
        assert_eq!((hours(33, soonest), hours(32, soonest)), (half, whole), "{soonest:?}");
    }
}

#[test]
fn devices_that_were_asked_for_together_come_again_apart() {
    let mut hours: Vec<i64> = (0..33).map(|device| hours(device, ends_in(300))).collect();
    hours.sort_unstable();
    hours.dedup();
    assert!(hours.len() > 30, "{hours:?}");
}

#[test]
fn a_device_never_asked_for_is_due() {
    let checks = asked(1, ends_in(300));
    assert!(checks.is_due(2, near(NOW), NOW));
    assert!(!checks.is_due(1, near(NOW), NOW));
}

#[test]
fn a_clock_that_was_set_back_does_not_put_checks_off() {
    let checks = asked(1, ends_in(300));
    let before = NOW.plus(-3600);
    assert!(!checks.is_due(1, near(before), before));
    let long_before = NOW.plus(-2 * DAY);
    assert!(checks.is_due(1, near(long_before), long_before));
}

#[test]
fn a_full_scan_asks_for_each_device_once() {
    let mut checks = asked(1, ends_in(300));
    assert_eq!(checks.begin(Window::All, NOW), Coverage::Once);
    for device in [1, 2] {
        assert!(checks.is_due(device, Window::All, NOW));
        checks.restore(&[checks.checkpoint(device, Window::All, ends_in(300), NOW)]);
        // As when the list is read a second time.
        assert!(!checks.is_due(device, Window::All, NOW));
    }
    checks.restore(&[checks.checkpoint(2, Window::All, Soonest::Unread, NOW)]);
    assert!(checks.is_due(2, Window::All, NOW), "nothing was understood");
    checks.restore(&checks.checkpoint_sweep(Window::All, true));
    assert!(!checks.is_due(1, Window::All, NOW), "a second reading after the end of the first");
}

#[test]
fn a_full_scan_that_was_broken_off_goes_on_for_a_week() {
    let mut before = Checks::default();
    before.begin(Window::All, NOW);
    let mut checkpoints = before.checkpoint_sweep(Window::All, false);
    checkpoints.push(before.checkpoint(1, Window::All, ends_in(300), NOW));
    for (later, coverage, due) in [
        (0, Coverage::Skimmed, false),
        (LONGEST - 1, Coverage::Skimmed, false),
        (LONGEST, Coverage::Once, true),
    ] {
        let mut checks = Checks::default();
        checks.restore(&checkpoints);
        let now = NOW.plus(later);
        assert_eq!(checks.begin(Window::All, now), coverage, "{later}");
        assert_eq!(checks.is_due(1, Window::All, now), due, "{later}");
        assert!(checks.is_due(2, Window::All, now));
    }
}

#[test]
fn what_a_cold_near_scan_asked_for_the_first_full_scan_does_not() {
    let mut checks = Checks::default();
    assert_eq!(checks.begin(near(NOW), NOW), Coverage::Skimmed);
    let begun = checks.checkpoint_sweep(near(NOW), true);
    assert_eq!(begun, [("sweep".to_owned(), Some("1 1800000000 open".to_owned()))]);
    checks.restore(&begun);
    assert_eq!(checks.checkpoint_sweep(near(NOW), false), []);
    assert!(checks.is_waiting());
    checks.restore(&[checks.checkpoint(1, near(NOW), ends_in(300), NOW)]);
    assert_eq!(checks.begin(Window::All, NOW), Coverage::Skimmed);
    assert!(!checks.is_due(1, Window::All, NOW));
    checks.restore(&checks.checkpoint_sweep(Window::All, true));
    assert_eq!(checks.begin(near(NOW), NOW), Coverage::Skimmed);
    assert_eq!(checks.begin(Window::All, NOW), Coverage::Once);
    assert!(checks.is_due(1, Window::All, NOW));
}

#[test]
fn what_a_near_scan_asked_for_beside_a_full_one_the_full_one_asks_for_too() {
    let mut checks = asked(1, ends_in(10));
    // The near scan was under way when the full one began, and goes on beside it.
    let before = checks.checkpoint(1, near(NOW), ends_in(10), NOW);
    assert_eq!(checks.begin(Window::All, NOW), Coverage::Once);
    checks.restore(&checks.checkpoint_sweep(Window::All, false));
    checks.restore(&[before]);
    for device in [1, 2] {
        checks.restore(&[checks.checkpoint(device, near(NOW), ends_in(10), NOW)]);
        assert!(checks.is_due(device, Window::All, NOW), "{device}");
    }
    checks.restore(&[checks.checkpoint(1, Window::All, ends_in(10), NOW)]);
    checks.restore(&[checks.checkpoint(1, near(NOW), ends_in(10), NOW)]);
    assert!(!checks.is_due(1, Window::All, NOW), "covered by the full one");
    // Once it is broken off, it says nothing about what is gone, and need not ask for what others asked for.
    assert_eq!(checks.begin(Window::All, NOW), Coverage::Skimmed);
    assert!(checks.is_due(2, Window::All, NOW));
    checks.restore(&[checks.checkpoint(2, near(NOW), ends_in(10), NOW)]);
    assert!(!checks.is_due(2, Window::All, NOW));
}

#[test]
fn a_late_checkpoint_does_not_undo_what_happened_since() {
    let mut checks = Checks::default();
    checks.begin(Window::All, NOW);
    let open = checks.checkpoint_sweep(Window::All, false);
    checks.restore(&open);
    assert!(checks.is_waiting());
    checks.restore(&checks.checkpoint_sweep(Window::All, true));
    checks.restore(&open);
    assert!(!checks.is_waiting(), "what is done stays done");
    checks.begin(Window::All, NOW.plus(1));
    checks.restore(&open);
    assert_eq!(checks.sweep.map(|sweep| (sweep.number, sweep.alone)), Some((2, true)));
}

#[test]
fn a_device_that_a_whole_scan_did_not_meet_is_forgotten() {
    let mut checks = Checks::default();
    let sweep = |checks: &mut Checks, devices: &[u64]| -> Vec<String> {
        checks.begin(Window::All, NOW);
        let begun = checks.checkpoint_sweep(Window::All, false);
        checks.restore(&begun);
        for device in devices {
            checks.restore(&[checks.checkpoint(*device, Window::All, ends_in(300), NOW)]);
        }
        checks.restore(&checks.checkpoint_sweep(Window::All, true));
        begun.into_iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key).collect()
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(sweep(&mut checks, &[1, 2]), none);
    assert_eq!(sweep(&mut checks, &[1]), none);
    assert_eq!(sweep(&mut checks, &[1]), ["check/0000000000000002"]);
    assert_eq!(sweep(&mut checks, &[1]), none);
    assert_eq!(checks.devices.len(), 1);
}

#[test]
fn checkpoints_of_another_version_are_as_good_as_none() {
    let mut checks = asked(1, ends_in(300));
    let checkpoint = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
    checks.restore(&[
        checkpoint("sweep", "x"),
        checkpoint("check/", "1 2 3"),
        checkpoint("check/zz", "1 2 3"),
        checkpoint("else", "1 2 3"),
    ]);
    assert!(!checks.is_due(1, near(NOW), NOW));
    assert_eq!(checks.sweep.map(|sweep| (sweep.number, sweep.done)), Some((1, true)));
    for value in ["", "1 2", "1 2 x", "-1 2 3", "1 2 99999999999"] {
        checks.restore(&[checkpoint("check/0000000000000001", value)]);
        assert!(checks.is_due(1, near(NOW), NOW), "{value}");
    }
}

fn sighting(status: Status, end: Option<i64>) -> Sighting {
    Sighting {
        not_after: end.map(|days| NOW.plus(days * DAY)),
        ..Sighting::bare(Kind::Device, status)
    }
}

#[test]
fn the_soonest_end_that_matters() {
    use Status::{Active, Inactive, Pending, Retired, Revoked, Superseded};
    for (seen, expected) in [
        (vec![], Soonest::None),
        (vec![(Active, None)], Soonest::None),
        (vec![(Active, Some(90)), (Active, Some(9)), (Active, None)], ends_in(9)),
        (vec![(Inactive, Some(90)), (Pending, Some(80))], ends_in(80)),
        (vec![(Active, Some(90)), (Revoked, Some(1)), (Superseded, Some(2))], ends_in(90)),
        (vec![(Retired, Some(90))], Soonest::None),
        (vec![(Active, Some(-29)), (Active, Some(90))], ends_in(-29)),
        (vec![(Active, Some(-30)), (Active, Some(90))], ends_in(90)),
        (vec![(Active, Some(-31))], Soonest::None),
    ] {
        let sightings: Vec<_> = seen.iter().map(|(status, end)| sighting(*status, *end)).collect();
        assert_eq!(Soonest::of(&sightings, NOW), expected, "{seen:?}");
    }
}

proptest! {
    #![proptest_config(crate::property::config())]

    #[test]
    fn checkpoints_come_back_as_they_went(
        device: u64,
        seconds in 2..i64::from(u32::MAX),
        asked in 2..i64::from(u32::MAX),
    ) {
        for soonest in [Soonest::None, Soonest::Unread, Soonest::At(Timestamp::from_seconds(seconds))] {
            let mut checks = Checks::default();
            checks.begin(Window::All, NOW);
            let checkpoint = checks.checkpoint(device, Window::All, soonest, Timestamp::from_seconds(asked));
            checks.restore(&[checkpoint]);
            let check = checks.devices[&device];
            prop_assert_eq!(Soonest::expand(check.soonest), soonest);
            prop_assert_eq!((i64::from(check.asked), check.sweep), (asked, 1));
        }
    }
}
