//! Thresholds before the end, scaled to a certificate's lifetime.
//!
//! A rung is *crossed*, not equal to a count of days: it is crossed from its instant on, for ever. Each threshold is
//! worth at most a fraction of the lifetime, so that a certificate that lives six days does not spend all of them
//! inside the rung `30d`.

use std::cmp::Ordering;
use std::fmt;

use super::certificate::Timestamp;

/// Seconds in a day.
const DAY: u32 = 86_400;

/// The longest lifetime that public authorities give, in seconds.
const LONGEST_LIFETIME: u32 = 398 * DAY;

/// Numbers above this are kept of parts of a lifetime. No threshold is as long: it is 136 years.
const SHARES: u32 = u32::MAX - 100;

/// The units that a threshold is written in, largest first.
const UNITS: [(u32, char); 4] = [(DAY, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];

/// The part of a lifetime that a threshold is worth at most, in 480ths, by threshold in seconds.
///
/// The five thresholds of the default ladder have the fractions 1/40, 1/20, 1/10, 1/6 and 1/4: clients that renew when a
/// third of the lifetime is left are done before the loosest of them. Between two of them the fraction is interpolated in
/// a straight line; below `1d` it falls to nothing with the threshold; above `30d` it rises to one half at `90d` and stays
/// there. It never falls as the threshold grows, so a tighter rung is never looser after scaling.
const FRACTIONS: Fractions = [
    (0, 0),
    (DAY, 12),
    (3 * DAY, 24),
    (7 * DAY, 48),
    (14 * DAY, 80),
    (30 * DAY, 120),
    (90 * DAY, 240),
];

/// The fractions of versions before, none of which is smaller. Ledgers hold what was said by them: it is not said again.
const FORMER_FRACTIONS: Fractions = [
    (0, 0),
    (DAY, 15),
    (3 * DAY, 30),
    (7 * DAY, 60),
    (14 * DAY, 96),
    (30 * DAY, 160),
    (90 * DAY, 240),
];

/// Parts of a lifetime by threshold.
type Fractions = [(u32, u64); 7];

/// How finely a 480th is divided. A fraction times a lifetime stays below 2^61.
const PRECISION: u64 = 1 << 20;

/// The whole of a lifetime, in divided 480ths.
const WHOLE: u64 = 480 * PRECISION;

/// A threshold before the end. Ordered by tightness: loosest first, [`Rung::Expired`] last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rung {
    /// This many seconds before the end, before scaling.
    Before(u32),
    /// So many hundredths of the lifetime before the end.
    Share(u8),
    /// The end itself: always the last rung.
    Expired,
}

