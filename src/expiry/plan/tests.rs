use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::certificate::{Kind, Sighting};
use super::super::inventory::model::{DAY, NOW, Step, World, device, sighting};
use super::super::inventory::{Change, RowId, ScopeId};
use super::super::ladder::Ladder;
use super::*;

mod ledger;
mod renewals;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn days(days: u32) -> Rung {
    Rung::Before(days * 86_400)
}

/// The end that was said, its tightest rung, and whether that was said mildly.
type Open = (Timestamp, Rung, bool);

/// The pipeline without its edges: what it decides, and what it would have stored.
struct Story {
    world: World,
    evaluator: Evaluator,
    ledger: Ledger,
    stored: BTreeMap<RowId, Notified>,
    now: i64,
    /// By certificate: the end and the tightest rung said since its alert last ended for a good reason.
    open: BTreeMap<(ScopeId, String, String, String), Open>,
    notified: Vec<(String, Rung)>,
    renewed: Vec<(String, Option<String>)>,
}

impl Story {
    fn new() -> Self {
        Self {
            world: World::default(),
            evaluator: Evaluator::new(Ladder::default()),
            ledger: Ledger::new(),
            stored: BTreeMap::new(),
            now: NOW,
            open: BTreeMap::new(),
            notified: Vec::new(),
            renewed: Vec::new(),
        }
    }

    fn key(&self, row: RowId) -> (ScopeId, String, String, String) {
        let stored = &self.world.stored[&row];
        let Sighting { issuer, serial, place, .. } = stored.sighting.clone();
        (stored.scope, issuer, serial, place)
    }

    fn step(&mut self, step: &Step) {
        let before: BTreeMap<_, _> =
            self.world.stored.keys().map(|row| (*row, self.key(*row))).collect();
        let ends: BTreeMap<_, _> = before.keys().map(|row| (*row, self.end(*row))).collect();
        let (applied, restated) = self.world.step(step);
        if matches!(step, Step::Restart) {
            self.evaluator = Evaluator::new(Ladder::default());
            self.ledger = self.stored.iter().map(|(row, notified)| (*row, *notified)).collect();
        }
        for (row, key) in &before {
            if !self.world.stored.contains_key(row) {
                self.open.remove(key);
                self.ledger.remove(*row);
                self.stored.remove(row);
            }
        }
        let none = Renewing::default();
        let renewals =
            plan_renewed(&applied, &restated, &self.world.inventory, &self.ledger, &none);
        for (row, from) in &renewals.renewed {
            self.renew(*row, *from, ends[row]);
        }
        let renewed = renewals.renewed.iter().map(|(row, _)| row);
        for row in renewed.chain(&renewals.over) {
            assert!(self.ledger.remove(*row), "only entries that are there are dropped");
            self.stored.remove(row);
        }
        self.evaluate();
    }

    fn renew(&mut self, row: RowId, from: Timestamp, old_end: Option<Timestamp>) {
        let serial = |row: RowId| self.world.stored[&row].sighting.serial.clone();
        let superseded = self.world.status(row) == Status::Superseded;
        let successor = self.world.inventory.successor(row).filter(|_| superseded);
        if let Some(successor) = successor {
            assert!(self.end(successor) > self.end(row));
        } else {
            assert_eq!(Some(from), old_end, "the alert is about the end before");
            assert!(self.end(row) > old_end, "renewed in place means a later end");
        }
        assert!(self.stored.contains_key(&row), "something was said of it");
        self.renewed.push((serial(row), successor.map(serial)));
    }

    fn evaluate(&mut self) {
        self.reopen();
        let now = at(self.now);
        let view = self.world.inventory.view();
        for notice in plan(&mut self.evaluator, &view, now, &self.ledger).notices {
            self.say(&notice.verdict);
        }
        self.check();
    }

    fn say(&mut self, verdict: &Verdict) {
        let key = self.key(verdict.row);
        let mild = verdict.status != Status::Active;
        if let Some((end, rung, was_mild)) = self.open.get(&key) {
            let in_use = *was_mild && !mild;
            assert!(
                *end != verdict.not_after || verdict.rung.is_tighter_than(*rung) || in_use,
                "{key:?} was said to be on {rung:?}, and now on {:?}",
                verdict.rung
            );
        }
        self.notified.push((key.2.clone(), verdict.rung));
        self.open.insert(key, (verdict.not_after, verdict.rung, mild));
        let mild = severity(verdict.status, verdict.rung) == Severity::Info;
        let notified = Notified { rung: verdict.rung, at: at(self.now), mild, count: 0 };
        self.stored.insert(verdict.row, notified);
        self.ledger.set(verdict.row, notified);
    }

