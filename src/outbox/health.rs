//! Whether a channel delivers: what its gauge shows, and what the other channels are notified of.
//!
//! *Failing* is the last attempt. *Down* is said to others: after three failures over two minutes at least, or a quarter of
//! an hour without a delivery in which something waited, whatever the cause. Neither decides when the next attempt is.

use std::time::Duration;

use tokio::time::Instant;

use crate::channel::SendError;
use crate::expiry::Timestamp;
use crate::store::ChannelState;

/// So many failures in a row,
const FAILURES: u32 = 3;
/// over this long at least, are a channel that is down,
const OVER: Duration = Duration::from_mins(2);
/// and so is this long without a delivery.
const WITHOUT_DELIVERY: Duration = Duration::from_mins(15);

/// How a channel is doing.
#[derive(Debug, Default)]
pub(super) struct Health {
    failures: u32,
    /// The first attempt that failed or was throttled since the last delivery.
    since: Option<(Timestamp, Instant)>,
    /// What went wrong last.
    fault: Option<Fault>,
    down: Option<String>,
    last_success: Option<Timestamp>,
    gave_up: Option<(Timestamp, String)>,
}

/// What went wrong, and what a person can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: String,
    pub(super) hint: String,
}

impl Fault {
    pub(super) fn of(error: &SendError) -> Self {
        let hint = match error {
            SendError::ChannelDown { hint, .. } => hint,
            SendError::Throttled { .. } => {
                "the service takes no more, look what else is sent to it"
            }
            SendError::RejectMessage { .. } => {
                "the service refuses what it is sent, look into the log"
            }
            SendError::Retry { .. } | SendError::Ambiguous { .. } => {
                "look whether the service runs and this machine reaches it"
            }
        };
        Self { code: error.code().to_owned(), hint: hint.to_owned() }
    }
}

impl Health {
    /// Returns how the channel was doing when the last process ended. Time without a process counts no more than it takes
    /// to be down: the clock may have been wrong.
    pub(super) fn restored(state: ChannelState, now: Timestamp) -> Self {
        let at = Instant::now();
        let ago = |since: Timestamp| {
            let seconds = u64::try_from(now.since(since)).unwrap_or(0);
            at.checked_sub(Duration::from_secs(seconds).min(WITHOUT_DELIVERY)).unwrap_or(at)
        };
        let code =
            state.down.clone().unwrap_or_else(|| "failing since before the start".to_owned());
        let hint = "look whether the service runs and this machine reaches it".to_owned();
        Self {
            failures: state.failures,
            since: state.since.map(|since| (since, ago(since))),
            fault: state.since.map(|_| Fault { code, hint }),
            down: state.down,
            last_success: state.last_success,
            gave_up: state.gave_up,
        }
    }

    /// Returns what is kept over restarts.
    pub(super) fn state(&self, gate_until: Option<Timestamp>) -> ChannelState {
        ChannelState {
            gate_until,
            down: self.down.clone(),
            failures: self.failures,
            last_success: self.last_success,
            since: self.since.map(|(since, _)| since),
            gave_up: self.gave_up.clone(),
        }
    }

    /// An attempt failed. Answers with what the others are notified of.
    pub(super) fn failed(&mut self, error: &SendError, now: Timestamp) -> Option<Fault> {
        let at = Instant::now();
        self.since.get_or_insert((now, at));
        self.fault = Some(Fault::of(error));
        if !matches!(error, SendError::Throttled { .. }) {
            self.failures = self.failures.saturating_add(1);
        }
        let often = self.failures >= FAILURES && self.lasted(at) >= OVER;
        if often { self.go_down() } else { self.waited() }
    }

    /// Something waits. Answers with what the others are notified of, where that has lasted too long.
    pub(super) fn waited(&mut self) -> Option<Fault> {
        let too_long = self.since.is_some() && self.lasted(Instant::now()) >= WITHOUT_DELIVERY;
        if too_long { self.go_down() } else { None }
    }

    /// A message was delivered. Answers whether the channel was down.
    pub(super) fn delivered(&mut self, now: Timestamp) -> bool {
        let healthy = Self { last_success: Some(now), ..Self::default() };
        std::mem::replace(self, healthy).down.is_some()
    }

