//! Renewals, and certificates that are switched off and on.

use super::*;

#[test]
fn a_successor_is_said_as_renewed_once_and_mutes() {
    let mut story = Story::new();
    let old = device("01", "pump", Some(NOW + 2 * DAY));
    let new = device("02", "pump", Some(NOW + 200 * DAY));
    for sighting in [&old, &new, &old, &new] {
        story.step(&Step::Apply { scope: 0, sighting: sighting.clone().into() });
        story.step(&Step::Restart);
    }
    assert_eq!(story.notified, [("01".to_owned(), days(3))]);
    assert_eq!(story.renewed, [("01".to_owned(), Some("02".to_owned()))]);
    let revoked = Sighting { status: Status::Revoked, ..new };
    story.step(&Step::Apply { scope: 0, sighting: revoked.into() });
    assert_eq!(story.notified.len(), 2, "without its successor it is a problem again");
}

#[test]
fn nothing_is_said_as_renewed_that_nobody_was_told_of() {
    let mut story = Story::new();
    for (serial, end) in [("01", 60), ("02", 400)] {
        let sighting = device(serial, "pump", Some(NOW + end * DAY));
        story.step(&Step::Apply { scope: 0, sighting: sighting.into() });
    }
    assert_eq!((story.notified, story.renewed), (Vec::new(), Vec::new()));
}

#[test]
fn a_renewal_in_place_starts_the_ladder_anew() {
    let mut story = Story::new();
    for days in [2, 25, 10] {
        let sighting = device("01", "", Some(NOW + days * DAY));
        story.step(&Step::Apply { scope: 0, sighting: sighting.into() });
    }
    let rungs: Vec<_> = story.notified.iter().map(|(_, rung)| *rung).collect();
    assert_eq!(rungs, [days(3), days(30), days(14)]);
    assert_eq!(story.renewed, [("01".to_owned(), None)], "an earlier end is no renewal");
}

#[test]
fn what_is_gone_or_revoked_is_never_said_as_renewed() {
    let mut story = Story::new();
    let doomed = |serial| device(serial, "", Some(NOW + DAY));
    for serial in ["01", "02"] {
        story.step(&Step::Apply { scope: 0, sighting: doomed(serial).into() });
    }
    story.step(&Step::Remove(0));
    let moved = Sighting { status: Status::Revoked, ..device("02", "", Some(NOW + 900 * DAY)) };
    story.step(&Step::Apply { scope: 0, sighting: moved.into() });
    assert_eq!((story.notified.len(), story.renewed.len(), story.ledger.len()), (2, 0, 0));
}

#[test]
fn switching_on_says_again_what_was_said_mildly() {
    let mut story = Story::new();
    for status in [Status::Inactive, Status::Active, Status::Active] {
        let sighting = Sighting { status, ..device("01", "", Some(NOW + DAY)) };
        story.step(&Step::Apply { scope: 0, sighting: sighting.into() });
    }
    assert_eq!(story.notified.len(), 2);
}

#[test]
fn what_was_said_at_full_severity_is_not_said_again_when_it_is_switched_off_and_on() {
    let mut story = Story::new();
    let see = |story: &mut Story, status| {
        let sighting = Sighting { status, ..device("01", "", Some(NOW + 10 * DAY)) };
        story.step(&Step::Apply { scope: 0, sighting: sighting.into() });
        story.step(&Step::Restart);
        story.notified.iter().map(|(_, rung)| *rung).collect::<Vec<_>>()
    };
    for status in [Status::Active, Status::Inactive, Status::Active, Status::Pending] {
        assert_eq!(see(&mut story, status), [days(14)], "{status}");
    }
    // A tighter rung while it is off is said mildly, and once more when it is on.
    story.now += 5 * DAY;
    assert_eq!(see(&mut story, Status::Inactive), [days(14), days(7)]);
    for status in [Status::Active, Status::Inactive, Status::Active] {
        assert_eq!(see(&mut story, status), [days(14), days(7), days(7)], "{status}");
    }
}
