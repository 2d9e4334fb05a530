//! What follows from an attempt: pure, so that the whole schedule is a table of tests.

use std::time::Duration;

use crate::channel::SendError;
use crate::expiry::{Detail, Timestamp};
use crate::store::{Batch, BatchUpdate};

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
/// The waits before an answer that nobody understands is tried again: three times in a quarter of an hour.
const UNKNOWNS: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_mins(4), Duration::from_mins(10)];
/// The waits before a missing address is believed to be gone.
const NOT_FOUNDS: [Duration; 2] = [Duration::from_mins(5), Duration::from_mins(5)];
/// The waits before a service that wants a person is tried again: whether it means it is known soon; the last one
/// repeats.
const RETESTS: [Duration; 5] = [
    Duration::from_mins(1),
    Duration::from_mins(1),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(6),
];
/// The wait after a request whose fate is not known.
const AMBIGUOUS: Duration = Duration::from_mins(1);
/// Pauses that a service asks for again and again double up to this, or to ten times the first.
const LONGEST_GROWN_PAUSE: Duration = Duration::from_mins(10);

/// What happened since the last delivery, in this process. A start begins anew, so that no wait outlasts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Streak {
    /// Failures that the schedule answers.
    attempts: usize,
    /// Answers in a row that nobody understands.
    unknowns: usize,
    /// Times in a row that the address was not found.
    not_founds: usize,
    /// Times in a row that the service wanted a person.
    downs: usize,
    /// Pauses asked for in a row.
    throttles: u32,
    /// Whether the last request may have arrived.
    ambiguous: bool,
}

/// What an attempt is judged by.
pub(super) struct Attempt<'a> {
    pub(super) batch: &'a Batch,
    /// Whether an earlier request with the batch may have arrived.
    pub(super) fixed: bool,
    pub(super) streak: Streak,
    pub(super) now: Timestamp,
    /// A random fraction, for jitter.
    pub(super) fraction: f64,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) update: BatchUpdate,
    pub(super) streak: Streak,
    /// How long until the next attempt.
    pub(super) wait: Duration,
    /// How long the destination is to be left alone, for every channel that leads there.
    pub(super) pause: Option<Duration>,
}