impl Rung {
    /// Returns how long before the end it is, before scaling; 0 for the end itself. A part of the lifetime counts as that of
    /// the longest that public authorities give.
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Before(seconds) => seconds,
            Self::Share(percent) => (LONGEST_LIFETIME / 100) * percent as u32,
            Self::Expired => 0,
        }
    }

    /// Returns the number that is kept of it: 0 is the end itself.
    pub const fn code(self) -> u32 {
        match self {
            Self::Before(seconds) => seconds,
            Self::Share(percent) => SHARES + percent as u32,
            Self::Expired => 0,
        }
    }

    /// Returns the rung of which this number is kept.
    pub const fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Expired,
            SHARES.. => Self::Share((code - SHARES).to_le_bytes()[0]),
            seconds => Self::Before(seconds),
        }
    }

    /// Returns whether it is closer to the end than `other` for a certificate with this lifetime, where that is known.
    pub fn is_tighter_for(self, lifetime: Option<u32>, other: Self) -> bool {
        let is_share = |rung| matches!(rung, Self::Share(_));
        if self == other || !is_share(self) && !is_share(other) {
            return self.is_tighter_than(other);
        }
        let length = |rung: Self| Step::of(rung).length(lifetime);
        length(self).zip(length(other)).is_some_and(|(own, other)| own < other)
    }

    /// Returns whether it is closer to the end than `other`.
    pub fn is_tighter_than(self, other: Self) -> bool {
        self > other
    }

    /// Returns the word used in configuration, metrics and messages: `30d`, `12h`, `90m`, `45s`, `expired`.
    ///
    /// It is written in the largest unit that leaves nothing over.
    pub fn as_label(&self) -> String {
        let seconds = match self {
            Self::Before(seconds) => *seconds,
            Self::Share(percent) => return format!("{percent}%"),
            Self::Expired => return "expired".to_owned(),
        };
        UNITS
            .into_iter()
            .find(|(unit, _)| seconds.is_multiple_of(*unit) && seconds >= *unit)
            .map_or_else(|| "0s".to_owned(), |(unit, letter)| format!("{}{letter}", seconds / unit))
    }

    /// Returns the rung that `label` names: a whole number above zero with one of the units `d`, `h`, `m`, `s`, or below a
    /// hundred with `%`, or `expired`.
    pub fn from_label(label: &str) -> Option<Self> {
        if label == "expired" {
            return Some(Self::Expired);
        }
        if let Some(number) = label.strip_suffix('%') {
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let percent: u8 = digits.then(|| number.parse().ok())??;
            return (1..100).contains(&percent).then_some(Self::Share(percent));
        }
        let (unit, letter) = UNITS.into_iter().find(|(_, letter)| label.ends_with(*letter))?;
        let number = label.strip_suffix(letter)?;
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let count: u32 = digits.then(|| number.parse().ok())??;
        let seconds = count.checked_mul(unit)?;
        (1..SHARES).contains(&seconds).then_some(Self::Before(seconds))
    }

    /// Returns the instant from which it is crossed. The lifetime is in seconds; without one nothing is scaled.
    pub fn crossing(self, not_after: Timestamp, lifetime: Option<u32>) -> Timestamp {
        Step::of(self).crossing(not_after, lifetime).unwrap_or(not_after)
    }
}

impl Ord for Rung {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |rung: &Self| (rung.seconds(), rung.code());
        place(other).cmp(&place(self))
    }
}

impl PartialOrd for Rung {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_label())
    }
}

/// Why thresholds are not a ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LadderError {
    /// The end itself is always a rung and is not written.
    #[error("a threshold must be longer than zero; `expired` is always the last rung")]
    Zero,
}

/// The thresholds of the configuration, loosest first; `expired` is always the last rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    steps: Vec<Step>,
    /// Whether some are parts of the lifetime, so that their order is another one for each certificate.
    mixed: bool,
}

impl Ladder {
    /// Returns the ladder of `thresholds`, in seconds, given in any order and any number of times.
    pub fn new(mut thresholds: Vec<u32>) -> Result<Self, LadderError> {
        thresholds.sort_unstable_by(|a, b| b.cmp(a));
        thresholds.dedup();
        if thresholds.last() == Some(&0) {
            return Err(LadderError::Zero);
        }
        Ok(Self::of(&thresholds))
    }

    /// Returns the ladder of these rungs, in any order; the end itself is always the last.
    pub fn of_rungs(rungs: impl IntoIterator<Item = Rung>) -> Self {
        let mut rungs: Vec<Rung> = rungs.into_iter().chain([Rung::Expired]).collect();
        rungs.sort_unstable();
        rungs.dedup();
        let mixed = rungs.iter().any(|rung| matches!(rung, Rung::Share(_)));
        Self { steps: rungs.into_iter().map(Step::of).collect(), mixed }
    }

