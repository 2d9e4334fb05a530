//! One channel's worker: gather, freeze, send, record.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::asked::Trials;
use super::health::{Fault, Health};
use super::job::Job;
use super::pace::Pacer;
use super::policy::{Attempt, Decision, Streak, later};
use super::{DEAD, DELIVERED, Report, Settings, Shared};
use crate::channel::{Channel, Page, Receipt, SendError, TestAnswer};
use crate::expiry::Timestamp;
use crate::store::{BatchUpdate, ChannelState, Pending, StoreError, Verdict};

/// Events that are looked at while they wait.
pub(super) const MOST_EVENTS: usize = 5000;
/// The most events in one message; more go into the next. A whole batch that crosses a rung is one.
const MOST_AT_ONCE: usize = 50_000;
/// How long an event that is for the digest only waits for others.
pub(super) const DIGEST_WAIT: Duration = Duration::from_hours(24);
/// No channel takes longer for one page, with its own timeouts: this is the net under a channel that hangs.
const SEND_LIMIT: Duration = Duration::from_mins(10);
/// The time that a message in flight gets when the process is asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// The wait before a store that failed is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(5);
/// The longest sleep before the clock is looked at again: a machine may be suspended.
const LONGEST_SLEEP: Duration = Duration::from_mins(5);
/// What was given up is said again after this many seconds, if nothing was delivered before.
const SAY_AGAIN: i64 = 86_400;

/// Delivers the events of one channel.
pub struct Worker {
    pub(super) settings: Settings,
    pub(super) shared: Shared,
    pub(super) channel: Arc<dyn Channel>,
    pub(super) pacer: Arc<Pacer>,
    pub(super) health: Health,
    pub(super) streak: Streak,
    /// When the next attempt is due, after one that failed. A start does not wait.
    pub(super) retry_at: Option<Instant>,
    /// The last attempt, and the newest delivery that waited then.
    pub(super) tried: Option<(Instant, i64)>,
    /// The event that the others wait with and since when: it is not held longer than is right, whatever the wall clock
    /// says.
    pub(super) oldest: Option<(i64, Instant)>,
    /// The outcome and code that were logged last.
    logged: Option<String>,
    store_failed: bool,
    trials: Trials,
    /// Whether it is known how many messages were given up.
    pub(super) given_up_counted: bool,
}

/// What waits for a channel.
struct Waiting {
    /// What is to be sent now.
    pending: Vec<Pending>,
    /// How long it is until more is that is held back now.
    held: Option<Duration>,
    /// Whether more waits than was looked at.
    more: bool,
}

/// What a channel that panicked answers.
pub(super) fn panicked() -> SendError {
    SendError::Retry { after: None, code: format!("{}panic", SendError::UNKNOWN) }
}

impl Worker {
    /// Returns a worker that delivers through `channel`.
    pub fn new(settings: Settings, channel: Arc<dyn Channel>, shared: Shared) -> Self {
        Self {
            pacer: shared.pacers.of(channel.destination()),
            settings,
            shared,
            channel,
            health: Health::default(),
            streak: Streak::default(),
            retry_at: None,
            tried: None,
            oldest: None,
            logged: None,
            store_failed: false,
            trials: Trials::new(None),
            given_up_counted: false,
        }
    }

    /// Returns the same, which sends a test whenever one is asked for.
    #[must_use]
    pub fn with_tests(self, asked: mpsc::Receiver<TestAnswer>) -> Self {
        Self { trials: Trials::new(Some(asked)), ..self }
    }

