//! How many requests to have under way, so that a provider's latency does not eat the rate.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Requests under way while the provider answers fast.
pub const LEAST: usize = 8;

/// Requests under way at the most: each may hold an answer in memory.
pub const MOST: usize = 32;

/// A provider that answers faster keeps up with every real rate by [`LEAST`] requests.
const SLOW: Duration = Duration::from_millis(100);

/// The weight of an answer in the average is one in so many.
const WEIGHT: u64 = 8;

/// The average latency of a provider's answers. Waits for the rate are not in it, nor failures: a provider that hangs is
/// not to be asked more at a time.
#[derive(Debug, Default)]
pub(super) struct Latency {
    /// In microseconds; 0 before the first answer.
    average: AtomicU64,
}

impl Latency {
    /// Takes in an answer. Two at a time may count as one, which an average forgives.
    pub(super) fn answered(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX / WEIGHT).max(1);
        let average = match self.average.load(Ordering::Relaxed) {
            0 => took,
            average => average - average / WEIGHT + took / WEIGHT,
        };
        self.average.store(average, Ordering::Relaxed);
    }

    /// Returns how many requests keep up `rate`, in requests a second.
    pub(super) fn width(&self, rate: f64) -> usize {
        width(rate, Duration::from_micros(self.average.load(Ordering::Relaxed)))
    }
}

fn width(rate: f64, latency: Duration) -> usize {
    if latency < SLOW {
        return LEAST;
    }
    // As many as begin while one is under way, and some, since answers do not come evenly.
    let needed = (rate * latency.as_secs_f64() * 1.25).ceil() + 1.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are positive, and what is beyond the most is the most"
    )]
    (needed as usize).clamp(LEAST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_the_rate_needs_and_no_more_than_memory_allows() {
        for (rate, millis, expected) in [
            (20.0, 0, 8),
            (20.0, 200, 8),
            (20.0, 400, 11),
            (20.0, 1_000, 26),
            (20.0, 5_000, 32),
            (10.0, 1_000, 14),
            // Nobody's rate: a fast answer is what keeps it up.
            (1e9, 5, 8),
            (1e9, 100, 32),
        ] {
            assert_eq!(width(rate, Duration::from_millis(millis)), expected, "{rate}, {millis} ms");
        }
    }

    #[test]
    fn the_average_follows_the_answers() {
        let latency = Latency::default();
        assert_eq!(latency.width(20.0), LEAST);
        latency.answered(Duration::from_secs(1));
        assert_eq!(latency.width(20.0), 26);
        for _ in 0..40 {
            latency.answered(Duration::from_millis(50));
        }
        assert_eq!(latency.width(20.0), LEAST);
        latency.answered(Duration::MAX);
        assert_eq!(latency.width(20.0), MOST);
    }
}