    /// Returns every rung, loosest first, `expired` included.
    pub fn rungs(&self) -> impl DoubleEndedIterator<Item = Rung> + ExactSizeIterator + '_ {
        self.steps.iter().map(|step| step.rung)
    }

    /// Returns the tightest rung that is crossed at `now`, if any.
    ///
    /// Rungs that scaling moved to the same instant are one, and the tightest names it.
    pub fn rung_at(
        &self,
        not_after: Timestamp,
        lifetime: Option<u32>,
        now: Timestamp,
    ) -> Option<Rung> {
        self.standing(not_after, lifetime, now).map(|(rung, _)| rung)
    }

    /// Returns when the next rung after `now` is crossed; `None` once the certificate has ended.
    pub fn next_crossing(
        &self,
        not_after: Timestamp,
        lifetime: Option<u32>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.steps
            .iter()
            .filter_map(|step| step.crossing(not_after, lifetime))
            .filter(|crossing| *crossing > now)
            .min()
    }

    /// Returns the tightest rung that is crossed, and since when it may have been said, by this version or one before. Of
    /// rungs that are crossed at one time the one that is written tighter counts.
    pub(super) fn standing(
        &self,
        not_after: Timestamp,
        lifetime: Option<u32>,
        now: Timestamp,
    ) -> Option<(Rung, Timestamp)> {
        let crossed =
            |step: &Step| step.crossing(not_after, lifetime).filter(|crossing| *crossing <= now);
        let step = if self.mixed {
            let places = (0_u32..).zip(&self.steps);
            let crossed = places.filter_map(|(place, step)| Some((crossed(step)?, place, step)));
            crossed.max_by_key(|(at, place, _)| (*at, *place)).map(|(.., step)| step)?
        } else {
            self.steps.iter().rev().find(|step| crossed(step).is_some())?
        };
        Some((step.rung, step.sayable(not_after, lifetime)))
    }

    /// Returns the loosest threshold in seconds. No rung is crossed earlier before an end than this.
    pub(super) fn reach(&self) -> i64 {
        let written = |step: &Step| match step.rung {
            // No lifetime that is known is longer.
            Rung::Share(percent) => i64::from(u32::MAX / 100) * i64::from(percent) + 100,
            rung => i64::from(rung.seconds()),
        };
        self.steps.iter().map(written).max().unwrap_or(0)
    }

    fn of(thresholds: &[u32]) -> Self {
        Self::of_rungs(thresholds.iter().map(|seconds| Rung::Before(*seconds)))
    }
}

impl Default for Ladder {
    /// Returns `30d 14d 7d 3d 1d expired`.
    fn default() -> Self {
        Self::of(&[30 * DAY, 14 * DAY, 7 * DAY, 3 * DAY, DAY])
    }
}

/// A rung with the part of a lifetime that it is worth at most, and was in versions before, in divided 480ths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    rung: Rung,
    fraction: u64,
    former: u64,
}

impl Step {
    fn of(rung: Rung) -> Self {
        let fraction = |fractions| fraction(fractions, rung.seconds());
        Self { rung, fraction: fraction(&FRACTIONS), former: fraction(&FORMER_FRACTIONS) }
    }

    /// Returns the instant from which it is crossed; `None` where that depends on a lifetime that is not known.
    fn crossing(self, not_after: Timestamp, lifetime: Option<u32>) -> Option<Timestamp> {
        self.length(lifetime).map(|length| not_after.plus(-i64::from(length)))
    }

    /// Returns how long before the end it is crossed.
    fn length(self, lifetime: Option<u32>) -> Option<u32> {
        match self.rung {
            Rung::Share(percent) => {
                let part = u64::from(lifetime?) * u64::from(percent) / 100;
                u32::try_from(part).ok()
            }
            _ => Some(self.scaled(self.fraction, lifetime)),
        }
    }

    /// Returns from when on it may have been said, by this version or one before.
    fn sayable(self, not_after: Timestamp, lifetime: Option<u32>) -> Timestamp {
        if let Rung::Share(_) = self.rung {
            return self.crossing(not_after, lifetime).unwrap_or(not_after);
        }
        not_after.plus(-i64::from(self.scaled(self.fraction.max(self.former), lifetime)))
    }