    /// Delivers until `stop`. A message in flight then gets a short time to be finished and recorded.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Err(error) = self.restore(&stop).await {
            let pause = self.store_trouble(&error);
            self.wait(Some(pause), &stop).await;
            if stop.is_cancelled() {
                return;
            }
        }
        while !stop.is_cancelled() {
            let pause = match self.step(&stop).await {
                Ok(pause) => {
                    self.store_failed = false;
                    pause
                }
                Err(error) => Some(self.store_trouble(&error)),
            };
            self.wait(pause, &stop).await;
        }
    }

    /// Takes up the channel's health, and reports again what the pipeline may not have heard before the process ended.
    async fn restore(&mut self, stop: &CancellationToken) -> Result<(), StoreError> {
        let state = self.shared.store.channel_state(&self.settings.name).await?;
        self.health = Health::restored(state, self.shared.clock.now());
        self.show_health();
        if let Some(at) = self.health.last_success() {
            self.shared.watcher.delivered(&self.settings.name, at);
        }
        self.restore_daily().await?;
        if let Some(fault) = self.health.said_down() {
            self.say_down(fault, stop).await;
        }
        if let Some((at, code)) = self.health.given_up().cloned() {
            self.say_given_up(at, code, stop).await;
        }
        Ok(())
    }

    /// Does what is due, and returns how long nothing will be; `None`: until something is committed.
    async fn step(&mut self, stop: &CancellationToken) -> Result<Option<Duration>, StoreError> {
        self.say_again().await?;
        self.count_given_up().await?;
        let (newest, _) = self.shared.store.came_after(&self.settings.name, i64::MAX).await?;
        let Waiting { mut pending, held, more } = self.waiting(MOST_EVENTS).await?;
        if pending.is_empty() {
            let again = self.health.given_up().map(|_| LONGEST_SLEEP);
            return Ok(again.into_iter().chain(held).min());
        }
        if let Some(fault) = self.health.waited() {
            self.say_down(fault, stop).await;
        }
        let turn = self.pacer.until_next(self.channel.pace());
        let wait = self.until_due(&pending).await?.max(turn);
        if self.refuse_canary(&pending, wait, stop).await? {
            return Ok(Some(Duration::ZERO));
        }
        if !wait.is_zero() {
            return Ok(Some(self.health.until_down().map_or(wait, |down| down.min(wait))));
        }
        if more {
            pending = self.waiting(MOST_AT_ONCE).await?.pending;
        }
        let mut job = Job::of(pending, self.shared.clock.now());
        let store = &*self.shared.store;
        let is_new = job
            .word((&self.settings, self.shared.link_key.as_ref()), &*self.channel, store)
            .await?;
        // Something was settled meanwhile: look again.
        if !is_new || store.freeze(&job.deliveries(), &job.batch, &job.body).await? {
            self.tried = Some((Instant::now(), newest));
            self.deliver(job, stop).await;
        }
        Ok(Some(Duration::ZERO))
    }

    /// Returns what waits to be sent, and how long it is until more does that is held back now. What is held back stands in
    /// nobody's way: as much more is looked at as it takes.
    async fn waiting(&self, most: usize) -> Result<Waiting, StoreError> {
        let mut limit = most;
        loop {
            let mut pending = self.shared.store.pending(&self.settings.name, limit).await?;
            let (all, now) = (pending.len(), self.shared.clock.now());
            let taken = self.take_back(&mut pending).await?;
            let first = self.hold_back(&mut pending, now).await?;
            self.choose(&mut pending);
            if !pending.is_empty() || all < limit {
                self.count(&pending, all.saturating_sub(taken)).await?;
                pending.truncate(most);
                let wait = |at: Timestamp| u64::try_from(at.since(now)).unwrap_or(0).max(1);
                let held = first.map(|at| Duration::from_secs(wait(at)));
                return Ok(Waiting { pending, held, more: all >= limit });
            }
            limit = limit.saturating_mul(4);
        }
    }

    /// Sends a message and records what follows. Cut off by `stop`, it records nothing.
    async fn deliver(&mut self, mut job: Job, stop: &CancellationToken) {
        let Some(verdict) = self.send_pages(&mut job, stop).await else { return };
        let attempt = Attempt {
            batch: &job.batch,
            fixed: job.fixed,
            streak: self.streak,
            now: self.shared.clock.now(),
            fraction: self.shared.random.fraction(),
        };
        let decision = match &verdict {
            Ok(_) => attempt.delivered(),
            Err(error) => attempt.failed(error),
        };
        if let (true, Err(error)) = (job.is_canary(), &verdict) {
            return self.canary_failed(&job, (error, decision.pause), stop).await;
        }
        let said = self.observe(&verdict, &decision);
        self.judge(&verdict, &decision, stop).await;
        self.streak = decision.streak;
        self.retry_at = verdict.is_err().then(|| Instant::now() + decision.wait);
        if let Some(pause) = decision.pause {
            self.pacer.close(pause);
        }
        self.record((&job.batch.id, said.as_ref()), &decision.update, stop).await;
        self.given_up_counted = false;
        self.note_daily(&job, &decision.update);
        if let Ok(receipt) = &verdict {
            self.canary_arrived(&job, receipt, stop).await;
        }
    }

    /// Sends the pages that were not sent yet, up to the first that fails; `None` when `stop` cut it off.
    async fn send_pages(
        &mut self,
        job: &mut Job,
        stop: &CancellationToken,
    ) -> Option<Result<Receipt, SendError>> {
        let bodies = std::mem::take(&mut job.body.pages);
        if bodies.is_empty() {
            return Some(Err(panicked()));
        }
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                () = self.pacer.turn(self.channel.pace()) => {}
            }
            let index = usize::try_from(job.batch.pages).unwrap_or(usize::MAX);
            // Where that page is not there any more, nothing is left to deliver.
            let Some(page) = Page::of(&job.batch.id, &bodies, index) else {
                return Some(Ok(Receipt::default()));
            };
            let verdict = self.attempt(page, stop).await?;
            if verdict.is_err() || index.saturating_add(1) >= bodies.len() {
                return Some(verdict);
            }
            job.batch.pages += 1;
            self.record((&job.batch.id, None), &BatchUpdate::Retry(job.batch.clone()), stop).await;
        }
    }

    /// Sends once; `None` when `stop` cut it off. A panic costs this attempt and nothing else.
    pub(super) async fn attempt(
        &self,
        page: Page<'_>,
        stop: &CancellationToken,
    ) -> Option<Result<Receipt, SendError>> {
        let send = AssertUnwindSafe(self.channel.send_page(page)).catch_unwind();
        let cut_off = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let verdict = tokio::select! {
            biased;
            verdict = tokio::time::timeout(SEND_LIMIT, send) => verdict,
            () = cut_off => return None,
        };
        Some(match verdict {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Err(panicked()),
            Err(_) => Err(SendError::Ambiguous { code: "no answer in time".to_owned() }),
        })
    }

    /// Takes what an attempt shows of the channel's health, and notifies the others of what they have to know. Reported
    /// before it is recorded: twice is better than never, and has the same id.
    async fn judge(
        &mut self,
        verdict: &Result<Receipt, SendError>,
        decision: &Decision,
        stop: &CancellationToken,
    ) {
        let now = self.shared.clock.now();
        match verdict {
            Ok(_) if self.health.delivered(now) => {
                self.report(Report::Up { channel: self.settings.name.clone() }, stop).await;
            }
            Ok(_) => {}
            Err(error) => {
                if let Some(fault) = self.health.failed(error, now) {
                    self.say_down(fault, stop).await;
                }
            }
        }
        if let BatchUpdate::Dead { at, code } = &decision.update
            && self.health.gave_up(code, *at)
        {
            self.say_given_up(*at, code.clone(), stop).await;
        }
        self.show_health();
    }

    pub(super) fn show_health(&self) {
        self.shared.watcher.up(&self.settings.name, self.health.is_up());
    }

    async fn say_down(&self, fault: Fault, stop: &CancellationToken) {
        let channel = self.settings.name.clone();
        let since = self.health.since().unwrap_or_else(|| self.shared.clock.now());
        let Fault { code, hint } = fault;
        self.report(Report::Down { channel, code, hint, since }, stop).await;
    }

    async fn say_given_up(&self, at: Timestamp, code: String, stop: &CancellationToken) {
        self.report(Report::Dead { channel: self.settings.name.clone(), code, at }, stop).await;
    }

    pub(super) async fn report(&self, report: Report, stop: &CancellationToken) {
        tokio::select! {
            biased;
            sent = self.shared.reports.send(report) => {
                if sent.is_err() {
                    tracing::debug!("nobody listens to the reports of channels any more");
                }
            }
            () = stop.cancelled() => {}
        }
    }

    /// Puts what was given up a day ago back into the outbox, where it is still true.
    async fn say_again(&self) -> Result<(), StoreError> {
        if self.health.given_up().is_some() && self.clock_is_trusted() {
            let now = self.shared.clock.now();
            self.shared.store.say_again(&self.settings.name, now.plus(-SAY_AGAIN), now).await?;
        }
        Ok(())
    }

    /// Records what follows, for as long as the store takes: a delivery that is not recorded would be repeated.
    pub(super) async fn record(
        &mut self,
        (batch, verdict): (&str, Option<&Verdict>),
        update: &BatchUpdate,
        stop: &CancellationToken,
    ) {
        let state = self.state();
        loop {
            let batch = (self.settings.name.as_str(), batch);
            let judged = self.shared.store.judge(batch, update, &state, verdict);
            let Err(error) = judged.await else { return };
            let pause = self.store_trouble(&error);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Returns what is kept of the channel's health.
    pub(super) fn state(&self) -> ChannelState {
        let closed = self.pacer.until_next(self.channel.pace());
        let gate =
            (closed > self.channel.pace().gap).then(|| later(self.shared.clock.now(), closed));
        self.health.state(gate)
    }

    /// Counts the outcome, and logs it when it differs from the last one. Answers with what is to be written down of it: how
    /// a message ended, and what is new about one that goes on.
    fn observe(
        &mut self,
        verdict: &Result<Receipt, SendError>,
        decision: &Decision,
    ) -> Option<Verdict> {
        let (channel, watcher) = (&self.settings.name, &self.shared.watcher);
        let outcome = verdict.as_ref().map_or_else(SendError::outcome, |_| DELIVERED);
        let code = verdict.as_ref().map_or_else(SendError::code, |_| "");
        watcher.notification(channel, outcome);
        match &decision.update {
            BatchUpdate::Delivered { at } => watcher.delivered(channel, *at),
            BatchUpdate::Retry(_) | BatchUpdate::Released => {}
            BatchUpdate::Dead { .. } => {
                watcher.notification(channel, DEAD);
                tracing::error!(%channel, code, "a message was given up; `notafter outbox list` shows it");
            }
        }
        let said = format!("{outcome} {code}");
        let is_new = self.logged.as_ref() != Some(&said);
        if is_new {
            match verdict {
                Ok(_) if self.logged.is_some() => {
                    tracing::info!(%channel, "messages are delivered again");
                }
                Ok(_) => tracing::debug!(%channel, "messages are delivered"),
                Err(_) => tracing::warn!(%channel, outcome, code, "a message was not delivered"),
            }
            self.logged = Some(said);
        }
        let ends = !matches!(decision.update, BatchUpdate::Retry(_) | BatchUpdate::Released);
        (is_new || ends).then(|| self.verdict(outcome, code, decision))
    }

    fn verdict(&self, outcome: &str, code: &str, decision: &Decision) -> Verdict {
        let is_dead = matches!(decision.update, BatchUpdate::Dead { .. });
        Verdict {
            at: self.shared.clock.now(),
            outcome: if is_dead { DEAD } else { outcome }.to_owned(),
            code: Some(code.to_owned()).filter(|code| !code.is_empty()),
        }
    }

    /// Logs the first failure of the store in a row, and returns when to ask it again.
    fn store_trouble(&mut self, error: &StoreError) -> Duration {
        if !self.store_failed {
            tracing::error!(channel = %self.settings.name, %error, "the outbox cannot use the store; it tries again");
        }
        self.store_failed = true;
        STORE_PAUSE
    }

    /// Sleeps until the pause is over, something is committed, or `stop`.
    async fn wait(&mut self, pause: Option<Duration>, stop: &CancellationToken) {
        let over = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause.min(LONGEST_SLEEP)).await,
                None => std::future::pending().await,
            }
        };
        let turned = async {
            if self.shared.clock_trusted.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let committed = async {
            if self.shared.commits.changed().await.is_err() {
                // The pipeline has ended; what is left is still delivered.
                std::future::pending::<()>().await;
            }
        };
        let asked = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            asked = self.trials.next() => Some(asked),
            () = over => None,
            () = turned => None,
            () = committed => None,
        };
        if let Some(answer) = asked {
            self.test(answer, stop).await;
        }
    }
}
