//! One channel's worker: gather, freeze, send, record.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pace::Pacer;
use super::policy::{Attempt, Decision, LONGEST_WAIT, Streak};
use super::{DEAD, DELIVERED, Report, Settings, Shared};
use crate::channel::{Channel, Receipt, SendError};
use crate::expiry::{Detail, Event, Message, Timestamp};
use crate::store::{Batch, BatchUpdate, ChannelState, Pending, StoreError};

/// The most events in one message; more are told in the next.
const MOST_EVENTS: usize = 5000;
/// How long an event that is for the digest only waits for others.
const DIGEST_WAIT: Duration = Duration::from_hours(24);
/// No channel takes longer, with its own timeouts: this is the net under a channel that hangs.
const SEND_LIMIT: Duration = Duration::from_mins(10);
/// The time that a message in flight gets when the process is asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// The wait before a store that failed is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(5);
/// The longest sleep before the wall clock is looked at again: it may jump, and a machine may be suspended.
const LONGEST_SLEEP: Duration = Duration::from_mins(5);

/// Delivers the events of one channel.
pub struct Worker {
    settings: Settings,
    shared: Shared,
    channel: Arc<dyn Channel>,
    pacer: Arc<Pacer>,
    state: ChannelState,
    /// The batch in hand, and what happened to it in this process.
    current: Option<String>,
    streak: Streak,
    /// Whether the batch in hand may have been delivered before.
    duplicate: bool,
    /// The event that the others wait with and since when: it is not held longer than is right, whatever the wall clock
    /// says.
    oldest: Option<(i64, Instant)>,
    /// The times that are waited for, and until when at the latest: a wait is as long as it was made, whatever the wall
    /// clock is set to.
    waits: BTreeMap<Timestamp, Instant>,
    /// Since when they are waited for, one after the other.
    waiting_since: Option<Instant>,
    /// The outcome and code that were logged last.
    logged: Option<String>,
    store_failed: bool,
}

/// Returns when an event began to wait. One that is for the digest only does so on purpose at first.
fn due(event: &Event) -> Timestamp {
    let wait = i64::try_from(DIGEST_WAIT.as_secs()).unwrap_or(i64::MAX);
    event.at.plus(if event.is_for_the_digest() { wait } else { 0 })
}

/// A batch and what is in it.
struct Job {
    batch: Batch,
    members: Vec<Pending>,
}

impl Worker {
    /// Returns a worker that delivers through `channel`.
    pub fn new(settings: Settings, channel: Arc<dyn Channel>, shared: Shared) -> Self {
        Self {
            pacer: shared.pacers.of(channel.destination()),
            settings,
            shared,
            channel,
            state: ChannelState::default(),
            current: None,
            streak: Streak::default(),
            duplicate: false,
            oldest: None,
            waits: BTreeMap::new(),
            waiting_since: None,
            logged: None,
            store_failed: false,
        }
    }

    /// Delivers until `stop`. A message in flight then gets a short time to be finished and recorded.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Err(error) = self.restore().await {
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

    async fn restore(&mut self) -> Result<(), StoreError> {
        self.state = self.shared.store.channel_state(&self.settings.name).await?;
        if self.settings.retest && self.state.down.is_some() {
            self.state.gate_until = None;
        }
        self.shared.watcher.up(&self.settings.name, self.state.down.is_none());
        if let Some(at) = self.state.last_success {
            self.shared.watcher.delivered(&self.settings.name, at);
        }
        Ok(())
    }

    /// Does what is due, and returns how long nothing will be; `None`: until something is committed.
    async fn step(&mut self, stop: &CancellationToken) -> Result<Option<Duration>, StoreError> {
        let gate = self.state.gate_until;
        if let Some(wait) = gate.and_then(|until| self.until(until)) {
            self.count_backlog().await?;
            return Ok(Some(wait));
        }
        let pending = self.shared.store.pending(&self.settings.name, MOST_EVENTS).await?;
        self.count(&pending).await?;
        let Some(first) = pending.first() else { return Ok(None) };
        let frozen = pending.iter().find_map(|pending| pending.batch.clone());
        let due = match &frozen {
            Some(batch) => self.until(batch.next_at),
            None => self.gather(first, &pending),
        };
        let next_turn =
            Some(self.pacer.until_next(self.channel.pace())).filter(|wait| !wait.is_zero());
        if let Some(wait) = due.or(next_turn) {
            return Ok(Some(wait));
        }
        let job = match frozen {
            Some(batch) => self.resume(batch, pending),
            None => self.freeze(pending).await?,
        };
        self.deliver(job, stop).await;
        Ok(Some(Duration::ZERO))
    }

