//! What the ledger keeps, and what follows from it.

use super::*;

#[test]
fn what_was_said_in_the_future_is_void_and_the_true_rungs_are_said() {
    let mut story = Story::new();
    let step = Step::Apply { scope: 0, sighting: device("01", "", Some(NOW + 20 * DAY)).into() };
    story.world.apply(0, &device("01", "", Some(NOW + 20 * DAY)));
    let notified = Notified { rung: Rung::Expired, at: at(NOW + 400 * DAY), mild: false, count: 0 };
    story.ledger.set(RowId(0), notified);
    story.stored.insert(RowId(0), notified);
    story.step(&step);
    assert_eq!(story.ledger.get(RowId(0)).unwrap().at, at(NOW), "it is overwritten");
    for _ in 0..30 {
        story.now += DAY;
        story.step(&Step::Restart);
    }
    let rungs: Vec<_> = story.notified.iter().map(|(_, rung)| *rung).collect();
    assert_eq!(rungs, [days(30), days(14), days(7), days(3), days(1), Rung::Expired]);
}

#[test]
fn the_ledger_gives_back_what_was_written() {
    let mut ledger = Ledger::new();
    let notified =
        |rung, seconds| Notified { rung, at: at(seconds), mild: seconds % 2 == 0, count: 7 };
    for row in 0..1000 {
        ledger.set(RowId(row), notified(days(30), i64::from(row)));
    }
    ledger.set(RowId(7), notified(Rung::Expired, -5));
    assert_eq!(ledger.get(RowId(7)), Some(notified(Rung::Expired, -5)));
    assert_eq!(ledger.get(RowId(8)), Some(notified(days(30), 8)));
    assert!(ledger.remove(RowId(8)) && !ledger.remove(RowId(8)));
    assert_eq!((ledger.get(RowId(8)), ledger.len(), ledger.is_empty()), (None, 999, false));
}

#[test]
fn every_decision_has_its_reason() {
    let verdict = |rung, crossed| Verdict {
        lifetime: None,
        row: RowId(1),
        scope: ScopeId(1),
        rung,
        crossed: at(crossed),
        status: Status::Active,
        kind: Kind::Device,
        not_after: at(NOW + 40 * DAY),
    };
    let mut ledger = Ledger::new();
    assert_eq!(reason(&verdict(days(30), NOW), at(NOW), &ledger), DecisionReason::FirstSight);
    ledger.set(RowId(1), Notified { rung: days(14), at: at(NOW), mild: false, count: 0 });
    for (rung, crossed, expected) in [
        (days(7), NOW, DecisionReason::TighterRung),
        (days(14), NOW, DecisionReason::AlreadySaid),
        (days(30), NOW - 1, DecisionReason::AlreadySaid),
        (days(30), NOW + 1, DecisionReason::EndChanged),
    ] {
        assert_eq!(
            reason(&verdict(rung, crossed), at(NOW), &ledger),
            expected,
            "{rung} at {crossed}"
        );
    }
}
