//! How fast a destination may be used, by all channels that lead to it together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::channel::Pace;

const MINUTE: Duration = Duration::from_mins(1);

/// Every pacer of the process, by destination.
#[derive(Clone, Default)]
pub struct Pacers {
    by_destination: Arc<Mutex<BTreeMap<String, Arc<Pacer>>>>,
}

impl Pacers {
    /// Returns the pacer of `destination`, the same for every channel that leads there.
    pub(super) fn of(&self, destination: String) -> Arc<Pacer> {
        let mut pacers = self.by_destination.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pacers.entry(destination).or_default())
    }
}

/// Spreads the messages to one destination.
#[derive(Default)]
pub(super) struct Pacer {
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    /// The turns of the last minute and those taken ahead, in order.
    taken: VecDeque<Instant>,
    closed_until: Option<Instant>,
}

impl Pacer {
    /// Returns how long it is until the next turn.
    pub(super) fn until_next(&self, pace: Pace) -> Duration {
        let now = Instant::now();
        self.with(|turns| turns.next(pace, now)).saturating_duration_since(now)
    }

    /// Takes the next turn and waits for it.
    pub(super) async fn turn(&self, pace: Pace) {
        let at = self.with(|turns| {
            let at = turns.next(pace, Instant::now());
            turns.taken.push_back(at);
            at
        });
        tokio::time::sleep_until(at).await;
    }

    /// Lets nothing through for so long: the service counts all of a robot's messages together.
    pub(super) fn close(&self, pause: Duration) {
        let until = Instant::now() + pause;
        self.with(|turns| turns.closed_until = turns.closed_until.max(Some(until)));
    }

    /// Lets through again what a pause held back.
    pub(super) fn open(&self) {
        self.with(|turns| turns.closed_until = None);
    }

    fn with<T>(&self, use_turns: impl FnOnce(&mut Turns) -> T) -> T {
        use_turns(&mut self.turns.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Turns {
    fn next(&mut self, pace: Pace, now: Instant) -> Instant {
        while self.taken.front().is_some_and(|turn| *turn + MINUTE <= now) {
            self.taken.pop_front();
        }
        let per_minute = usize::try_from(pace.per_minute.max(1)).unwrap_or(usize::MAX);
        let after_gap = self.taken.back().map(|last| *last + pace.gap);
        let window =
            self.taken.len().checked_sub(per_minute).and_then(|first| self.taken.get(first));
        let after_window = window.map(|first| *first + MINUTE);
        [after_gap, after_window, self.closed_until].into_iter().flatten().fold(now, Instant::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { gap: Duration::from_secs(4), per_minute: 3 };

    async fn seconds_of(turns: usize, pacer: &Pacer) -> Vec<u64> {
        let start = Instant::now();
        let mut seconds = Vec::new();
        for _ in 0..turns {
            pacer.turn(PACE).await;
            seconds.push(start.elapsed().as_secs());
        }
        seconds
    }

    #[tokio::test(start_paused = true)]
    async fn turns_keep_gap_and_window() {
        assert_eq!(seconds_of(7, &Pacer::default()).await, [0, 4, 8, 60, 64, 68, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn channels_with_one_destination_share_their_turns() {
        let pacers = Pacers::default();
        let (one, same, other) =
            (pacers.of("a".into()), pacers.of("a".into()), pacers.of("b".into()));
        one.turn(PACE).await;
        assert_eq!(same.until_next(PACE), Duration::from_secs(4));
        assert_eq!(other.until_next(PACE), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_destination_lets_nothing_through() {
        let pacer = Pacer::default();
        pacer.close(Duration::from_mins(10));
        pacer.close(Duration::from_secs(30));
        assert_eq!(seconds_of(2, &pacer).await, [600, 604]);
    }
}
