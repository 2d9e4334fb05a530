//! When the pipeline turns by itself.

use std::time::Duration;

use tokio::time::Instant;

/// Least time between two decisions while changes flood in.
const DECIDE_EVERY: Duration = Duration::from_secs(1);

/// Longest time without a turn; the watchdog waits longer. It is also how long a wall clock that was set goes unnoticed.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Remembers when the last decision was, and whether something waits for the next.
#[derive(Debug, Default)]
pub(super) struct Due {
    decided: Option<Instant>,
    waiting: bool,
}

impl Due {
    /// A turn begins. Answers whether it is time to decide.
    pub(super) fn begin_turn(&mut self, now: Instant) -> bool {
        let due = self.decided.is_none_or(|last| now >= last + DECIDE_EVERY);
        self.waiting = !due;
        if due {
            self.decided = Some(now);
        }
        due
    }

    /// The turn leaves something for the next one: what it wrote is published then, together with what comes meanwhile.
    pub(super) const fn come_back(&mut self) {
        self.waiting = true;
    }

    /// Returns when the next turn is, if no message comes before. When something is due by itself is asked only where it
    /// matters: while changes flood in it does not.
    pub(super) fn next_turn(&self, now: Instant, due: impl FnOnce() -> Option<Instant>) -> Instant {
        let Some(decided) = self.decided else { return now };
        if self.waiting {
            return decided + DECIDE_EVERY;
        }
        let latest = now + LONGEST_SLEEP;
        due().map_or(latest, |due| {
            due.clamp(decided + DECIDE_EVERY, latest.max(decided + DECIDE_EVERY))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turn_comes_when_something_is_due_and_else_seldom() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut due = Due::default();
        assert_eq!(due.next_turn(start, || None), start, "the first comes at once");
        assert!(due.begin_turn(start));
        assert_eq!(due.next_turn(start, || None), after(60_000));
        assert_eq!(due.next_turn(after(100), || Some(after(7_000))), after(7_000));
        assert_eq!(due.next_turn(after(100), || Some(after(90_000))), after(60_100));
        assert_eq!(
            due.next_turn(after(100), || Some(after(0))),
            after(1_000),
            "what is late waits"
        );
        // A message comes too soon after the last decision: it waits for the next.
        assert!(!due.begin_turn(after(400)));
        assert_eq!(due.next_turn(after(400), || None), after(1_000));
        assert!(due.begin_turn(after(1_000)));
        assert_eq!(due.next_turn(after(1_000), || None), after(61_000));
        due.come_back();
        assert_eq!(due.next_turn(after(1_000), || None), after(2_000), "something is written");
    }
}