    fn scaled(self, fraction: u64, lifetime: Option<u32>) -> u32 {
        let seconds = self.rung.seconds();
        let Some(lifetime) = lifetime else { return seconds };
        let scaled = u64::from(lifetime) * fraction / WHOLE;
        seconds.min(u32::try_from(scaled).unwrap_or(u32::MAX))
    }
}

fn fraction(fractions: &Fractions, seconds: u32) -> u64 {
    let mut lower = (0, 0);
    for (threshold, parts) in *fractions {
        if seconds <= threshold {
            return between(lower, (threshold, parts), seconds);
        }
        lower = (threshold, parts);
    }
    lower.1 * PRECISION
}

fn between(lower: (u32, u64), upper: (u32, u64), seconds: u32) -> u64 {
    let width = u64::from(upper.0 - lower.0).max(1);
    let inside = u64::from(seconds - lower.0);
    lower.1 * PRECISION + (upper.1 - lower.1) * PRECISION * inside / width
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const END: Timestamp = Timestamp::from_seconds(2_000_000_000);
    const YEAR: Option<u32> = Some(365 * DAY);

    #[test]
    fn a_label_is_written_in_the_largest_unit_that_fits() {
        for (seconds, label) in [
            (30 * DAY, "30d"),
            (DAY, "1d"),
            (43_200, "12h"),
            (5400, "90m"),
            (45, "45s"),
            (86_401, "86401s"),
        ] {
            assert_eq!(Rung::Before(seconds).as_label(), label);
            assert_eq!(Rung::from_label(label), Some(Rung::Before(seconds)));
        }
        assert_eq!(Rung::Expired.to_string(), "expired");
        assert_eq!(Rung::from_label("expired"), Some(Rung::Expired));
    }

    #[test]
    fn what_is_not_a_label_is_refused() {
        for label in [
            "",
            "d",
            "0d",
            "%",
            "0%",
            "100%",
            "-1%",
            "2.5%",
            "+1d",
            "-1d",
            "1.5d",
            "1w",
            "30",
            "d30",
            "99999999d",
            "1 d",
            "日",
        ] {
            assert_eq!(Rung::from_label(label), None, "{label:?}");
        }
    }

    #[test]
    fn a_ladder_is_sorted_and_has_each_threshold_once() {
        let ladder = Ladder::new(vec![DAY, 30 * DAY, 7 * DAY, DAY]).unwrap();
        let labels: Vec<_> = ladder.rungs().map(|rung| rung.as_label()).collect();
        assert_eq!(labels, ["30d", "7d", "1d", "expired"]);
        assert_eq!(Ladder::new(vec![DAY, 0]), Err(LadderError::Zero));
        let bare = Ladder::new(Vec::new()).unwrap();
        assert_eq!(bare.rung_at(END, None, END.plus(-1)), None);
        assert_eq!(bare.rung_at(END, None, END), Some(Rung::Expired));
    }

    #[test]
    fn the_tightest_crossed_rung_is_said_from_its_very_second() {
        let ladder = Ladder::default();
        let at = |before: i64| ladder.rung_at(END, YEAR, END.plus(-before));
        for (days, rung) in [(30, 30), (14, 14), (7, 7), (3, 3), (1, 1)] {
            assert_eq!(at(days * 86_400), Some(Rung::Before(rung * DAY)));
        }
        assert_eq!(at(30 * 86_400 + 1), None);
        assert_eq!(at(2 * 86_400), Some(Rung::Before(3 * DAY)));
        assert_eq!(at(1), Some(Rung::Before(DAY)));
        assert_eq!(at(0), Some(Rung::Expired));
        assert_eq!(at(-1_000_000), Some(Rung::Expired));
    }

    /// Seconds before the end at which the rungs of the default ladder are crossed.
    fn crossings(lifetime: u32) -> [i64; 5] {
        [30, 14, 7, 3, 1]
            .map(|days| END.since(Rung::Before(days * DAY).crossing(END, Some(lifetime * DAY))))
    }

    #[test]
    fn rungs_shrink_to_a_quarter_and_less_of_a_short_lifetime() {
        let day = i64::from(DAY);
        for (lifetime, expected) in [
            (6, [129_600, 86_400, 51_840, 25_920, 12_960]),
            (47, [1_015_200, 676_800, 406_080, 203_040, 101_520]),
            (90, [22 * day + day / 2, 14 * day, 7 * day, 3 * day, day]),
            (100, [25 * day, 14 * day, 7 * day, 3 * day, day]),
            (200, [30 * day, 14 * day, 7 * day, 3 * day, day]),
            (398, [30 * day, 14 * day, 7 * day, 3 * day, day]),
            (3650, [30 * day, 14 * day, 7 * day, 3 * day, day]),
        ] {
            let unscaled = [30, 14, 7, 3, 1].map(|days| days * day);
            let capped: Vec<i64> =
                expected.into_iter().zip(unscaled).map(|(at, most)| at.min(most)).collect();
            assert_eq!(crossings(lifetime).to_vec(), capped, "{lifetime} days");
        }
        let crossing =
            |rung, days: u32| END.since(Rung::Before(rung * DAY).crossing(END, Some(days * DAY)));
        assert_eq!(crossing(60, 90), 60 * day * 9 / 16, "3/8 of 90 days");
        assert_eq!(crossing(90, 90), 45 * day);
        assert_eq!(crossing(365, 365), 365 * 43_200, "never more than half a lifetime");
    }

    #[test]
    fn a_certificate_that_is_renewed_when_a_third_is_left_is_never_on_a_rung() {
        let ladder = Ladder::default();
        for days in [6, 47, 90] {
            let third = i64::from(days * DAY / 3);
            assert_eq!(ladder.rung_at(END, Some(days * DAY), END.plus(-third)), None, "{days}");
            // A day late, where days count.
            let late = END.plus(-third + i64::from(days * DAY / 90));
            assert_eq!(ladder.rung_at(END, Some(days * DAY), late), None, "{days}");
        }
    }

    #[test]
    fn what_was_said_by_the_fractions_of_a_former_version_counts_as_said() {
        let ladder = Ladder::default();
        for days in [6, 47, 90, 398] {
            let lifetime = Some(days * DAY);
            for (rung, former) in [(30, 3), (14, 5), (7, 8), (3, 16), (1, 32)] {
                let before = (rung * DAY).min(days * DAY / former);
                let said = END.plus(-i64::from(before));
                let now = Rung::Before(rung * DAY).crossing(END, lifetime);
                let (standing, sayable) = ladder.standing(END, lifetime, now).unwrap();
                assert_eq!((standing, sayable), (Rung::Before(rung * DAY), said), "{days}");
            }
        }
    }

    #[test]
    fn rungs_at_one_instant_are_named_by_the_tightest() {
        let ladder = Ladder::default();
        assert_eq!(ladder.rung_at(END, Some(2), END.plus(-1)), None);
        assert_eq!(ladder.rung_at(END, Some(4), END.plus(-1)), Some(Rung::Before(30 * DAY)));
        assert_eq!(ladder.rung_at(END, Some(2), END), Some(Rung::Expired));
        let close = Ladder::new(vec![10 * DAY, 10 * DAY + 1]).unwrap();
        assert_eq!(close.rung_at(END, Some(5), END), Some(Rung::Expired));
        assert_eq!(close.rung_at(END, Some(8), END.plus(-1)), Some(Rung::Before(10 * DAY)));
    }

    #[test]
    fn parts_of_the_lifetime_stand_where_they_fall_and_nowhere_without_one() {
        let rungs = ["30d", "25%", "7d"].map(|label| Rung::from_label(label).unwrap());
        let ladder = Ladder::of_rungs(rungs);
        let walk = |lifetime: Option<u32>| {
            let mut now = END.plus(-400 * 86_400);
            let mut said = Vec::new();
            while let Some(next) = ladder.next_crossing(END, lifetime, now) {
                let rung = ladder.rung_at(END, lifetime, next).unwrap();
                said.push(format!("{} {}", rung.as_label(), END.since(next) / 86_400));
                now = next;
            }
            said
        };
        assert_eq!(walk(YEAR), ["25% 91", "30d 30", "7d 7", "expired 0"]);
        // 30d is a quarter of 60 days at most, as 25% is: the one that is written tighter names it.
        assert_eq!(walk(Some(60 * DAY)), ["30d 15", "7d 6", "expired 0"]);
        assert_eq!(walk(Some(100 * DAY)), ["30d 25", "7d 7", "expired 0"]);
        assert_eq!(walk(None), ["30d 30", "7d 7", "expired 0"]);
        let [thirty, quarter, week] = rungs;
        assert!(thirty.is_tighter_for(YEAR, quarter) && !quarter.is_tighter_for(YEAR, thirty));
        assert!(
            quarter.is_tighter_for(Some(20 * DAY), quarter) == quarter.is_tighter_than(quarter)
        );
        assert!(week.is_tighter_for(Some(20 * DAY), quarter));
        assert!(!week.is_tighter_for(None, quarter) && !quarter.is_tighter_for(None, week));
        for rung in
            [thirty, quarter, week, Rung::Expired, Rung::Share(99), Rung::Before(SHARES - 1)]
        {
            assert_eq!(Rung::from_code(rung.code()), rung);
            assert_eq!(Rung::from_label(&rung.as_label()), Some(rung));
        }
    }

    #[test]
    fn times_at_the_edge_of_the_range_do_not_overflow() {
        let ladder = Ladder::default();
        let first = Timestamp::from_seconds(i64::MIN);
        let last = Timestamp::from_seconds(i64::MAX);
        assert_eq!(ladder.rung_at(first, YEAR, last), Some(Rung::Expired));
        assert_eq!(ladder.rung_at(last, None, first), None);
        assert_eq!(ladder.next_crossing(last, None, last), None);
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn a_tighter_rung_is_never_looser_after_scaling(
            a in 1..400 * DAY, b in 1..400 * DAY, lifetime in proptest::option::of(0..u32::MAX)
        ) {
            let (looser, tighter) = (Rung::Before(a.max(b)), Rung::Before(a.min(b)));
            prop_assert!(looser.crossing(END, lifetime) <= tighter.crossing(END, lifetime));
            prop_assert!(tighter.crossing(END, lifetime) <= Rung::Expired.crossing(END, lifetime));
            prop_assert!(END.since(looser.crossing(END, lifetime)) <= i64::from(a.max(b)));
        }

        #[test]
        fn every_label_is_read_back(seconds in 1..SHARES) {
            prop_assert_eq!(Rung::from_label(&Rung::Before(seconds).as_label()), Some(Rung::Before(seconds)));
        }

        #[test]
        fn walking_the_crossings_meets_every_change_of_rung(
            thresholds in proptest::collection::vec(1..60 * DAY, 0..6),
            lifetime in proptest::option::of(0..800 * DAY),
        ) {
            let ladder = Ladder::new(thresholds).unwrap();
            let mut now = END.plus(-100 * 86_400);
            while let Some(next) = ladder.next_crossing(END, lifetime, now) {
                prop_assert!(next > now);
                let before = ladder.rung_at(END, lifetime, now);
                prop_assert_eq!(ladder.rung_at(END, lifetime, next.plus(-1)), before);
                let after = ladder.rung_at(END, lifetime, next);
                prop_assert!(after > before, "{:?} then {:?}", before, after);
                now = next;
            }
            prop_assert_eq!(ladder.rung_at(END, lifetime, now), Some(Rung::Expired));
        }
    }
}
