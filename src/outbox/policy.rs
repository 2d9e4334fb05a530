//! What follows from an attempt: pure, so that the whole schedule is a table of tests.

use std::time::Duration;

use crate::channel::SendError;
use crate::expiry::{Detail, Timestamp};
use crate::store::{Batch, BatchUpdate, ChannelState};

/// The longest waits between attempts while a service fails; the last one repeats.
const RETRIES: [Duration; 8] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(6),
];
/// A message is given up when its newest event is older than this and the whole schedule has been tried.
const GIVE_UP: i64 = 72 * 3600;
/// The waits before an answer that nobody understands is tried again: three times in a quarter of an hour.
const UNKNOWNS: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_mins(4), Duration::from_mins(10)];
/// The waits before a missing address is believed to be gone.
const NOT_FOUNDS: [Duration; 2] = [Duration::from_mins(5), Duration::from_mins(5)];
/// The waits before a channel that is down is tried again; the last one repeats.
const RETESTS: [Duration; 3] =
    [Duration::from_mins(15), Duration::from_hours(1), Duration::from_hours(6)];
/// The wait after a request whose fate is not known.
const AMBIGUOUS: Duration = Duration::from_mins(1);
/// No wait is longer: the longest of those above, and the tenth that a pause of the same length is spread over. Stored
/// times are held against it, since a clock that was wrong made them.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(6 * 66);
/// Pauses that a service asks for again and again double up to this, or to ten times the first.
const LONGEST_GROWN_PAUSE: Duration = Duration::from_mins(10);

/// What happened to the batch in hand before, in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Streak {
    /// Answers in a row that nobody understands.
    unknowns: usize,
    /// Times in a row that the address was not found.
    not_founds: usize,
    /// Pauses asked for in a row.
    throttles: u32,
    /// Whether the fate of the last request is not known.
    pub(super) ambiguous: bool,
}

/// What an attempt is judged by.
pub(super) struct Attempt<'a> {
    pub(super) batch: &'a Batch,
    pub(super) state: &'a ChannelState,
    pub(super) streak: Streak,
    /// The time of the newest event.
    pub(super) newest: Timestamp,
    pub(super) now: Timestamp,
    /// A random fraction, for jitter.
    pub(super) fraction: f64,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) update: BatchUpdate,
    pub(super) state: ChannelState,
    pub(super) streak: Streak,
    /// How long the destination is to be left alone, for every channel that leads there.
    pub(super) pause: Option<Duration>,
}

