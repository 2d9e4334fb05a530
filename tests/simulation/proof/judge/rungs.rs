//! 1, 3: what is said of a rung is true, and is the tightest.

use notafter::facade::expiry::{Event, Facts, Rung, Timestamp};

use super::super::config::{Step, steps};
use super::super::room::Part;
use super::super::scene::Settings;
use super::super::truth::DAY;
use super::shown::alerts;
use super::times::TRUSTED;
use super::{Judge, LIVENESS};

/// Where two calculations of one instant may differ, in seconds.
const ROUNDING: i64 = 2;

/// The parts of a lifetime that rungs are worth at most, by their days: straight lines lie between.
const PARTS: [(f64, f64); 7] = [
    (0.0, 0.0),
    (1.0, 1.0 / 40.0),
    (3.0, 1.0 / 20.0),
    (7.0, 1.0 / 10.0),
    (14.0, 1.0 / 6.0),
    (30.0, 1.0 / 4.0),
    (90.0, 1.0 / 2.0),
];

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "days fit, and are rounded down"
)]
fn part(rung: i64, lifetime: i64) -> i64 {
    let days = rung as f64 / DAY as f64;
    let mut worth = 0.5;
    for pair in PARTS.windows(2) {
        let ((from, low), (to, high)) = (pair[0], pair[1]);
        if days >= from && days <= to {
            worth = low + (high - low) * (days - from) / (to - from);
        }
    }
    (lifetime as f64 * worth) as i64
}

/// Returns how long before the end a rung is crossed; `None` where that depends on a lifetime that is not known.
pub(super) fn length(step: Step, lifetime: Option<i64>) -> Option<i64> {
    match (step, lifetime) {
        (Step::Percent(_), None) => None,
        (Step::Percent(percent), Some(lifetime)) => Some(lifetime * percent / 100),
        (Step::Before(rung), None) => Some(rung),
        (Step::Before(rung), Some(lifetime)) => Some(rung.min(part(rung, lifetime))),
    }
}

/// Returns the rung of an event as it is written.
pub(super) const fn step(rung: Rung) -> Step {
    match rung {
        Rung::Before(seconds) => Step::Before(seconds as i64),
        Rung::Share(percent) => Step::Percent(percent as i64),
        Rung::Expired => Step::Before(0),
    }
}

/// Returns the tightest rung that is crossed at a time, and how long before the end it is.
pub(super) fn tightest(
    ladder: u8,
    end: i64,
    lifetime: Option<i64>,
    at: i64,
) -> Option<(Step, i64)> {
    let lengths = steps(ladder).iter().filter_map(|step| Some((*step, length(*step, lifetime)?)));
    let crossed = lengths.filter(|(_, length)| end - length <= at);
    // Of those that are crossed at one time the one that is written later counts.
    crossed.reduce(|best, next| if next.1 <= best.1 { next } else { best })
}

impl Judge {
    /// A rung of a certificate is said in a message.
    pub(super) fn rung(&mut self, part: &Part, event: &Event, (facts, rung): (&Facts, Rung)) {
        let Some(place) = self.find(&facts.source, &facts.serial) else {
            return self.violates(1, format!("nobody has {facts:?}"));
        };
        let Some(end) = facts.not_after.map(Timestamp::seconds) else {
            return self.violates(1, format!("an end that nobody knows: {facts:?}"));
        };
        let one = self.certificate(place);
        if end != one.end && one.moved.is_none_or(|(_, moved)| moved != end) {
            return self.violates(1, format!("it never ended then: {facts:?}"));
        }
        let settled = self.times.settled_before(part.composed);
        self.judge_crossing(part, event, (place, end, rung));
        self.judge_state(event, (place, end), settled);
        self.judge_tightness(event, (place, end, rung), settled);
    }

    fn judge_crossing(
        &mut self,
        part: &Part,
        event: &Event,
        (place, end, rung): (usize, i64, Rung),
    ) {
        let lifetime = self.certificate(place).lifetime(end);
        let Some(length) = length(step(rung), lifetime) else {
            return self.violates(1, format!("no such rung without a lifetime: {event:?}"));
        };
        let excused = self.written.excused.contains(&event.id);
        let skew = if excused { i64::MAX / 4 } else { self.allowed_skew() };
        if end - length > part.composed + skew + ROUNDING {
            self.violates(1, format!("not crossed yet, at {}: {event:?}", part.composed));
        }
    }

    /// Returns by how much a clock that is trusted may have been ahead lately.
    fn allowed_skew(&self) -> i64 {
        let small =
            self.times.bends.iter().map(|(_, bend)| *bend).filter(|bend| bend.abs() <= TRUSTED);
        small.max().unwrap_or(0).max(0)
    }

    fn judge_state(&mut self, event: &Event, (place, end): (usize, i64), settled: i64) {
        let known = self.shown.known(place, settled);
        if !known.iter().any(|(_, state)| state.end == end && alerts(state.status)) {
            let text =
                format!("neither open nor with that end, as far as shown {known:?}: {event:?}");
            return self.violates(1, text);
        }
        let Some(own) = self.shown.sure(place, settled) else { return };
        let kin = self.kin.at(place).iter().map(|other| (*other, self.certificate(*other)));
        let replaced = kin.filter(|(other, new)| {
            let state = self.shown.sure(*other, settled);
            state.is_some_and(|state| self.certificate(place).is_replaced_by(own, new, state))
        });
        let by: Vec<_> = replaced.map(|(_, new)| new.serial.clone()).collect();
        if !by.is_empty() {
            self.violates(1, format!("it is superseded by {by:?}, settled {settled}: {event:?}"));
        }
    }

    fn judge_tightness(
        &mut self,
        event: &Event,
        (place, end, rung): (usize, i64, Rung),
        settled: i64,
    ) {
        let lifetime = self.certificate(place).lifetime(end);
        let decided = event.at.seconds();
        let ladders = self.times.settings_around(decided);
        let own = length(step(rung), lifetime);
        // What was said by a ladder of before, and is said again, is said as it was: no rung of this one is tighter.
        let may_be_former = self.times.has_another_ladder();
        let fits = |settings: &Settings| {
            [-ROUNDING, 0, ROUNDING].into_iter().any(|rounding| {
                let tightest = tightest(settings.ladder, end, lifetime, decided + rounding);
                let is_it = tightest.is_some_and(|(tightest, _)| tightest == step(rung));
                let looser =
                    tightest.is_none_or(|(_, length)| own.is_some_and(|own| length >= own));
                is_it || may_be_former && looser
            })
        };
        if !ladders.iter().any(fits) {
            return self.violates(3, format!("another rung is the tightest: {event:?}"));
        }
        // What waits is replaced when a tighter one is crossed.
        let same_all_along = self.times.settings.len() == 1;
        let now = tightest(ladders[0].ladder, end, lifetime, settled - ROUNDING);
        if same_all_along
            && let Some(((_, length), own)) = now.zip(own)
            && length < own - ROUNDING
        {
            self.violates(3, format!("a tighter one was crossed before {settled}: {event:?}"));
        }
    }

    /// Something that had to be does not hold at the end.
    pub(super) fn never(&mut self, text: String) {
        self.violates(LIVENESS, text);
    }
}
