//! The only place that asks what time it is.

use crate::expiry::Timestamp;

/// Tells the wall clock time.
pub trait Clock: Send + Sync {
    /// Returns milliseconds since 1970-01-01T00:00:00Z.
    fn millis(&self) -> i64;

    /// Returns the time in whole seconds.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis())
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    fn millis(&self) -> i64 {
        chrono::Utc::now().timestamp_millis()
    }
}

/// A clock that starts at a given time and moves with tokio's, so that a paused runtime moves both together.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    origin_millis: i64,
    started: tokio::time::Instant,
}

impl SteadyClock {
    /// Returns a clock that shows `origin` now.
    pub fn starting_at(origin: Timestamp) -> Self {
        Self { origin_millis: origin.seconds() * 1000, started: tokio::time::Instant::now() }
    }
}

impl Clock for SteadyClock {
    fn millis(&self) -> i64 {
        let elapsed = self.started.elapsed().as_millis();
        self.origin_millis.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }
}
