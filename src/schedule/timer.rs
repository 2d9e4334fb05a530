//! What fires: intervals on tokio's clock, cron expressions through [`Timers`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono_tz::Tz;
use tokio::time::{Instant, MissedTickBehavior};

use super::expression::next_after;
use crate::clock::Clock;
use crate::expiry::Timestamp;

/// The longest sleep before the wall clock is looked at again: it may jump.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What a timer does at each tick. It must not block.
pub type Fire = Arc<dyn Fn() + Send + Sync>;

/// Fires cron timers. The daemon's is [`Scheduler`](super::Scheduler); on virtual time [`ComputedTimers`] is.
#[async_trait]
pub trait Timers: Send + Sync {
    /// Fires at every tick of `expression` for as long as it is polled; it ends only with an error.
    async fn cron(&self, expression: &str, timezone: Tz, fire: Fire) -> anyhow::Result<()>;

    /// Takes down what was registered by timers that are not polled any more. No timer may be registered meanwhile.
    async fn clear(&self) {}

    /// Lets nothing fire any more, for good.
    async fn stop(&self) {}
}

/// Fires every `period`, for the first time after `wait`.
pub(super) async fn every(period: Duration, wait: Duration, fire: Fire) {
    let mut ticks = tokio::time::interval_at(Instant::now() + wait, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        fire();
    }
}

/// Computes each tick and sleeps until then: it follows the clock that it is given, and tokio's.
pub struct ComputedTimers {
    clock: Arc<dyn Clock>,
}

impl ComputedTimers {
    /// Returns timers that follow `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }

    /// Sleeps until the tick, or until the clock was set back so far that another one comes before it.
    async fn sleep_until(&self, tick: Timestamp, earlier: impl Fn(Timestamp) -> bool) {
        loop {
            let millis = tick.seconds().saturating_mul(1000).saturating_sub(self.clock.millis());
            match u64::try_from(millis) {
                Ok(millis) if millis > 0 && !earlier(self.clock.now()) => {
                    tokio::time::sleep(Duration::from_millis(millis).min(LONGEST_SLEEP)).await;
                }
                _ => return,
            }
        }
    }
}

#[async_trait]
impl Timers for ComputedTimers {
    async fn cron(&self, expression: &str, timezone: Tz, fire: Fire) -> anyhow::Result<()> {
        let mut last = self.clock.now();
        while let Some(tick) = next_after(expression, timezone, last) {
            let next = |now| next_after(expression, timezone, now);
            self.sleep_until(tick, |now| now < last && next(now) < Some(tick)).await;
            let now = self.clock.now();
            if now >= tick {
                fire();
            }
            last = now;
        }
        // An expression with a year in it, which is over.
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::{BentClock, SteadyClock};

    /// 2027-01-15T08:00:00Z.
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    /// Returns the seconds at which a timer fires within `seconds`.
    async fn fired<R>(seconds: u64, timer: impl FnOnce(Fire) -> R) -> Vec<u64>
    where
        R: Future,
    {
        let (sender, mut fires) = mpsc::unbounded_channel();
        let start = Instant::now();
        let timer = timer(Arc::new(move || sender.send(start.elapsed().as_secs()).unwrap()));
        let ended = tokio::time::timeout(Duration::from_secs(seconds), timer).await;
        assert!(ended.is_err(), "the timer ended by itself");
        std::iter::from_fn(|| fires.try_recv().ok()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_fires_at_its_interval_and_not_before_its_wait() {
        let (period, wait) = (Duration::from_secs(10), Duration::from_secs(3));
        let fired = fired(25, |fire| every(period, wait, fire)).await;
        assert_eq!(fired, [3, 13, 23]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_computed_timer_fires_at_each_tick_and_once() {
        let timers = ComputedTimers::new(Arc::new(SteadyClock::starting_at(NOW)));
        let utc = "UTC".parse().unwrap();
        let fired = fired(4 * 3600, |fire| timers.cron("0 30 * * * *", utc, fire)).await;
        assert_eq!(fired, [1800, 5400, 9000, 12600]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_puts_no_tick_off() {
        let clock = Arc::new(BentClock::starting_at(NOW, NOW));
        let timers = ComputedTimers::new(Arc::clone(&clock) as Arc<dyn Clock>);
        clock.bend(300 * 86_400);
        let set = async {
            tokio::time::sleep(Duration::from_mins(10)).await;
            clock.bend(0);
            std::future::pending::<()>().await;
        };
        let utc = "UTC".parse().unwrap();
        let fired = fired(4 * 3600, async |fire| {
            tokio::join!(timers.cron("0 30 * * * *", utc, fire), set).0
        });
        assert_eq!(fired.await, [1800, 5400, 9000, 12600]);
    }
}
