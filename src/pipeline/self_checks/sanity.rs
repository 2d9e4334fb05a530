//! Whether the machine's clock can be trusted with decisions.

use std::time::Duration;

use tokio::time::Instant;

use crate::expiry::Timestamp;

/// A wall clock may move this far against the monotonic clock.
const JUMP: i64 = 300;

/// After a jump the clock must behave for this long before it is trusted again.
const QUARANTINE: Duration = Duration::from_mins(10);

/// Compares the wall clock with the monotonic one.
#[derive(Debug)]
pub(super) struct Sanity {
    /// No clock shows an earlier time.
    earliest: Timestamp,
    last: Option<(Timestamp, Instant)>,
    suspect_until: Option<Instant>,
    why: String,
}

impl Sanity {
    pub(super) const fn new(earliest: Timestamp) -> Self {
        Self { earliest, last: None, suspect_until: None, why: String::new() }
    }

    /// Returns until when a jump keeps the clock from being trusted, if there was one.
    pub(super) const fn suspect_until(&self) -> Option<Instant> {
        self.suspect_until
    }

    /// Returns why the clock is not to be trusted now, if it is not.
    pub(super) fn check(&mut self, wall: Timestamp, monotonic: Instant) -> Option<&str> {
        if let Some((before, then)) = self.last.replace((wall, monotonic)) {
            let passed =
                i64::try_from(monotonic.duration_since(then).as_secs()).unwrap_or(i64::MAX);
            let jump = wall.since(before) - passed;
            if jump.abs() > JUMP {
                self.suspect_until = Some(monotonic + QUARANTINE);
                self.why = format!("the wall clock jumped by {jump} s against the monotonic clock");
            }
        }
        if wall < self.earliest {
            return Some("the wall clock is before the date of this build");
        }
        self.suspect_until = self.suspect_until.filter(|until| monotonic < *until);
        self.suspect_until.map(|_| self.why.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the program was built.
    const BUILT: Timestamp = Timestamp::from_seconds(1_793_491_200);

    fn at(seconds: i64) -> Timestamp {
        BUILT.plus(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_in_either_direction_is_suspect_for_a_while() {
        for jump in [JUMP + 61, -(JUMP + 61)] {
            let mut sanity = Sanity::new(BUILT);
            let start = Instant::now();
            assert_eq!(sanity.check(at(10_000), start), None);
            let minute = Duration::from_mins(1);
            assert_eq!(sanity.check(at(10_060), start + minute), None);
            assert!(sanity.check(at(10_120 + jump), start + 2 * minute).is_some());
            assert!(sanity.check(at(10_180 + jump), start + 3 * minute).is_some());
            assert_eq!(
                sanity.check(at(10_060 + jump + 720), start + minute + Duration::from_mins(12)),
                None
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_before_the_build_is_never_trusted() {
        let mut sanity = Sanity::new(BUILT);
        assert!(sanity.check(at(-1), Instant::now()).is_some());
        assert_eq!(sanity.check(at(0), Instant::now()), None);
    }
}