    /// Takes up a batch that was frozen before, perhaps by an earlier process.
    fn resume(&mut self, batch: Batch, pending: Vec<Pending>) -> Job {
        if self.current.as_deref() != Some(&batch.id) {
            self.current = Some(batch.id.clone());
            self.streak = Streak::default();
            // The earlier process may have been killed between the send and its record.
            self.duplicate = true;
        }
        let belongs =
            |pending: &Pending| pending.batch.as_ref().is_some_and(|other| other.id == batch.id);
        Job { members: pending.into_iter().filter(belongs).collect(), batch }
    }

    /// Freezes everything that waits into one batch. A single event lends it its id.
    async fn freeze(&mut self, members: Vec<Pending>) -> Result<Job, StoreError> {
        let id = match members.as_slice() {
            [only] => only.event.id.clone(),
            _ => self.shared.random.uuid(self.shared.clock.millis()).to_string(),
        };
        let batch = Batch {
            id,
            attempts: 0,
            detail: Detail::Full.index(),
            next_at: self.shared.clock.now(),
        };
        let deliveries: Vec<i64> = members.iter().map(|pending| pending.delivery).collect();
        self.shared.store.freeze(&deliveries, &batch).await?;
        self.current = Some(batch.id.clone());
        (self.streak, self.duplicate) = (Streak::default(), false);
        Ok(Job { batch, members })
    }