impl Attempt<'_> {
    pub(super) fn delivered(&self) -> Decision {
        let (update, streak) = (BatchUpdate::Delivered { at: self.now }, Streak::default());
        Decision { update, streak, wait: Duration::ZERO, pause: None }
    }

    pub(super) fn failed(&self, error: &SendError) -> Decision {
        match error {
            SendError::Throttled { after, .. } => self.throttled(*after),
            SendError::Retry { code, .. } if error.is_unknown() => self.unknown(code),
            SendError::Retry { after, .. } => self.retry(*after),
            SendError::Ambiguous { .. } => self.ambiguous(),
            SendError::RejectMessage { code } => self.rejected(code),
            SendError::ChannelDown { .. } => self.down(error.is_not_found()),
        }
    }

    /// Not an attempt: only the destination is left alone.
    fn throttled(&self, after: Duration) -> Decision {
        let grown = after.saturating_mul(1 << self.streak.throttles.min(10));
        let pause = grown.min(after.saturating_mul(10)).min(LONGEST_GROWN_PAUSE).max(after);
        // A little more than asked for, so that several channels do not come back in the same second.
        let pause = pause + self.jittered(pause / 10);
        let streak =
            Streak { throttles: self.streak.throttles + 1, ambiguous: false, ..self.streak };
        let update = self.refused(self.batch.attempts, pause);
        Decision { update, streak, wait: Duration::ZERO, pause: Some(pause) }
    }

    fn retry(&self, after: Option<Duration>) -> Decision {
        let wait = after.unwrap_or_default().max(self.scheduled());
        self.again(wait, self.one_more())
    }

    fn ambiguous(&self) -> Decision {
        let first = !self.streak.ambiguous;
        let wait = if first { AMBIGUOUS } else { AMBIGUOUS.max(self.scheduled()) };
        let streak = Streak { ambiguous: true, ..self.one_more() };
        let update = self.kept(wait, Batch { begun: true, ..self.batch.clone() });
        Decision { update, streak, wait, pause: None }
    }

    /// Only these members may be to blame: no other shares their fate.
    fn unknown(&self, code: &str) -> Decision {
        let unknowns = self.streak.unknowns + 1;
        let streak = Streak { unknowns, attempts: self.streak.attempts, ..Streak::default() };
        let Some(wait) = UNKNOWNS.get(self.streak.unknowns).copied() else {
            return self.dead(code);
        };
        let batch = Batch { begun: self.is_fixed(), ..self.batch.clone() };
        Decision { update: self.kept(wait, batch), streak, wait, pause: None }
    }

    /// Sends less of it at once, or gives up. What may have arrived is not changed any more.
    fn rejected(&self, code: &str) -> Decision {
        let lower = Detail::from_index(self.batch.detail).lower().filter(|_| !self.is_fixed());
        let Some(detail) = lower else { return self.dead(code) };
        let batch = Batch { detail: detail.index(), begun: false, ..self.batch.clone() };
        let (update, streak) = (self.kept(Duration::ZERO, batch), self.one_more());
        Decision { update, streak, wait: Duration::ZERO, pause: None }
    }

    /// A message is not given up because its channel wants a person.
    fn down(&self, not_found: bool) -> Decision {
        let (not_founds, downs) = (self.streak.not_founds, self.streak.downs);
        if let Some(wait) = NOT_FOUNDS.get(not_founds).filter(|_| not_found) {
            return self.again(*wait, Streak { not_founds: not_founds + 1, ..self.streak });
        }
        let first = if not_found { 2 } else { 0 };
        let index = (downs + first).min(RETESTS.len() - 1);
        let wait = RETESTS.get(index).copied().unwrap_or_default();
        self.again(wait, Streak { downs: downs + 1, ..self.streak })
    }

    fn again(&self, wait: Duration, streak: Streak) -> Decision {
        let update = self.refused(self.batch.attempts.saturating_add(1), wait);
        Decision { update, streak: Streak { ambiguous: false, ..streak }, wait, pause: None }
    }

    fn dead(&self, code: &str) -> Decision {
        let update = BatchUpdate::Dead { at: self.now, code: code.to_owned() };
        let streak = Streak { attempts: self.streak.attempts, ..Streak::default() };
        Decision { update, streak, wait: Duration::ZERO, pause: None }
    }

    /// This request has clearly not arrived: the message is composed anew, unless an earlier one may have.
    fn refused(&self, attempts: u32, wait: Duration) -> BatchUpdate {
        if !self.is_fixed() {
            return BatchUpdate::Released;
        }
        let next_at = later(self.now, wait);
        BatchUpdate::Retry(Batch { attempts, next_at, begun: true, ..self.batch.clone() })
    }

    fn kept(&self, wait: Duration, batch: Batch) -> BatchUpdate {
        let (attempts, next_at) = (batch.attempts.saturating_add(1), later(self.now, wait));
        BatchUpdate::Retry(Batch { attempts, next_at, ..batch })
    }

    const fn is_fixed(&self) -> bool {
        self.fixed || self.batch.pages > 0
    }

    const fn one_more(&self) -> Streak {
        Streak {
            attempts: self.streak.attempts + 1,
            unknowns: 0,
            not_founds: 0,
            downs: 0,
            throttles: 0,
            ambiguous: false,
        }
    }

    /// Returns a random wait up to that of the schedule, at least a second.
    fn scheduled(&self) -> Duration {
        let index = self.streak.attempts.min(RETRIES.len() - 1);
        self.jittered(RETRIES.get(index).copied().unwrap_or_default()).max(Duration::from_secs(1))
    }

    fn jittered(&self, wait: Duration) -> Duration {
        wait.mul_f64(self.fraction.clamp(0.0, 1.0))
    }
}