impl Attempt<'_> {
    pub(super) fn delivered(&self) -> Decision {
        let state = ChannelState { last_success: Some(self.now), ..ChannelState::default() };
        Decision {
            update: BatchUpdate::Delivered { at: self.now },
            state,
            streak: Streak::default(),
            pause: None,
        }
    }

    pub(super) fn failed(&self, error: &SendError) -> Decision {
        match error {
            SendError::Throttled { after, .. } => self.throttled(*after),
            SendError::Retry { code, .. } if error.is_unknown() => self.unknown(code),
            SendError::Retry { after, code } => self.retry(code, *after),
            SendError::Ambiguous { code } => self.ambiguous(code),
            SendError::RejectMessage { code } => self.rejected(code),
            SendError::ChannelDown { code, .. } => self.down(code, error.is_not_found()),
        }
    }

    /// Not an attempt: only the gate closes.
    fn throttled(&self, after: Duration) -> Decision {
        let grown = after.saturating_mul(1 << self.streak.throttles.min(10));
        let pause = grown.min(after.saturating_mul(10)).min(LONGEST_GROWN_PAUSE).max(after);
        // A little more than asked for, so that several channels do not come back in the same second.
        let pause = pause + self.jittered(pause / 10);
        let until = later(self.now, pause);
        let state = ChannelState { gate_until: Some(until), ..self.failing() };
        let streak =
            Streak { throttles: self.streak.throttles + 1, ambiguous: false, ..self.streak };
        let update = BatchUpdate::Retry(Batch { next_at: until, ..self.batch.clone() });
        Decision { update, state, streak, pause: Some(pause) }
    }

    fn retry(&self, code: &str, after: Option<Duration>) -> Decision {
        let wait = after.unwrap_or_default().max(self.scheduled());
        self.again_or_dead(code, wait, Streak::default())
    }

    fn ambiguous(&self, code: &str) -> Decision {
        let first = !self.streak.ambiguous;
        let wait = if first { AMBIGUOUS } else { AMBIGUOUS.max(self.scheduled()) };
        self.again_or_dead(code, wait, Streak { ambiguous: true, ..Streak::default() })
    }

    fn unknown(&self, code: &str) -> Decision {
        let streak = Streak { unknowns: self.streak.unknowns + 1, ..Streak::default() };
        match UNKNOWNS.get(self.streak.unknowns) {
            Some(wait) => self.again(*wait, streak),
            None => self.dead(code),
        }
    }

    /// Sends less of it at once, or gives up.
    fn rejected(&self, code: &str) -> Decision {
        let Some(detail) = Detail::from_index(self.batch.detail).lower() else {
            return self.dead(code);
        };
        let mut decision = self.again(Duration::ZERO, Streak::default());
        if let BatchUpdate::Retry(batch) = &mut decision.update {
            batch.detail = detail.index();
        }
        decision
    }

    /// Closes the gate until the next test. Not an attempt: a message is not given up while nothing can be delivered.
    fn down(&self, code: &str, not_found: bool) -> Decision {
        let wait = NOT_FOUNDS
            .get(self.streak.not_founds)
            .filter(|_| not_found && self.state.down.is_none());
        if let Some(wait) = wait {
            return self.again(
                *wait,
                Streak { not_founds: self.streak.not_founds + 1, ..Streak::default() },
            );
        }
        let failures =
            if self.state.down.is_some() { self.state.failures.saturating_add(1) } else { 1 };
        let index = usize::try_from(failures - 1).unwrap_or(usize::MAX).min(RETESTS.len() - 1);
        let until = later(self.now, RETESTS.get(index).copied().unwrap_or_default());
        let state = ChannelState {
            gate_until: Some(until),
            down: Some(code.to_owned()),
            failures,
            last_success: self.state.last_success,
        };
        // The gate is what holds the batch back, so that opening it lets the batch through.
        let update = BatchUpdate::Retry(Batch { next_at: self.now, ..self.batch.clone() });
        Decision { update, state, streak: Streak::default(), pause: None }
    }

    fn again_or_dead(&self, code: &str, wait: Duration, streak: Streak) -> Decision {
        let tried = usize::try_from(self.batch.attempts).unwrap_or(usize::MAX) >= RETRIES.len();
        if tried && self.now.since(self.newest) >= GIVE_UP {
            self.dead(code)
        } else {
            self.again(wait, streak)
        }
    }

    fn again(&self, wait: Duration, streak: Streak) -> Decision {
        let batch = Batch {
            attempts: self.batch.attempts.saturating_add(1),
            next_at: later(self.now, wait),
            ..self.batch.clone()
        };
        Decision { update: BatchUpdate::Retry(batch), state: self.failing(), streak, pause: None }
    }

    fn dead(&self, code: &str) -> Decision {
        let update = BatchUpdate::Dead { at: self.now, code: code.to_owned() };
        Decision { update, state: self.failing(), streak: Streak::default(), pause: None }
    }

    fn failing(&self) -> ChannelState {
        ChannelState {
            gate_until: None,
            failures: self.state.failures.saturating_add(1),
            ..self.state.clone()
        }
    }

    /// Returns the schedule's wait after this attempt, with full jitter.
    fn scheduled(&self) -> Duration {
        let index =
            usize::try_from(self.batch.attempts).unwrap_or(usize::MAX).min(RETRIES.len() - 1);
        self.jittered(RETRIES.get(index).copied().unwrap_or_default()).max(Duration::from_secs(1))
    }

    fn jittered(&self, wait: Duration) -> Duration {
        wait.mul_f64(self.fraction.clamp(0.0, 1.0))
    }
}