    /// Ends alerts for the reasons that the model sees, not for those that the code under test gives.
    fn reopen(&mut self) {
        let statuses: BTreeMap<_, _> =
            self.world.stored.keys().map(|row| (*row, self.world.status(*row))).collect();
        for (row, status) in &statuses {
            let replaced =
                *status == Status::Superseded && self.world.inventory.successor(*row).is_some();
            let key = self.key(*row);
            let moved = self.open.get(&key).is_some_and(|(end, ..)| Some(*end) != self.end(*row));
            if replaced || moved {
                self.open.remove(&key);
            }
        }
    }

    /// Whoever stands on a rung has been spoken of, on that rung or a tighter one, and about this end.
    fn check(&self) {
        let ladder = Ladder::default();
        let mut counts = BTreeMap::new();
        for (row, stored) in &self.world.stored {
            let Some(end) = stored.sighting.not_after.filter(|_| stored.status.alerts()) else {
                continue;
            };
            let lifetime = Some(365 * 86_400);
            let Some(rung) = ladder.rung_at(end, lifetime, at(self.now)) else { continue };
            *counts.entry((stored.scope, rung)).or_insert(0) += 1;
            let (said_end, notified, mild) = self.open[&self.key(*row)];
            assert_eq!(said_end, end);
            assert!(!mild || stored.status != Status::Active, "{stored:?} was said mildly");
            assert!(notified >= rung, "{stored:?} stands on {rung:?}, but only {notified:?} was");
        }
        let all = self.evaluator.counts().clone();
        assert_eq!(all.len() % 6, 0, "every rung is there for every scope");
        let some: BTreeMap<_, _> = all.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(some, counts);
    }

    fn end(&self, row: RowId) -> Option<Timestamp> {
        self.world.stored[&row].sighting.not_after
    }
}

/// What a story is made of: a step, and how many minutes pass before it.
fn chapters() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let step = prop_oneof![
        10 => (0..3_usize, sighting()).prop_map(|(scope, sighting)| {
            // What is found in a place takes over what was in none, and its name changes: tested with the inventory.
            Step::Apply { scope, sighting: Sighting { place: String::new(), ..sighting }.into() }
        }),
        2 => any::<usize>().prop_map(Step::Remove),
        3 => Just(Step::Restart),
    ];
    // An end that goes unknown and comes back has tests of its own below.
    let dated = step.prop_filter("dated", |step| match step {
        Step::Apply { sighting, .. } => sighting.not_after.is_some(),
        _ => true,
    });
    let minutes = prop_oneof![4 => 0..20_000_i64, 1 => -4..0_i64, 4 => Just(0)];
    proptest::collection::vec((dated, minutes), 1..60)
}

proptest! {
    #![proptest_config(crate::property::cases(500))]

    #[test]
    fn a_rung_is_said_once_and_the_tightest_is_never_missed(chapters in chapters()) {
        let mut story = Story::new();
        for (step, minutes) in &chapters {
            story.now += minutes * 60;
            story.step(step);
        }
        for _ in 0..20 {
            story.now += 9 * DAY;
            story.evaluate();
        }
    }
}

#[test]
fn unknown_ends_never_alert() {
    let mut story = Story::new();
    story.step(&Step::Apply { scope: 0, sighting: device("01", "", None).into() });
    for _ in 0..50 {
        story.now += 300 * DAY;
        story.evaluate();
    }
    assert_eq!(story.notified, []);
}

#[test]
fn a_late_discovery_is_said_once_with_the_tightest_rung() {
    let mut story = Story::new();
    let step = Step::Apply { scope: 0, sighting: device("01", "", Some(NOW + 2 * DAY)).into() };
    story.step(&step);
    story.step(&Step::Restart);
    story.step(&step);
    story.now += 10 * DAY;
    story.evaluate();
    story.step(&Step::Restart);
    let one = |rung| ("01".to_owned(), rung);
    assert_eq!(story.notified, [one(days(3)), one(Rung::Expired)]);
}

fn tell(ends: &[Option<i64>]) -> Vec<Rung> {
    let mut story = Story::new();
    for end in ends {
        let end = end.map(|days| NOW + days * DAY);
        story.world.apply(0, &device("01", "", end));
        let view = story.world.inventory.view();
        let notices = plan(&mut story.evaluator, &view, at(story.now), &story.ledger).notices;
        for notice in &notices {
            story.say(&notice.verdict);
        }
        story.now += 60;
    }
    story.notified.into_iter().map(|(_, rung)| rung).collect()
}