/// Returns `time` moved by `wait`, which is rounded up to whole seconds.
pub(super) fn later(time: Timestamp, wait: Duration) -> Timestamp {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    time.plus(i64::try_from(seconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
    const HOUR: u64 = 3600;

    fn code() -> String {
        "code".to_owned()
    }

    /// One channel with one batch.
    struct Course {
        batch: Batch,
        fixed: bool,
        streak: Streak,
        fraction: f64,
    }

    impl Course {
        fn new() -> Self {
            let batch = Batch {
                id: "id".into(),
                attempts: 0,
                detail: 0,
                next_at: NOW,
                composed_at: NOW,
                begun: true,
                pages: 0,
            };
            Self { batch, fixed: false, streak: Streak::default(), fraction: 1.0 }
        }

        fn decide(&self, error: &SendError) -> Decision {
            let Self { batch, fixed, streak, fraction } = self;
            Attempt { batch, fixed: *fixed, streak: *streak, now: NOW, fraction: *fraction }
                .failed(error)
        }

        /// Fails once and returns how long it is until the next attempt, or that it is over.
        fn fail(&mut self, error: &SendError) -> Result<u64, String> {
            let decision = self.decide(error);
            self.streak = decision.streak;
            let wait = decision.pause.unwrap_or(decision.wait).as_secs();
            match decision.update {
                BatchUpdate::Retry(batch) => {
                    self.fixed = batch.begun;
                    self.batch = batch;
                    Ok(wait)
                }
                BatchUpdate::Released => Ok(wait),
                BatchUpdate::Dead { code, .. } => Err(code),
                BatchUpdate::Delivered { .. } => panic!("a failure delivers nothing"),
            }
        }

        fn fail_times(&mut self, times: usize, error: &SendError) -> Vec<u64> {
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

    fn ambiguous() -> SendError {
        SendError::Ambiguous { code: code() }
    }

    fn rejected() -> SendError {
        SendError::RejectMessage { code: code() }
    }

    fn throttled(seconds: u64) -> SendError {
        SendError::Throttled { after: Duration::from_secs(seconds), code: code() }
    }

    #[test]
    fn faults_of_the_network_and_the_service_are_retried_on_a_growing_schedule_for_ever() {
        let mut course = Course::new();
        let waits = course.fail_times(9, &retry());
        assert_eq!(waits, [5, 30, 120, 600, 1800, HOUR, 2 * HOUR, 6 * HOUR, 6 * HOUR]);
        for error in [retry(), ambiguous()] {
            assert_eq!(course.fail_times(100, &error).last(), Some(&(6 * HOUR)));
        }
    }

    #[test]
    fn jitter_is_full_and_never_nothing() {
        for (fraction, expected) in [(0.0, [1, 1, 1]), (0.5, [2, 15, 60]), (0.999, [4, 29, 119])] {
            let mut course = Course { fraction, ..Course::new() };
            assert_eq!(course.fail_times(3, &retry()), expected, "{fraction}");
        }
    }

    #[test]
    fn a_wait_that_the_service_asks_for_is_kept() {
        let error = SendError::Retry { after: Some(Duration::from_secs(90)), code: code() };
        assert_eq!(Course::new().fail_times(3, &error), [90, 90, 120]);
    }

    #[test]
    fn pauses_are_not_attempts_and_double() {
        let steady = || Course { fraction: 0.0, ..Course::new() };
        let mut course = steady();
        assert_eq!(course.fail_times(6, &throttled(30)), [30, 60, 120, 240, 300, 300]);
        course.fail(&retry()).unwrap();
        assert_eq!(course.fail_times(6, &throttled(60)), [60, 120, 240, 480, 600, 600]);
        assert_eq!(steady().fail_times(3, &throttled(600)), [600, 600, 600]);
        assert_eq!(Course::new().fail(&throttled(600)), Ok(660));
        assert_eq!(steady().fail_times(2, &throttled(21_600)), [21_600, 21_600]);
    }

    #[test]
    fn only_a_pause_closes_the_destination() {
        assert_eq!(Course::new().decide(&throttled(60)).pause, Some(Duration::from_secs(66)));
        assert_eq!(Course::new().decide(&retry()).pause, None);
    }

    #[test]
    fn what_is_clearly_refused_is_composed_anew_and_what_may_have_arrived_is_not() {
        let mut course = Course::new();
        for error in [retry(), down(), throttled(60)] {
            assert_eq!(course.decide(&error).update, BatchUpdate::Released, "{error}");
        }
        course.fail(&ambiguous()).unwrap();
        for error in [retry(), down(), throttled(60), unknown(), ambiguous()] {
            let BatchUpdate::Retry(batch) = course.decide(&error).update else { panic!("{error}") };
            assert!(batch.begun, "{error}");
        }
        assert!(matches!(course.decide(&rejected()).update, BatchUpdate::Dead { .. }));
        let mut half = Course::new();
        half.batch.pages = 3;
        assert!(
            matches!(half.decide(&retry()).update, BatchUpdate::Retry(batch) if batch.pages == 3)
        );
    }

    #[test]
    fn a_request_of_unknown_fate_is_repeated_after_a_minute_and_then_as_a_fault() {
        let mut course = Course::new();
        assert_eq!(course.fail_times(4, &ambiguous()), [60, 60, 120, 600]);
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
        for detail in 1..=3 {
            assert_eq!(course.fail(&rejected()), Ok(0));
            assert_eq!((course.batch.detail, course.batch.begun), (detail, false));
        }
        assert_eq!(course.fail(&rejected()), Err(code()));
    }

    #[test]
    fn a_channel_that_wants_a_person_is_tested_ever_more_rarely_and_loses_nothing() {
        let mut course = Course::new();
        let waits = course.fail_times(6, &down());
        assert_eq!(waits, [60, 60, 900, HOUR, 6 * HOUR, 6 * HOUR]);
        course.fail_times(100, &down());
        let missing = SendError::ChannelDown { code: "http 404".into(), hint: String::new() };
        assert_eq!(Course::new().fail_times(5, &missing), [300, 300, 900, HOUR, 6 * HOUR]);
    }

    #[test]
    fn a_delivery_clears_everything() {
        let course = Course::new();
        let streak = Streak { attempts: 5, throttles: 2, ..Streak::default() };
        let attempt =
            Attempt { batch: &course.batch, fixed: true, streak, now: NOW, fraction: 0.5 };
        let decision = attempt.delivered();
        assert_eq!(decision.update, BatchUpdate::Delivered { at: NOW });
        assert_eq!((decision.streak, decision.pause), (Streak::default(), None));
    }
}
