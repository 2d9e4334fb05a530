//! When sources are read: timers fire, and one scan of a window of a source runs at a time. The near window is read also
//! while a full scan, which may take hours, is under way; they share the request rate.
//!
//! A timer that fires while the one before still waits is a skipped tick, counted and never queued. A source that is down
//! is tried again before its next tick (`retry`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Schedule;
use crate::expiry::Timestamp;
use crate::metrics::DaemonMetrics;
use crate::scan::{Feed, LastRead, Poll, ScanEvent, scan};
use crate::source::{Source, Window};

mod expression;
mod retry;
mod scheduler;
mod timer;

use retry::Retry;

pub use scheduler::Scheduler;
pub use timer::{ComputedTimers, Fire, Timers};

/// The near window reaches this far back: what ended longer ago is no news.
const NEAR_BEFORE: i64 = 30 * 86_400;

/// The near window reaches this far ahead: past the loosest rung, so that a rung is never crossed unseen.
const NEAR_AHEAD: i64 = 45 * 86_400;

/// How the two kinds of scan of a source go by turns.
struct Turns {
    /// Fires for a full scan that was cut off.
    go_on: mpsc::Sender<()>,
    /// Whether a full scan runs.
    under_way: AtomicBool,
    /// The first near scan has ended.
    first: Notify,
}

/// Reads one source whenever its timers fire.
pub struct Poller {
    /// The source.
    pub source: Arc<dyn Source>,
    /// Whether it can be read by windows, so that `schedule` drives the near one.
    pub windowed: bool,
    /// When to read it.
    pub schedule: Schedule,
    /// When to read the whole of it, where that differs.
    pub full_scan: Option<Schedule>,
    /// When it was last read.
    pub last: LastRead,
    /// Where the scans go.
    pub feed: Feed,
    /// The daemon's own metrics.
    pub metrics: Arc<DaemonMetrics>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Counts the scans that are under way, of every source.
    pub under_way: watch::Sender<usize>,
}