#[test]
fn an_end_that_is_unknown_for_a_while_is_not_said_again() {
    assert_eq!(tell(&[Some(2), None, Some(2), None, Some(2)]), [days(3)]);
}

#[test]
fn an_end_that_comes_back_as_another_one_has_its_own_ladder() {
    let mut story = Story::new();
    for (end, later) in [(Some(NOW - DAY), 0), (None, 0), (Some(NOW + 400 * DAY), 371 * DAY)] {
        story.now += later;
        story.world.apply(0, &device("01", "", end));
        let view = story.world.inventory.view();
        let notices = plan(&mut story.evaluator, &view, at(story.now), &story.ledger).notices;
        for notice in &notices {
            story.say(&notice.verdict);
        }
    }
    let rungs: Vec<_> = story.notified.iter().map(|(_, rung)| *rung).collect();
    assert_eq!(rungs, [Rung::Expired, days(30)]);
}

#[test]
fn a_clock_that_is_set_back_within_what_is_trusted_says_nothing_again() {
    let mut story = Story::new();
    let step = Step::Apply { scope: 0, sighting: device("01", "", Some(NOW + 2 * DAY)).into() };
    story.step(&step);
    story.now -= 3600;
    story.step(&Step::Restart);
    story.step(&step);
    assert_eq!(story.notified.len(), 1);
}

#[test]
fn ends_within_one_batch_are_judged_by_how_they_end() {
    let mut story = Story::new();
    story.step(&Step::Apply { scope: 0, sighting: device("01", "", Some(NOW + 2 * DAY)).into() });
    let see =
        |story: &mut Story, days| story.world.apply(0, &device("01", "", Some(NOW + days * DAY)));
    let there_and_back = [see(&mut story, 90), see(&mut story, 2)];
    let none = Renewing::default();
    let renewals = plan_renewed(&there_and_back, &[], &story.world.inventory, &story.ledger, &none);
    assert_eq!(renewals, Renewals::default(), "the alert is about this end");
    let twice = [see(&mut story, 50), see(&mut story, 40)];
    let renewals = plan_renewed(&twice, &[], &story.world.inventory, &story.ledger, &none);
    assert_eq!(renewals.renewed, [(RowId(0), at(NOW + 2 * DAY))]);
    assert_eq!(twice[1].change, Change::Changed { renewed_from: None });
}

#[test]
fn lost_verdicts_come_up_again() {
    let mut story = Story::new();
    story.world.apply(0, &device("01", "", Some(NOW + DAY)));
    let view = story.world.inventory.view();
    let mut found = || {
        let mut count = 0;
        story.evaluator.due(&view, at(NOW), |_| count += 1);
        count
    };
    assert_eq!([found(), found()], [1, 0]);
    story.evaluator.revisit();
    let mut count = 0;
    story.evaluator.due(&view, at(NOW), |_| count += 1);
    assert_eq!(count, 1);
}

#[test]
fn severity_follows_status_and_rung() {
    for (status, rung, expected) in [
        (Status::Active, days(30), Severity::Warning),
        (Status::Active, days(4), Severity::Warning),
        (Status::Active, days(3), Severity::Critical),
        (Status::Active, Rung::Before(60), Severity::Critical),
        (Status::Active, Rung::Expired, Severity::Critical),
        (Status::Inactive, Rung::Expired, Severity::Info),
        (Status::Pending, days(1), Severity::Info),
    ] {
        assert_eq!(severity(status, rung), expected, "{status} {rung:?}");
    }
}

#[test]
fn when_the_next_rung_is_crossed_is_known_from_the_last_look() {
    let mut story = Story::new();
    let next = |story: &Story| story.evaluator.next_crossing(story.world.inventory.version());
    assert_eq!(next(&story), Some(at(0)), "what was not looked at is due");
    story.evaluate();
    assert_eq!(next(&story), None, "nothing is known");
    story.world.apply(0, &device("01", "", Some(NOW + 10 * DAY)));
    assert_eq!(next(&story), Some(at(0)), "it changed");
    for days in [3, 7, 9, 10] {
        story.evaluate();
        assert_eq!(next(&story), Some(at(NOW + days * DAY)));
        story.now = NOW + days * DAY;
    }
    story.evaluate();
    assert_eq!(next(&story), None, "it has expired");
}
