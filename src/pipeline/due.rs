//! When the pipeline turns by itself, and what it does when nothing is due.

use std::time::Duration;

use tokio::time::Instant;

use super::Pipeline;
use crate::expiry::Timestamp;

/// Least time between two decisions while changes flood in.
const DECIDE_EVERY: Duration = Duration::from_secs(1);

/// Longest time without a turn; the watchdog waits longer. It is also how long a wall clock that was set goes unnoticed.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Remembers when the last decision was, and whether something waits for the next.
#[derive(Debug, Default)]
pub(super) struct Due {
    decided: Option<Instant>,
    waiting: bool,
    /// Whether what was written is to be published.
    writing: bool,
}

/// A turn to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) at: Instant,
    /// Whether something is due then; if not, the clock is looked at.
    pub(super) due: bool,
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
        self.writing = true;
    }

    /// Returns when the next turn is, if no message comes before. When something is due by itself is asked only where it
    /// matters: while changes flood in it does not.
    pub(super) fn next_turn(&self, now: Instant, due: impl FnOnce() -> Option<Instant>) -> Turn {
        let Some(decided) = self.decided else { return Turn { at: now, due: true } };
        let soonest = decided + DECIDE_EVERY;
        if self.waiting {
            return Turn { at: soonest, due: true };
        }
        let latest = if self.writing { soonest } else { soonest.max(now + LONGEST_SLEEP) };
        let due = due().map(|due| due.max(soonest)).filter(|due| *due <= latest);
        Turn { at: due.unwrap_or(latest), due: due.is_some() }
    }
}

impl Pipeline {
    /// Publishes what was written, and looks at the clock. Answers whether that is all: nothing came, nothing is due, and
    /// the clock goes as it did.
    pub(super) async fn is_quiet(&mut self) -> anyhow::Result<bool> {
        self.outputs.pulse.send_replace(Instant::now());
        self.due.writing = false;
        self.settle().await?;
        let was_trusted = self.checks.clock_is_trusted();
        let moment = self.moment();
        let mut turned = Vec::from_iter(self.look_at_clock(moment));
        let is_trusted = was_trusted && self.checks.clock_is_trusted();
        if is_trusted {
            turned.extend(self.checks.check_offsets(moment));
        }
        let is_quiet = is_trusted && turned.is_empty() && !self.is_open(moment.wall);
        for transition in turned {
            self.report(Some(transition));
        }
        Ok(is_quiet)
    }

    /// Returns whether something is to be decided or written.
    fn is_open(&mut self, now: Timestamp) -> bool {
        if let Some((key, at)) = self.checks.good_time_alone() {
            self.draft.condition(key, Some(at));
        }
        let is_settled = self.evaluator.is_settled(self.inventory.version(), now);
        let is_ahead = self.foresight.next().is_some_and(|at| at <= now);
        !self.draft.is_empty() || !is_settled || is_ahead || self.quiet.is_due(now)
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
        let (due_at, look_at) = (
            |millis| Turn { at: after(millis), due: true },
            |millis| Turn { at: after(millis), due: false },
        );
        assert_eq!(due.next_turn(start, || None), due_at(0), "the first comes at once");
        assert!(due.begin_turn(start));
        assert_eq!(due.next_turn(start, || None), look_at(60_000));
        assert_eq!(due.next_turn(after(100), || Some(after(7_000))), due_at(7_000));
        assert_eq!(due.next_turn(after(100), || Some(after(90_000))), look_at(60_100));
        assert_eq!(
            due.next_turn(after(100), || Some(after(0))),
            due_at(1_000),
            "what is late waits"
        );
        // A message comes too soon after the last decision: it waits for the next.
        assert!(!due.begin_turn(after(400)));
        assert_eq!(due.next_turn(after(400), || None), due_at(1_000));
        assert!(due.begin_turn(after(1_000)));
        assert_eq!(due.next_turn(after(1_000), || None), look_at(61_000));
        due.come_back();
        assert_eq!(due.next_turn(after(1_000), || None), look_at(2_000), "something is written");
        assert_eq!(due.next_turn(after(1_000), || Some(after(1_500))), due_at(2_000));
    }
}
