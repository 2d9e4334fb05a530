//! Whether the machine's clock can be trusted with decisions.

use std::time::Duration;

use super::providers::{Moment, Opinion};
use crate::expiry::Timestamp;

/// A wall clock may move this many seconds against the machine's own count.
const JUMP: i64 = 300;

/// What a start may be before the last good time, in seconds, and after it.
const BEFORE: i64 = 3600;
const AFTER: i64 = 45 * 86_400;

/// A clock that nobody confirms must behave for this long before it is trusted again.
const AGREEMENT: Duration = Duration::from_mins(10);

/// Evaluation that is held for so long is said again, and then daily.
const HELD: Duration = Duration::from_hours(1);
const DAILY: Duration = Duration::from_hours(24);

/// What an earlier process left behind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    /// The last time that it trusted its clock.
    pub(super) last_good: Option<Timestamp>,
    /// Whether it had said that the clock is suspect.
    pub(super) suspect: bool,
}

/// Holds the wall clock against the machine's own count, the providers and the last good time.
#[derive(Debug)]
pub(super) struct Sanity {
    /// No clock shows an earlier time.
    earliest: Timestamp,
    before: Before,
    last: Option<Moment>,
    suspicion: Option<Suspicion>,
}

#[derive(Debug)]
struct Suspicion {
    why: String,
    /// How long the machine was up when there last was a reason to doubt.
    doubted: Duration,
    /// When it is said again, by the same count.
    again: Duration,
}

/// The clock is not to be trusted now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) why: String,
    /// Whether it has lasted so long that it is to be said again.
    pub(super) again: bool,
}

impl Sanity {
    pub(super) const fn new(earliest: Timestamp, before: Before) -> Self {
        Self { earliest, before, last: None, suspicion: None }
    }

    /// Looks at the clock. Answers why it is not to be trusted now, if it is not.
    pub(super) fn check(&mut self, now: Moment, opinion: Opinion) -> Option<Suspect> {
        if let Some(why) = self.doubt(now, opinion) {
            self.suspect(why, now);
        } else if opinion == Opinion::Agree || self.has_agreed(now, opinion) {
            self.suspicion = None;
        }
        self.last = Some(now);
        let suspicion = self.suspicion.as_mut()?;
        let again = now.uptime >= suspicion.again;
        if again {
            suspicion.again = now.uptime + DAILY;
        }
        Some(Suspect { why: suspicion.why.clone(), again })
    }

    /// Returns how long it is until the clock is trusted again by itself, where it is suspect and nobody contradicts.
    pub(super) fn left(&self, uptime: Duration) -> Option<Duration> {
        let suspicion = self.suspicion.as_ref()?;
        Some((suspicion.doubted + AGREEMENT).saturating_sub(uptime))
    }

    /// Returns a reason to doubt the clock that comes up now. Most providers decide, but that no clock shows a time
    /// from before the program was made.
    fn doubt(&self, now: Moment, opinion: Opinion) -> Option<String> {
        if now.wall < self.earliest {
            return Some("the wall clock is before the date of this build".to_owned());
        }
        match opinion {
            Opinion::Contradict { providers, seconds } => Some(format!(
                "most providers contradict the wall clock ({providers}, by at least {seconds} s)"
            )),
            Opinion::Agree => None,
            Opinion::Unknown | Opinion::Contradicted => match self.last {
                Some(last) => jumped(last, now),
                None => self.before.doubts(now.wall),
            },
        }
    }

    fn suspect(&mut self, why: String, now: Moment) {
        let again = self.suspicion.as_ref().map_or(now.uptime + HELD, |known| known.again);
        self.suspicion = Some(Suspicion { why, doubted: now.uptime, again });
    }

    /// Returns whether both clocks moved together for long enough, and nobody's last word is against it.
    fn has_agreed(&self, now: Moment, opinion: Opinion) -> bool {
        let doubted = self.suspicion.as_ref().map_or(Duration::ZERO, |known| known.doubted);
        opinion == Opinion::Unknown && now.uptime.saturating_sub(doubted) >= AGREEMENT
    }
}

impl Before {
    fn doubts(self, wall: Timestamp) -> Option<String> {
        let moved = self.last_good.map(|good| wall.since(good));
        match moved {
            Some(moved) if moved < -BEFORE => {
                Some(format!("at this start the wall clock is {} s before the last one", -moved))
            }
            Some(moved) if moved > AFTER => {
                Some(format!("at this start the wall clock is {moved} s after the last one"))
            }
            _ if self.suspect => Some("it was suspect before this start".to_owned()),
            _ => None,
        }
    }
}

