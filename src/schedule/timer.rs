//! Timers: intervals by tokio, cron by the scheduler.
//!
//! The scheduler is used as a timer and for nothing else. It has no guard against overlap and keeps the offset of the
//! day a job was added, so that the hour is wrong after a change to or from summer time; a job is added again when
//! what it would do next differs from what the expression says.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_cron_scheduler::{Job, JobScheduler};

use crate::clock::Clock;
use crate::expiry::Timestamp;

/// How often a cron timer is compared with its expression.
const COMPARE_EVERY: Duration = Duration::from_hours(1);

/// Room for jobs that are due at once; the scheduler loses what does not fit.
const JOBS_AT_ONCE: usize = 4096;

/// Ticks that are looked at to find the longest gap of an expression.
const TICKS: usize = 400;

/// Fires every `period`, for the first time after `wait`.
pub(super) async fn every(period: Duration, wait: Duration, fire: impl Fn() + Send) {
    let mut ticks = tokio::time::interval_at(Instant::now() + wait, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        fire();
    }
}

/// The scheduler that all cron timers are registered with.
#[derive(Clone)]
pub struct Cron {
    scheduler: JobScheduler,
}

impl Cron {
    /// Starts a scheduler.
    pub async fn start() -> anyhow::Result<Self> {
        let scheduler = JobScheduler::new_with_channel_size(JOBS_AT_ONCE).await?;
        scheduler.start().await?;
        Ok(Self { scheduler })
    }

    /// Stops the scheduler; no timer fires afterwards.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "the scheduler was already stopped");
        }
    }

    /// Registers a timer. The future keeps it right and ends only with the task that runs it.
    pub(super) async fn register(
        &self,
        expression: &str,
        timezone: Tz,
        clock: Arc<dyn Clock>,
        fire: impl Fn() + Send + Sync + Clone + 'static,
    ) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
        let mut scheduler = self.scheduler.clone();
        let expression = expression.to_owned();
        let mut id = add(&scheduler, &expression, timezone, fire.clone()).await?;
        Ok(async move {
            loop {
                tokio::time::sleep(COMPARE_EVERY).await;
                let wanted = next_after(&expression, timezone, clock.now());
                let planned = scheduler.next_tick_for_job(id).await.ok().flatten();
                if planned.map(|at| at.timestamp()) == wanted.map(Timestamp::seconds) {
                    continue;
                }
                if let Err(error) = scheduler.remove(&id).await {
                    tracing::warn!(%error, expression, "a cron timer could not be taken down");
                }
                match add(&scheduler, &expression, timezone, fire.clone()).await {
                    Ok(new) => id = new,
                    Err(error) => {
                        tracing::error!(%error, expression, "a cron timer could not be registered again");
                    }
                }
            }
        })
    }
}

async fn add(
    scheduler: &JobScheduler,
    expression: &str,
    timezone: Tz,
    fire: impl Fn() + Send + Sync + Clone + 'static,
) -> anyhow::Result<uuid::Uuid> {
    let job = Job::new_async_tz(expression, timezone, move |_, _| {
        let fire = fire.clone();
        Box::pin(async move { fire() })
    })?;
    Ok(scheduler.add(job).await?)
}

/// Returns whether a tick was missed since `last`; a source that was never read has missed one.
pub(super) fn missed(
    expression: &str,
    timezone: Tz,
    last: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    last.is_none_or(|last| next_after(expression, timezone, last).is_some_and(|next| next <= now))
}

/// Returns the longest time between two ticks, in seconds, among the next few hundred.
pub(super) fn longest_gap(expression: &str, timezone: Tz, now: Timestamp) -> i64 {
    let (mut longest, mut at) = (0, next_after(expression, timezone, now));
    for _ in 0..TICKS {
        let Some(tick) = at else { break };
        at = next_after(expression, timezone, tick);
        if let Some(next) = at {
            longest = longest.max(next.since(tick));
        }
    }
    longest.max(1)
}

fn next_after(expression: &str, timezone: Tz, after: Timestamp) -> Option<Timestamp> {
    let cron = CronParser::builder()
        .seconds(Seconds::Required)
        .dom_and_dow(true)
        .build()
        .parse(expression)
        .ok()?;
    let after: DateTime<Utc> = DateTime::from_timestamp(after.seconds(), 0)?;
    let next = cron.find_next_occurrence(&after.with_timezone(&timezone), false).ok()?;
    Some(Timestamp::from_seconds(next.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Tz {
        name.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_seconds(DateTime::parse_from_rfc3339(text).unwrap().timestamp())
    }

    #[test]
    fn a_tick_is_at_the_hour_of_the_zone_on_both_sides_of_summer_time() {
        let paris = zone("Europe/Paris");
        let nine = "0 0 9 * * *";
        let before = next_after(nine, paris, at("2026-03-28T00:00:00Z")).unwrap();
        let after = next_after(nine, paris, at("2026-03-29T00:00:00Z")).unwrap();
        assert_eq!(before, at("2026-03-28T08:00:00Z"));
        assert_eq!(after, at("2026-03-29T07:00:00Z"));
    }

    #[test]
    fn the_longest_gap_of_working_days_is_the_weekend() {
        let now = at("2026-11-22T00:00:00Z");
        assert_eq!(longest_gap("0 0 9 * * 1-5", zone("UTC"), now), 3 * 86_400);
        assert_eq!(longest_gap("0 */10 * * * *", zone("UTC"), now), 600);
    }

    #[test]
    fn a_tick_missed_while_the_daemon_was_down_rings_at_once() {
        let hourly = "0 0 * * * *";
        let now = at("2026-11-22T10:30:00Z");
        let cases = [
            (None, true),
            (Some("2026-11-22T09:59:00Z"), true),
            (Some("2026-11-22T10:00:05Z"), false),
        ];
        for (last, expected) in cases {
            assert_eq!(missed(hourly, zone("UTC"), last.map(at), now), expected, "{last:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bell_rings_at_its_interval_and_not_before_its_wait() {
        let (sender, mut fires) = tokio::sync::mpsc::unbounded_channel();
        let start = Instant::now();
        let timer = every(Duration::from_secs(10), Duration::from_secs(3), move || {
            sender.send(start.elapsed().as_secs()).unwrap();
        });
        tokio::select! {
            () = timer => {}
            () = tokio::time::sleep(Duration::from_secs(25)) => {}
        }
        let mut seen = Vec::new();
        while let Ok(at) = fires.try_recv() {
            seen.push(at);
        }
        assert_eq!(seen, [3, 13, 23]);
    }
}