    /// A message was given up. Answers whether that is the first since the last delivery.
    pub(super) fn gave_up(&mut self, code: &str, now: Timestamp) -> bool {
        let first = self.gave_up.is_none();
        self.gave_up.get_or_insert((now, code.to_owned()));
        first
    }

    /// Returns how long it is until the channel is down if nothing is delivered.
    pub(super) fn until_down(&self) -> Option<Duration> {
        let (_, since) = self.since.filter(|_| self.down.is_none())?;
        Some((since + WITHOUT_DELIVERY).saturating_duration_since(Instant::now()))
    }

    /// Returns whether the last attempt did not fail.
    pub(super) const fn is_up(&self) -> bool {
        self.failures == 0
    }

    /// Returns what the others were notified of, where the channel is down.
    pub(super) fn said_down(&self) -> Option<Fault> {
        self.fault.clone().filter(|_| self.down.is_some())
    }

    /// Returns what is wrong, where the last attempts failed.
    pub(super) const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Returns when the channel's trouble began.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.since.map(|(since, _)| since)
    }

    /// Returns when a message was given up for the first time since the last delivery, and why.
    pub(super) const fn given_up(&self) -> Option<&(Timestamp, String)> {
        self.gave_up.as_ref()
    }

    /// Returns when the channel last delivered.
    pub(super) const fn last_success(&self) -> Option<Timestamp> {
        self.last_success
    }

    fn lasted(&self, at: Instant) -> Duration {
        self.since.map(|(_, since)| at.saturating_duration_since(since)).unwrap_or_default()
    }

    fn go_down(&mut self) -> Option<Fault> {
        let fault = self.fault.clone().filter(|_| self.down.is_none())?;
        self.down = Some(fault.code.clone());
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);

    fn refused() -> SendError {
        SendError::Retry { after: None, code: "connection refused".into() }
    }

    fn throttled() -> SendError {
        SendError::Throttled { after: Duration::from_mins(1), code: "http 429".into() }
    }

    async fn pass(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_over_two_minutes_are_a_channel_that_is_down() {
        let mut health = Health::default();
        assert!(health.is_up());
        for _ in 0..4 {
            assert_eq!(health.failed(&refused(), NOW), None);
            assert!(!health.is_up(), "the gauge falls at the first failure");
            pass(30).await;
        }
        let fault = health.failed(&refused(), NOW).unwrap();
        assert_eq!(fault.code, "connection refused");
        assert_eq!(health.failed(&refused(), NOW), None, "said once");
        assert!(health.delivered(NOW) && health.is_up());
        assert!(!health.delivered(NOW));
    }

    #[tokio::test(start_paused = true)]
    async fn a_quarter_of_an_hour_without_a_delivery_is_down_whatever_the_cause() {
        for error in [throttled(), refused()] {
            let mut health = Health::default();
            assert_eq!(health.failed(&error, NOW), None);
            assert_eq!(health.is_up(), error.outcome() == "throttled", "a pause is no failure");
            pass(899).await;
            assert_eq!(health.waited(), None);
            assert_eq!(health.until_down(), Some(Duration::from_secs(1)));
            pass(1).await;
            assert_eq!(health.waited().map(|fault| fault.code).as_deref(), Some(error.code()));
            assert_eq!((health.waited(), health.until_down()), (None, None));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_goes_on_counting_and_believes_no_clock() {
        let mut health = Health::default();
        health.failed(&refused(), NOW);
        let state = health.state(None);
        let restored = Health::restored(state.clone(), NOW.plus(600));
        assert_eq!(restored.until_down(), Some(Duration::from_mins(5)));
        assert!(!restored.is_up());
        let past = Health::restored(state.clone(), NOW.plus(-86_400 * 300));
        assert_eq!(past.until_down(), Some(Duration::from_mins(15)));
        let future = Health::restored(state, NOW.plus(86_400 * 300));
        assert_eq!(future.until_down(), Some(Duration::ZERO));
    }

    #[test]
    fn giving_up_is_said_once_until_a_delivery() {
        let mut health = Health::default();
        assert!(health.gave_up("no_text", NOW) && !health.gave_up("other", NOW.plus(9)));
        assert_eq!(health.given_up(), Some(&(NOW, "no_text".to_owned())));
        health.delivered(NOW);
        assert!(health.gave_up("other", NOW.plus(20)));
    }
}