fn jumped(last: Moment, now: Moment) -> Option<String> {
    let passed = now.uptime.saturating_sub(last.uptime).as_secs();
    let jump = now.wall.since(last.wall).saturating_sub(i64::try_from(passed).unwrap_or(i64::MAX));
    let far = jump.saturating_abs() > JUMP;
    far.then(|| format!("the wall clock jumped by {jump} s against the monotonic clock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the program was built.
    const BUILT: Timestamp = Timestamp::from_seconds(1_793_491_200);
    const DAY: i64 = 86_400;
    const CONTRADICT: Opinion = Opinion::Contradict { providers: 1, seconds: 9 * 3600 };

    /// The machine is up for `minutes`, and its wall clock is off by `bend` seconds.
    fn at(minutes: u64, bend: i64) -> Moment {
        let seconds = i64::try_from(minutes).unwrap() * 60;
        let uptime = Duration::from_mins(minutes);
        Moment { wall: BUILT.plus(100 * DAY + seconds + bend), uptime }
    }

    /// Checks the clock each minute up to `minutes`, and returns the first at which it is trusted.
    fn trusted(sanity: &mut Sanity, minutes: std::ops::Range<u64>, bend: i64) -> Option<u64> {
        let mut minutes = minutes;
        minutes.find(|minute| sanity.check(at(*minute, bend), Opinion::Unknown).is_none())
    }

    fn started(last_good: Option<i64>, suspect: bool) -> Sanity {
        let last_good = last_good.map(|seconds| at(0, seconds).wall);
        Sanity::new(BUILT, Before { last_good, suspect })
    }

    #[test]
    fn a_start_far_from_the_last_good_time_is_suspect_until_ten_minutes_agree() {
        for (last_good, suspect) in [
            (None, false),
            (Some(3600), false),
            (Some(3601), true),
            (Some(-45 * DAY), false),
            (Some(-45 * DAY - 1), true),
        ] {
            let mut sanity = started(last_good, false);
            assert_eq!(
                sanity.check(at(0, 0), Opinion::Unknown).is_some(),
                suspect,
                "{last_good:?}"
            );
            let expected = if suspect { 10 } else { 1 };
            assert_eq!(trusted(&mut sanity, 1..30, 0), Some(expected), "{last_good:?}");
        }
    }

    #[test]
    fn a_start_is_suspect_where_the_last_process_was() {
        let mut sanity = started(Some(-60), true);
        assert!(sanity.check(at(0, 0), Opinion::Unknown).is_some());
        assert_eq!(sanity.check(at(1, 0), Opinion::Agree), None);
    }

    #[test]
    fn one_answer_of_a_provider_confirms_at_once_or_holds() {
        let mut sanity = started(Some(400 * DAY), false);
        assert!(sanity.check(at(0, 0), Opinion::Unknown).is_some());
        assert_eq!(sanity.check(at(1, 0), Opinion::Agree), None);
        assert!(sanity.check(at(2, 0), CONTRADICT).is_some());
        // As long as the last word is a contradiction, time alone does not help.
        for minute in 3..600 {
            assert!(sanity.check(at(minute, 0), Opinion::Contradicted).is_some(), "{minute}");
        }
        assert_eq!(sanity.check(at(600, 0), Opinion::Agree), None);
    }

    #[test]
    fn a_jump_in_either_direction_is_suspect_until_it_behaves() {
        for jump in [JUMP + 1, -(JUMP + 1)] {
            let mut sanity = started(None, false);
            assert_eq!(sanity.check(at(0, 0), Opinion::Unknown), None);
            assert_eq!(sanity.check(at(1, JUMP), Opinion::Unknown), None, "that may happen");
            assert_eq!(sanity.check(at(2, 0), Opinion::Unknown), None);
            assert_eq!(trusted(&mut sanity, 3..60, jump), Some(13));
            assert!(sanity.check(at(14, 0), Opinion::Unknown).is_some(), "back again");
            assert_eq!(sanity.left(Duration::from_mins(15)), Some(Duration::from_mins(9)));
        }
    }

    #[test]
    fn a_clock_that_was_set_right_is_trusted_at_once_where_providers_confirm_it() {
        let mut sanity = started(None, false);
        assert_eq!(sanity.check(at(0, 0), Opinion::Unknown), None);
        assert_eq!(sanity.check(at(1, 2400), Opinion::Agree), None);
    }

    #[test]
    fn a_clock_before_the_build_is_never_trusted() {
        let mut sanity = started(None, false);
        for minute in 0..60 {
            let bend = -100 * DAY - 3600;
            assert!(sanity.check(at(minute, bend), Opinion::Agree).is_some(), "{minute}");
        }
        assert!(sanity.check(at(60, 0), Opinion::Unknown).is_some(), "it was set");
        assert_eq!(sanity.check(at(61, 0), Opinion::Agree), None);
    }

    #[test]
    fn what_is_held_for_an_hour_is_said_again_and_then_daily() {
        let mut sanity = started(None, false);
        let mut again = Vec::new();
        for minute in 0..4000 {
            let suspect = sanity.check(at(minute, 0), CONTRADICT).unwrap();
            again.extend(suspect.again.then_some(minute));
        }
        assert_eq!(again, [60, 60 + 1440, 60 + 2 * 1440]);
    }
}