/// A scan that is under way, until this is dropped.
struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    fn begin(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Poller {
    /// Reads the source until told to stop. Scans that are running then are broken off.
    pub async fn run(self, cron: Arc<dyn Timers>, stop: CancellationToken) -> anyhow::Result<()> {
        let (near_timer, near) = mpsc::channel(1);
        let (all_timer, all) = mpsc::channel(1);
        let mut timers = JoinSet::new();
        let (often, last_often) = if self.windowed {
            (near_timer, self.last.near)
        } else {
            // Nothing drives the near window of a source that has none.
            (all_timer.clone(), self.last.all)
        };
        timers.spawn(self.timer(&cron, &self.schedule, last_often, often));
        if let Some(full_scan) = &self.full_scan {
            // A full scan that was cut off goes on at once.
            let last = self.last.all.filter(|_| !self.is_waiting());
            timers.spawn(self.timer(&cron, full_scan, last, all_timer.clone()));
        }
        let turns =
            Turns { go_on: all_timer, under_way: AtomicBool::new(false), first: Notify::new() };
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            Some(ended) = timers.join_next() => match ended {
                Ok(Ok(())) => anyhow::bail!("a timer of `{}` ended", self.feed.source),
                Ok(Err(error)) => Err(error.context(format!("a timer of `{}` failed", self.feed.source))),
                Err(error) => anyhow::bail!("the timer of `{}` broke: {error}", self.feed.source),
            },
            _ = futures_util::future::join(self.near(near, &turns), self.all(all, &turns)) => Ok(()),
        }
    }

    /// Reads the near window whenever its timer fires, also while everything is being read.
    async fn near(&self, mut timer: mpsc::Receiver<()>, turns: &Turns) {
        let mut retry = Retry::default();
        while retry.due(&mut timer).await.is_some() {
            let poll = self.poll(self.near_window()).await;
            retry.ended(&poll);
            turns.first.notify_one();
            let cut_off = self.is_waiting() && !turns.under_way.load(Ordering::Relaxed);
            if cut_off && poll.error.is_none() && turns.go_on.try_send(()).is_err() {
                tracing::debug!(source = %self.feed.source, "the full scan was about to go on anyway");
            }
        }
    }

    /// Returns whether a full scan was cut off that is worth going on with.
    fn is_waiting(&self) -> bool {
        self.feed.unfinished.is_waiting() || self.source.is_waiting()
    }

    /// Reads everything whenever its timer fires.
    async fn all(&self, mut timer: mpsc::Receiver<()>, turns: &Turns) {
        // On a cold start the near window is complete before the far tail is read.
        if self.windowed && self.last.near.is_none() {
            turns.first.notified().await;
        }
        let mut retry = Retry::default();
        while retry.due(&mut timer).await.is_some() {
            turns.under_way.store(true, Ordering::Relaxed);
            retry.ended(&self.poll(Window::All).await);
            turns.under_way.store(false, Ordering::Relaxed);
        }
    }

    /// Returns what fires `timer` for as long as it runs.
    fn timer(
        &self,
        cron: &Arc<dyn Timers>,
        schedule: &Schedule,
        last: Option<Timestamp>,
        timer: mpsc::Sender<()>,
    ) -> BoxFuture<'static, anyhow::Result<()>> {
        let (metrics, name) = (Arc::clone(&self.metrics), Arc::clone(&self.feed.source));
        let fire: Fire = Arc::new(move || {
            if timer.try_send(()).is_err() {
                metrics.skipped(&name);
            }
        });
        let now = self.clock.now();
        match schedule {
            Schedule::Every(period) => {
                let wait = last.map_or(Duration::ZERO, |last| {
                    let passed = u64::try_from(now.since(last)).unwrap_or(0);
                    period.saturating_sub(Duration::from_secs(passed))
                });
                let every = timer::every(*period, wait, fire);
                Box::pin(async move {
                    every.await;
                    Ok(())
                })
            }
            Schedule::Cron { expression, timezone } => {
                if expression::missed(expression, *timezone, last, now) {
                    fire();
                }
                let (cron, expression) = (Arc::clone(cron), expression.clone());
                let timezone = *timezone;
                Box::pin(async move { cron.cron(&expression, timezone, fire).await })
            }
        }
    }

    fn near_window(&self) -> Window {
        let now = self.clock.now();
        Window::Near { from: now.plus(-NEAR_BEFORE), to: now.plus(NEAR_AHEAD) }
    }

    /// Runs one scan in a task of its own: a panic in it is a failed poll and silences nobody else.
    async fn poll(&self, window: Window) -> Poll {
        let _under_way = UnderWay::begin(&self.under_way);
        let started = self.clock.now();
        let clocked = tokio::time::Instant::now();
        self.metrics.attempt(&self.feed.source, started);
        let mut task = JoinSet::new();
        let (source, feed, clock) =
            (Arc::clone(&self.source), self.feed.clone(), Arc::clone(&self.clock));
        task.spawn(async move { scan(&*source, window, &feed, &*clock).await });
        let poll = match task.join_next().await {
            Some(Ok(poll)) => poll,
            Some(Err(_)) | None => self.panicked(window, started).await,
        };
        self.log(window, &poll, clocked.elapsed());
        poll
    }

    async fn panicked(&self, window: Window, started: Timestamp) -> Poll {
        let error = Some("the source broke off with a bug; please report it".to_owned());
        let ended = self.clock.now();
        let event = ScanEvent::Polled {
            window,
            started,
            ended,
            proven: false,
            error: error.clone(),
            offset: self.source.clock_offset(),
        };
        // Nobody takes it only when the daemon is stopping.
        let taken = self.feed.give(event).await.is_ok();
        tracing::error!(source = %self.feed.source, taken, "a poll panicked; the other sources go on");
        Poll { proven: false, error, down: true }
    }

    fn log(&self, window: Window, poll: &Poll, took: Duration) {
        let name = &self.feed.source;
        self.metrics.up(name, poll.error.is_none());
        match &poll.error {
            None => {
                self.metrics.duration(name, window.as_str(), took.as_secs_f64());
                self.metrics.success(name, self.clock.now());
                tracing::debug!(
                    source = %name, window = window.as_str(), proven = poll.proven, ?took,
                    "polled `{name}`"
                );
            }
            Some(error) => {
                tracing::warn!(source = %name, window = window.as_str(), %error, "poll of `{name}` failed");
            }
        }
    }
}

/// Returns the longest time between two ticks of `schedule`, in seconds.
pub fn interval(schedule: &Schedule, now: Timestamp) -> i64 {
    match schedule {
        Schedule::Every(period) => i64::try_from(period.as_secs()).unwrap_or(i64::MAX),
        Schedule::Cron { expression, timezone } => {
            expression::longest_gap(expression, *timezone, now)
        }
    }
}