    /// Makes one attempt and records what follows from it. Cut off by `stop`, it records nothing.
    async fn deliver(&mut self, job: Job, stop: &CancellationToken) {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = self.pacer.turn(self.channel.pace()) => {}
        }
        let message = self.compose(&job);
        let Some(verdict) = self.attempt(&message, stop).await else { return };
        let attempt = Attempt {
            batch: &job.batch,
            state: &self.state,
            streak: self.streak,
            newest: job.members.iter().map(|pending| pending.event.at).max().unwrap_or(message.at),
            now: self.shared.clock.now(),
            fraction: self.shared.random.fraction(),
        };
        let decision = match &verdict {
            Ok(_) => attempt.delivered(),
            Err(error) => attempt.failed(error),
        };
        self.observe(&verdict, &decision);
        self.report(verdict.as_ref().err(), &decision, stop).await;
        self.settle(&job.batch.id, &decision, stop).await;
        if let Some(pause) = decision.pause {
            self.pacer.close(pause);
        }
        self.duplicate |= decision.streak.ambiguous;
        (self.state, self.streak) = (decision.state, decision.streak);
        self.waits.clear();
        self.waiting_since = None;
    }

    fn compose(&self, job: &Job) -> Message {
        let events = job.members.iter().map(|pending| pending.event.clone()).collect();
        let external_url = self.settings.external_url.as_deref();
        let now = self.shared.clock.now();
        let mut message = Message::compose(
            job.batch.id.clone(),
            now,
            self.settings.language,
            events,
            external_url,
        );
        message.detail = Detail::from_index(job.batch.detail);
        if self.duplicate {
            message.mark_possible_duplicate();
        }
        message
    }

    /// Sends once; `None` when `stop` cut it off. A panic costs this attempt and nothing else.
    async fn attempt(
        &self,
        message: &Message,
        stop: &CancellationToken,
    ) -> Option<Result<Receipt, SendError>> {
        let send = AssertUnwindSafe(self.channel.send(message)).catch_unwind();
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
            Ok(Err(_)) => {
                Err(SendError::Retry { after: None, code: format!("{}panic", SendError::UNKNOWN) })
            }
            Err(_) => Err(SendError::Ambiguous { code: "no answer in time".to_owned() }),
        })
    }

    /// Counts the outcome, and logs it when it differs from the last one.
    fn observe(&mut self, verdict: &Result<Receipt, SendError>, decision: &Decision) {
        let (channel, watcher) = (&self.settings.name, &self.shared.watcher);
        let outcome = verdict.as_ref().map_or_else(SendError::outcome, |_| DELIVERED);
        let code = verdict.as_ref().map_or_else(SendError::code, |_| "");
        watcher.notification(channel, outcome);
        match &decision.update {
            BatchUpdate::Delivered { at } => watcher.delivered(channel, *at),
            BatchUpdate::Retry(_) => {}
            BatchUpdate::Dead { .. } => {
                watcher.notification(channel, DEAD);
                tracing::error!(%channel, code, "a message was given up; `notafter outbox list` shows it");
            }
        }
        let said = format!("{outcome} {code}");
        if self.logged.as_ref() != Some(&said) {
            match verdict {
                Ok(_) if self.logged.is_some() => {
                    tracing::info!(%channel, "messages are delivered again");
                }
                Ok(_) => tracing::debug!(%channel, "messages are delivered"),
                Err(_) => tracing::warn!(%channel, outcome, code, "a message was not delivered"),
            }
            self.logged = Some(said);
        }
    }

    /// Says when the channel went down or came up. Said before it is recorded: twice is better than never.
    async fn report(
        &self,
        error: Option<&SendError>,
        decision: &Decision,
        stop: &CancellationToken,
    ) {
        let channel = self.settings.name.clone();
        let report = match (&self.state.down, &decision.state.down, error) {
            (None, Some(code), Some(SendError::ChannelDown { hint, .. })) => {
                Report::Down { channel, code: code.clone(), hint: hint.clone() }
            }
            (Some(_), None, _) => Report::Up { channel },
            _ => return,
        };
        self.shared.watcher.up(&self.settings.name, matches!(report, Report::Up { .. }));
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

    /// Records what follows, for as long as the store takes: a delivery that is not recorded would be repeated.
    async fn settle(&mut self, batch: &str, decision: &Decision, stop: &CancellationToken) {
        loop {
            let settled = self.shared.store.settle(
                &self.settings.name,
                batch,
                &decision.update,
                &decision.state,
            );
            let Err(error) = settled.await else { return };
            let pause = self.store_trouble(&error);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
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

    async fn count(&self, pending: &[Pending]) -> Result<(), StoreError> {
        if pending.len() >= MOST_EVENTS {
            return self.count_backlog().await;
        }
        let now = self.shared.clock.now();
        let oldest =
            pending.iter().map(|pending| due(&pending.event)).filter(|due| *due <= now).min();
        let count = u64::try_from(pending.len()).unwrap_or(u64::MAX);
        self.shared.watcher.pending(&self.settings.name, count, oldest);
        Ok(())
    }

    async fn count_backlog(&self) -> Result<(), StoreError> {
        let backlog = self.shared.store.backlog().await?;
        let own = backlog.into_iter().find(|(channel, _, _)| *channel == self.settings.name);
        let (count, oldest) = own.map_or((0, None), |(_, count, oldest)| (count, Some(oldest)));
        self.shared.watcher.pending(&self.settings.name, count, oldest);
        Ok(())
    }

    /// Returns how much longer events wait for others, if they do. Those that are for the digest only wait until there
    /// is something else to say, and for a day at most; with more of them than fit, others may be behind them.
    fn gather(&mut self, first: &Pending, pending: &[Pending]) -> Option<Duration> {
        match pending.iter().find(|pending| !pending.event.is_for_the_digest()) {
            Some(oldest) => self.left(oldest, self.settings.group_wait),
            None if pending.len() < MOST_EVENTS => self.left(first, DIGEST_WAIT),
            None => self.left(first, self.settings.group_wait),
        }
    }

    /// Returns what is left of the time that an event waits for others.
    fn left(&mut self, oldest: &Pending, wait: Duration) -> Option<Duration> {
        let seen = match self.oldest {
            Some((delivery, seen)) if delivery == oldest.delivery => seen,
            _ => self.oldest.insert((oldest.delivery, Instant::now())).1,
        };
        let waited = Duration::from_millis(
            u64::try_from(
                self.shared
                    .clock
                    .millis()
                    .saturating_sub(oldest.event.at.seconds().saturating_mul(1000)),
            )
            .unwrap_or(0),
        );
        let left = wait.saturating_sub(waited.max(seen.elapsed()));
        Some(left).filter(|left| !left.is_zero())
    }

    /// Returns how long it is until `time`, if it is still to come.
    fn until(&mut self, time: Timestamp) -> Option<Duration> {
        let millis = time.seconds().saturating_mul(1000).saturating_sub(self.shared.clock.millis());
        let left = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        let now = Instant::now();
        let longest = *self.waiting_since.get_or_insert(now) + LONGEST_WAIT;
        let latest = *self.waits.entry(time).or_insert_with(|| (now + left).min(longest));
        Some(left.min(latest - now)).filter(|left| !left.is_zero())
    }

    /// Sleeps until the pause is over, something is committed, or `stop`.
    async fn wait(&mut self, pause: Option<Duration>, stop: &CancellationToken) {
        let over = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause.min(LONGEST_SLEEP)).await,
                None => std::future::pending().await,
            }
        };
        let committed = async {
            if self.shared.commits.changed().await.is_err() {
                // The pipeline has ended; what is left is still delivered.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = over => {}
            () = committed => {}
        }
    }
}
