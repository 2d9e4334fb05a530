//! A source that is down is tried again soon, and not only at its schedule: a boot before the network is up would be
//! blind for an hour.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::scan::Poll;

/// How long after each failure in a row it is tried again; after that the schedule alone counts.
const PAUSES: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(15)];

/// How often a source was down in a row, and when it is tried again because of that.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failures: usize,
    next: Option<Instant>,
}

impl Retry {
    /// Waits until the timer fires or the source is to be tried again. Nothing when the timer is gone.
    pub(super) async fn due(&self, timer: &mut mpsc::Receiver<()>) -> Option<()> {
        let Some(next) = self.next else { return timer.recv().await };
        tokio::select! {
            biased;
            fired = timer.recv() => fired,
            () = tokio::time::sleep_until(next) => Some(()),
        }
    }

    /// Takes how a poll went. What a person has to mend waits for the schedule.
    pub(super) fn ended(&mut self, poll: &Poll) {
        self.next = None;
        if !poll.down {
            self.failures = 0;
            return;
        }
        self.next = PAUSES.get(self.failures).map(|pause| Instant::now() + *pause);
        self.failures += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(down: bool) -> Poll {
        Poll { proven: !down, error: down.then(|| "unreachable".to_owned()), down }
    }

    /// Returns the minutes after which polls begin that end so, where the timer fires every hour.
    async fn minutes(downs: impl IntoIterator<Item = bool>) -> Vec<u64> {
        let start = Instant::now();
        let (fire, mut timer) = mpsc::channel(1);
        let hourly = async {
            loop {
                fire.send(()).await.unwrap();
                tokio::time::sleep(Duration::from_hours(1)).await;
            }
        };
        let mut retry = Retry::default();
        let polls = async {
            let mut begun = Vec::new();
            for down in downs {
                retry.due(&mut timer).await.unwrap();
                begun.push(start.elapsed().as_secs() / 60);
                retry.ended(&poll(down));
            }
            begun
        };
        tokio::select! {
            biased;
            begun = polls => begun,
            () = hourly => unreachable!(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_is_down_is_tried_after_1_5_and_15_minutes_then_at_its_schedule() {
        let down = [true, true, true, true, true, true];
        assert_eq!(minutes(down).await, [0, 1, 6, 21, 60, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_answered_begins_anew_when_it_is_down_again() {
        assert_eq!(minutes([true, true, false, true, true, false]).await, [0, 1, 6, 60, 61, 66]);
    }
}
