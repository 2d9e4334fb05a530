//! A bucket of tokens, one for each request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Requests in a time, and so many at once.
pub(in crate::web) struct Rate {
    interval: Duration,
    burst: u32,
    state: Mutex<(f64, Instant)>,
}

impl Rate {
    pub(super) fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, state: Mutex::new((f64::from(burst), Instant::now())) }
    }

    /// Takes a token, if there is one.
    pub(in crate::web) fn admits(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, since) = *state;
        let now = Instant::now();
        let came = now.duration_since(since).as_secs_f64() / self.interval.as_secs_f64();
        let tokens = (tokens + came).min(f64::from(self.burst));
        let admits = tokens >= 1.0;
        *state = (if admits { tokens - 1.0 } else { tokens }, now);
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_let_through_and_then_one_in_each_interval() {
        let rate = Rate::new(Duration::from_secs(2), 3);
        assert_eq!([0; 5].map(|_| rate.admits()), [true, true, true, false, false]);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!([0; 2].map(|_| rate.admits()), [true, false]);
    }
}