/// Returns `time` moved by `wait`, which is rounded up to whole seconds.
fn later(time: Timestamp, wait: Duration) -> Timestamp {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    time.plus(i64::try_from(seconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
    const HOUR: i64 = 3600;

    fn code() -> String {
        "code".to_owned()
    }

    /// One channel with one batch, and the time.
    struct Course {
        batch: Batch,
        state: ChannelState,
        streak: Streak,
        now: Timestamp,
        fraction: f64,
    }

    impl Course {
        fn new() -> Self {
            let batch = Batch { id: "id".into(), attempts: 0, detail: 0, next_at: NOW };
            Self {
                batch,
                state: ChannelState::default(),
                streak: Streak::default(),
                now: NOW,
                fraction: 1.0,
            }
        }

        /// Fails once, goes to the time of the next attempt and returns how long that took, or that it is over.
        fn fail(&mut self, error: &SendError) -> Result<i64, String> {
            let attempt = Attempt {
                batch: &self.batch,
                state: &self.state,
                streak: self.streak,
                newest: NOW,
                now: self.now,
                fraction: self.fraction,
            };
            let decision = attempt.failed(error);
            (self.state, self.streak) = (decision.state, decision.streak);
            match decision.update {
                BatchUpdate::Retry(batch) => {
                    let next_at = self
                        .state
                        .gate_until
                        .map_or(batch.next_at, |until| until.max(batch.next_at));
                    let wait = next_at.since(self.now);
                    (self.now, self.batch) = (next_at, batch);
                    Ok(wait)
                }
                BatchUpdate::Dead { code, .. } => Err(code),
                BatchUpdate::Delivered { .. } => panic!("a failure delivers nothing"),
            }
        }

        fn fail_times(&mut self, times: usize, error: &SendError) -> Vec<i64> {
            (0..times).map(|_| self.fail(error).unwrap()).collect()
        }
    }

    fn retry() -> SendError {
        SendError::Retry { after: None, code: code() }
    }

    fn unknown() -> SendError {
        SendError::Retry { after: None, code: "unknown: 77".into() }
    }

    fn down() -> SendError {
        SendError::ChannelDown { code: code(), hint: String::new() }
    }

    fn throttled(seconds: u64) -> SendError {
        SendError::Throttled { after: Duration::from_secs(seconds), code: code() }
    }

    #[test]
    fn faults_are_retried_on_a_growing_schedule_for_three_days() {
        let mut course = Course::new();
        let waits = course.fail_times(9, &retry());
        assert_eq!(waits, [5, 30, 120, 600, 1800, HOUR, 2 * HOUR, 6 * HOUR, 6 * HOUR]);
        while course.now.since(NOW) < 72 * HOUR {
            assert_eq!(course.fail(&retry()), Ok(6 * HOUR));
        }
        assert_eq!(course.fail(&retry()), Err(code()));
    }

    #[test]
    fn jitter_is_full_and_never_nothing() {
        for (fraction, expected) in [(0.0, [1, 1, 1]), (0.5, [3, 15, 60]), (0.999, [5, 30, 120])] {
            let mut course = Course { fraction, ..Course::new() };
            assert_eq!(course.fail_times(3, &retry()), expected, "{fraction}");
        }
    }

    #[test]
    fn a_wait_that_the_service_asks_for_is_kept() {
        let mut course = Course::new();
        let error = SendError::Retry { after: Some(Duration::from_secs(90)), code: code() };
        assert_eq!(course.fail_times(3, &error), [90, 90, 120]);
    }

    #[test]
    fn a_message_that_waited_for_days_still_gets_the_whole_schedule() {
        let mut course = Course { now: NOW.plus(100 * 24 * HOUR), ..Course::new() };
        course.fail_times(8, &retry());
        assert_eq!(course.fail(&retry()), Err(code()));
    }

    #[test]
    fn pauses_are_not_attempts_and_double() {
        let mut course = Course { fraction: 0.0, ..Course::new() };
        assert_eq!(course.fail_times(6, &throttled(30)), [30, 60, 120, 240, 300, 300]);
        assert_eq!(course.batch.attempts, 0);
        assert_eq!(course.state.gate_until, Some(course.now));
        course.fail(&retry()).unwrap();
        assert_eq!(course.state.gate_until, None);
        assert_eq!(course.fail_times(6, &throttled(60)), [60, 120, 240, 480, 600, 600]);
        assert_eq!(
            Course { fraction: 0.0, ..Course::new() }.fail_times(3, &throttled(600)),
            [600, 600, 600]
        );
        assert_eq!(Course { fraction: 1.0, ..Course::new() }.fail(&throttled(600)), Ok(660));
        assert_eq!(
            Course { fraction: 0.0, ..Course::new() }.fail_times(2, &throttled(21_600)),
            [21_600, 21_600]
        );
    }

    #[test]
    fn a_pause_closes_the_destination() {
        let course = Course::new();
        let attempt = Attempt {
            batch: &course.batch,
            state: &course.state,
            streak: course.streak,
            newest: NOW,
            now: NOW,
            fraction: 0.0,
        };
        assert_eq!(attempt.failed(&throttled(60)).pause, Some(Duration::from_mins(1)));
        assert_eq!(attempt.failed(&retry()).pause, None);
    }

    #[test]
    fn a_request_of_unknown_fate_is_repeated_after_a_minute_and_then_as_a_fault() {
        let mut course = Course::new();
        let error = SendError::Ambiguous { code: code() };
        assert_eq!(course.fail_times(4, &error), [60, 60, 120, 600]);
        assert!(course.streak.ambiguous);
    }

    #[test]
    fn an_answer_that_nobody_understands_is_given_up_after_a_quarter_of_an_hour() {
        let mut course = Course::new();
        assert_eq!(course.fail_times(3, &unknown()), [60, 240, 600]);
        assert_eq!(course.fail(&unknown()), Err("unknown: 77".into()));
        let mut mixed = Course::new();
        mixed.fail_times(2, &unknown());
        mixed.fail(&retry()).unwrap();
        assert_eq!(mixed.fail_times(3, &unknown()), [60, 240, 600]);
    }

    #[test]
    fn a_refused_message_says_less_and_less() {
        let mut course = Course::new();
        let error = SendError::RejectMessage { code: code() };
        for detail in 1..=3 {
            assert_eq!(course.fail(&error), Ok(0));
            assert_eq!(course.batch.detail, detail);
        }
        assert_eq!(course.fail(&error), Err(code()));
    }

    #[test]
    fn a_channel_that_is_down_is_tested_ever_more_rarely_and_loses_nothing() {
        let mut course = Course::new();
        course.fail_times(3, &retry());
        assert_eq!(course.fail_times(5, &down()), [900, HOUR, 6 * HOUR, 6 * HOUR, 6 * HOUR]);
        assert_eq!((course.state.down.clone(), course.batch.attempts), (Some(code()), 3));
        assert_eq!(course.state.gate_until, Some(course.now));
        course.fail(&retry()).unwrap();
        assert_eq!(course.state.down, Some(code()), "only a delivery shows that it is up");
        for _ in 0..100 {
            course.fail(&down()).unwrap();
        }
    }

    #[test]
    fn a_missing_address_is_believed_after_ten_minutes() {
        let mut course = Course::new();
        let error = SendError::ChannelDown { code: "http 404".into(), hint: String::new() };
        assert_eq!(course.fail_times(2, &error), [300, 300]);
        assert_eq!(course.state.down, None);
        assert_eq!(course.fail_times(2, &error), [900, HOUR]);
        assert_eq!(course.state.down, Some("http 404".into()));
    }

    #[test]
    fn a_delivery_clears_everything() {
        let course = Course {
            state: ChannelState {
                gate_until: Some(NOW),
                down: Some(code()),
                failures: 7,
                last_success: None,
            },
            ..Course::new()
        };
        let attempt = Attempt {
            batch: &course.batch,
            state: &course.state,
            streak: course.streak,
            newest: NOW,
            now: NOW,
            fraction: 0.5,
        };
        let state = ChannelState { last_success: Some(NOW), ..ChannelState::default() };
        let update = BatchUpdate::Delivered { at: NOW };
        assert_eq!(
            attempt.delivered(),
            Decision { update, state, streak: Streak::default(), pause: None }
        );
    }
}
