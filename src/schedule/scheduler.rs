//! Cron timers of the daemon, registered with tokio-cron-scheduler.
//!
//! The scheduler is used as a timer and for nothing else. It has no guard against overlap and keeps the offset of the
//! day a job was added, so that the hour is wrong after a change to or from summer time; a job is added again when
//! what it would do next differs from what the expression says. Each scheduler keeps tasks and memory for good, so there
//! is one for the life of the process, and none while nothing is registered.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono_tz::Tz;
use tokio::sync::OnceCell;
use tokio_cron_scheduler::{Job, JobScheduler};
use uuid::Uuid;

use super::expression::next_after;
use super::timer::{Fire, Timers};
use crate::clock::Clock;
use crate::expiry::Timestamp;

/// How often a cron timer is compared with its expression: a wall clock that is set must not put off its next tick.
const COMPARE_EVERY: Duration = Duration::from_mins(1);

/// Room for jobs that are due at once; the scheduler loses what does not fit.
const JOBS_AT_ONCE: usize = 4096;

/// The scheduler that all cron timers of the process are registered with.
pub struct Scheduler {
    clock: Arc<dyn Clock>,
    running: OnceCell<JobScheduler>,
    /// What is registered.
    jobs: Mutex<BTreeSet<Uuid>>,
}

impl Scheduler {
    /// Returns a scheduler that starts with its first timer.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, running: OnceCell::new(), jobs: Mutex::default() }
    }

    async fn running(&self) -> anyhow::Result<JobScheduler> {
        let start = || async {
            let scheduler = JobScheduler::new_with_channel_size(JOBS_AT_ONCE).await?;
            scheduler.start().await?;
            anyhow::Ok(scheduler)
        };
        self.running.get_or_try_init(start).await.cloned()
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn add(&self, expression: &str, timezone: Tz, fire: &Fire) -> anyhow::Result<Uuid> {
        let fire = Arc::clone(fire);
        let job = Job::new_async_tz(expression, timezone, move |_, _| {
            let fire = Arc::clone(&fire);
            Box::pin(async move { fire() })
        })?;
        // Noted before it is there: whoever breaks this off leaves nothing that nobody takes down.
        let id = job.guid();
        self.jobs().insert(id);
        self.running().await?.add(job).await?;
        Ok(id)
    }

    async fn remove(&self, id: Uuid) {
        self.jobs().remove(&id);
        let Some(scheduler) = self.running.get() else { return };
        if let Err(error) = scheduler.remove(&id).await {
            tracing::warn!(%error, "a cron timer could not be taken down");
        }
    }
}

#[async_trait]
impl Timers for Scheduler {
    async fn cron(&self, expression: &str, timezone: Tz, fire: Fire) -> anyhow::Result<()> {
        let mut id = self.add(expression, timezone, &fire).await?;
        let mut scheduler = self.running().await?;
        loop {
            tokio::time::sleep(COMPARE_EVERY).await;
            let now = self.clock.now();
            let wanted = next_after(expression, timezone, now);
            let planned = scheduler.next_tick_for_job(id).await.ok().flatten();
            let planned = planned.map(|at| Timestamp::from_seconds(at.timestamp()));
            if agree(planned, wanted, now) {
                continue;
            }
            self.remove(id).await;
            match self.add(expression, timezone, &fire).await {
                Ok(new) => id = new,
                Err(error) => {
                    tracing::error!(%error, expression, "a cron timer could not be registered again");
                }
            }
        }
    }

    async fn clear(&self) {
        let jobs = std::mem::take(&mut *self.jobs());
        for id in jobs {
            self.remove(id).await;
        }
    }

    async fn stop(&self) {
        let Some(scheduler) = self.running.get() else { return };
        if let Err(error) = scheduler.clone().shutdown().await {
            tracing::debug!(%error, "the scheduler was already stopped");
        }
    }
}

/// Returns whether what is planned is what the expression wants. What is planned for now is about to fire.
fn agree(planned: Option<Timestamp>, wanted: Option<Timestamp>, now: Timestamp) -> bool {
    match (planned, wanted) {
        (Some(planned), Some(wanted)) => planned <= now || planned.since(wanted).abs() < 60,
        (planned, wanted) => planned == wanted,
    }
}

#[cfg(test)]
impl Scheduler {
    /// Returns how many jobs tokio-cron-scheduler itself holds.
    pub(crate) async fn held(&self) -> usize {
        let Some(scheduler) = self.running.get() else { return 0 };
        let context = scheduler.context();
        let mut storage = context.metadata_storage.write().await;
        storage.list_next_ticks().await.unwrap().len()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;

    use super::*;
    use crate::clock::SystemClock;

    fn utc() -> Tz {
        "UTC".parse().unwrap()
    }

    #[tokio::test]
    async fn a_registered_timer_fires() {
        let scheduler = Scheduler::new(Arc::new(SystemClock));
        let (sender, mut ticks) = mpsc::channel(1);
        let fire: Fire = Arc::new(move || assert!(sender.try_send(()).is_ok()));
        tokio::select! {
            biased;
            tick = ticks.recv() => assert!(tick.is_some()),
            ended = scheduler.cron("* * * * * *", utc(), fire) => panic!("it ended: {ended:?}"),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it never fired"),
        }
        scheduler.stop().await;
    }

    #[test]
    fn a_tick_that_is_planned_for_another_time_than_is_wanted_is_planned_again() {
        let at = |seconds| Some(Timestamp::from_seconds(seconds));
        let now = Timestamp::from_seconds(1_000);
        for (planned, wanted, expected) in [
            (at(1_060), at(1_060), true),
            (at(1_000), at(1_060), true),
            (at(1_000 + 400 * 86_400), at(1_001), false),
            (at(4_600), at(8_200), false),
            (None, at(1_060), false),
            (None, None, true),
        ] {
            assert_eq!(agree(planned, wanted, now), expected, "{planned:?} {wanted:?}");
        }
    }

    #[tokio::test]
    async fn what_was_registered_is_gone_after_it_is_cleared() {
        let scheduler = Arc::new(Scheduler::new(Arc::new(SystemClock)));
        assert_eq!(scheduler.held().await, 0, "nothing runs before the first timer");
        for _ in 0..2 {
            let mut timers = JoinSet::new();
            for _ in 0..3 {
                let scheduler = Arc::clone(&scheduler);
                timers.spawn(
                    async move { scheduler.cron("0 0 9 * * *", utc(), Arc::new(|| {})).await },
                );
            }
            let all = async {
                while scheduler.held().await < 3 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), all).await.unwrap();
            timers.shutdown().await;
            scheduler.clear().await;
            assert_eq!(scheduler.held().await, 0);
        }
        scheduler.stop().await;
    }
}
