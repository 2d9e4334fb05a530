//! The only writer: apply → evaluate → plan → commit → publish.
//!
//! Everything that changes what is known comes in as a message and is dealt with in turn. Readers get immutable
//! views. One transaction holds inventory changes, ledger and outbox, so that a crash at any moment loses nothing
//! and notifies nothing twice.
//!
//! Reading order: `apply` (what the events of a scan do), `places` (what a look at places does), `endpoints` (or at what is
//! served there) and `scopes` (what becomes of a scope that is not listed), `source_status` (how every source is doing),
//! `poll_counts` (what the log says of a poll), `decide` (what is notified), `authorities` (once for
//! all places of a CA), `deployment` (what is served and should not be), `bound` (where providers use what may be
//! replaced), `reminders` (what is said again), `ahead` (what will hurt later), `renewal_counts` (how many are renewed in a month), `digest` (how everything stands, once a day), `snoozes` with `quiet` (what is not said for a while),
//! `renewed` (which alerts something new may have ended), `missed` (which are about what was not found), `ended` (which are
//! over), `open` (what is open when channels change), `orders` (what an
//! operator does about messages), `canary` (what is only there to be seen to arrive) and `self_checks` (what is wrong with the daemon itself), `draft` (the
//! commit being written), `audit` (what is written down of what happens), `standing` (how one
//! certificate stands), `commit` (how it becomes durable and is shown), `due` (when the pipeline turns by itself).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::catalog::StandingRequest;
use crate::channel::CanaryRequest;
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::expiry::{
    Absence, DailyDigest, Evaluator, Inventory, Ledger, Looked, RefusedWish, Reminders, Renewing,
    RowId, ScopeId, Snooze, Snoozes, StoredRow, Timestamp, Undeployed, View, Wish,
};
use crate::metrics::{DaemonMetrics, Exposition};
use crate::scan::{ScanEvent, SourceStatus};
use crate::store::{Audited, OutboxRequest, Saved, Store, StoreError};

mod ahead;
mod apply;
mod audit;
mod authorities;
mod bound;
mod canary;
mod commit;
mod completion;
mod decide;
mod digest;
mod draft;
mod due;
mod places;
mod endpoints;
mod deployment;
mod ended;
mod missed;
mod open;
mod orders;
mod poll_counts;
mod quiet;
mod reminders;
mod renewal_counts;
mod renewed;
mod scopes;
mod self_checks;
mod snoozes;
mod source_status;
mod standing;
mod window_key;
#[cfg(test)]
mod tests;

pub use source_status::last_reads;

use ahead::Foresight;
use canary::Canary;
use commit::{Saver, Witness};
use digest::Bell;
use draft::Draft;
use due::Due;
use open::Channels;
use poll_counts::PollCounts;
use quiet::Quiet;
use self_checks::{Moment, SelfChecks};
use source_status::SourceStatuses;

/// A source as the pipeline has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Seconds between two polls, by window.
    pub intervals: Vec<(&'static str, i64)>,
    /// The scopes that the configuration names, where it names them.
    pub scopes: Option<Vec<Arc<str>>>,
    /// Whether its places are endpoints: what it sees at one is what is served there.
    pub serves: bool,
    /// Whether its provider can say where it uses what it lists.
    pub tells_use: bool,
}

impl Watched {
    fn holds(&self, source: &str, scope: &str) -> bool {
        let named = |scopes: &Vec<Arc<str>>| scopes.iter().any(|one| **one == *scope);
        self.name == source && self.scopes.as_ref().is_none_or(named)
    }
}

/// What the configuration says about sources, routes and rungs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration.
    pub config: Arc<Config>,
    /// The sources.
    pub watched: Vec<Watched>,
}

/// A channel's health changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It cannot deliver.
    Down {
        /// The service's word for it.
        code: String,
        /// What to do.
        hint: String,
        /// The first attempt without a delivery.
        since: Timestamp,
    },
    /// It delivers again.
    Up,
    /// A message to it was given up.
    GaveUp {
        /// The service's word for it.
        code: String,
        /// When.
        at: Timestamp,
    },
}

/// What can be asked of the pipeline, besides taking the events of scans.
#[derive(Debug)]
pub enum Command {
    /// The configuration changed; the ledger stays as it is.
    Reconfigure(Box<Settings>),
    /// A channel's health changed.
    Channel(String, Health),
    /// Somebody decided about a message.
    Order(OutboxRequest),
    /// Somebody wishes for quiet.
    Snooze(Box<Wish>, oneshot::Sender<Result<Snooze, RefusedWish>>),
    /// Somebody wants the snooze with this id to end.
    EndSnooze(String, oneshot::Sender<Option<Snooze>>),
    /// Somebody asks how a certificate stands.
    Standing(StandingRequest),
    /// Somebody wants a canary to go the whole way.
    Canary(CanaryRequest),
    /// A channel says what became of the canary with this event.
    CanaryTold {
        /// The channel.
        channel: String,
        /// The id of the event.
        event: String,
        /// What was done, or why it was not.
        verdict: Result<String, String>,
    },
    /// Somebody asks what the daily digest would say now, and when it is due.
    Digest(oneshot::Sender<(Option<Timestamp>, DailyDigest)>),
}

/// Where the pipeline's messages come from.
#[derive(Debug)]
pub struct Inbox {
    /// The events of scans.
    pub events: mpsc::Receiver<(Arc<str>, ScanEvent)>,
    /// Everything else.
    pub commands: mpsc::Receiver<Command>,
}

/// Where the pipeline's results go.
pub struct Outputs {
    /// The newest saved state of the inventory.
    pub view: watch::Sender<Arc<View>>,
    /// What scrapes are made with: it has the sums of a state before readers see the state.
    pub exposition: Arc<Exposition>,
    /// The state of every source.
    pub sources: watch::Sender<Arc<Vec<SourceStatus>>>,
    /// Counts transactions that put something into the outbox.
    pub outbox: watch::Sender<u64>,
    /// What is snoozed.
    pub snoozes: watch::Sender<Arc<Snoozes>>,
    /// Whether the store takes what is written.
    pub writable: watch::Sender<bool>,
    /// Whether the machine's clock is trusted. It is not before it was looked at.
    pub clock_trusted: watch::Sender<bool>,
    /// The event of the canary that is on its way.
    pub canary: watch::Sender<Option<String>>,
    /// What keeps the daemon from being well, in words.
    pub troubles: watch::Sender<Arc<Vec<String>>>,
    /// When the pipeline last turned round, or said that it waits for the store, for the watchdog.
    pub pulse: watch::Sender<Instant>,
}

/// What the pipeline works with.
#[derive(Clone)]
pub struct Parts {
    /// What survives a restart.
    pub store: Arc<dyn Store>,
    /// The daemon's own metrics.
    pub metrics: Arc<DaemonMetrics>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub random: Arc<dyn Random>,
}

/// The only writer.
pub struct Pipeline {
    parts: Parts,
    settings: Settings,
    outputs: Outputs,
    inventory: Inventory,
    absence: Absence,
    sources: SourceStatuses,
    polls: PollCounts,
    evaluator: Evaluator,
    ledger: Ledger,
    renewing: Renewing,
    reminders: Reminders,
    foresight: Foresight,
    quiet: Quiet,
    bell: Bell,
    /// Certificates that were not found, and of whose alerts nothing is said meanwhile.
    missed: BTreeSet<RowId>,
    checks: SelfChecks,
    draft: Draft,
    saver: Saver,
    due: Due,
    channels: Channels,
    /// What is only there to be seen to arrive.
    canary: Option<Canary>,
    /// The endpoints that were looked at since the start.
    looked: Looked,
    /// What readers see of what is served although a newer one is known.
    undeployed: Arc<Undeployed>,
    /// Whether it is known what every issuer is called that the ladders may ask for.
    issuers_named: bool,
    /// Whether something is not said because the last reading did not find what it is about.
    holds_back: bool,
}

impl Pipeline {
    /// Reads back what the store has. Blocks for as long as the store needs to read every certificate.
    pub async fn restore(
        parts: Parts,
        settings: Settings,
        outputs: Outputs,
    ) -> Result<Self, StoreError> {
        let saved = parts.store.saved().await?;
        let late = parts.store.heard_late().await?;
        let mut inventory = read_back(&*parts.store, &saved).await?;
        bound::restore(&saved.conditions, &mut inventory);
        let checks = SelfChecks::new(&saved, moment(&*parts.clock), parts.clock.earliest());
        let ledger: Ledger = saved.ledger.into_iter().collect();
        let stored = saved.conditions.iter().map(|(key, at)| (key.as_str(), *at));
        let renewing = Renewing::restored(stored, &inventory, &ledger);
        let missed = missed::restored(&saved.conditions, &ledger);
        let mut absence = Absence::default();
        absence.restore_missed(missed::not_found(&missed, &inventory));
        let mut sources = SourceStatuses::new(Arc::clone(&parts.metrics));
        sources.restore(saved.scans);
        let mut pipeline = Self {
            saver: Saver::new(Arc::clone(&parts.store), Witness::new(&parts.metrics, &outputs)),
            evaluator: Evaluator::new(settings.config.alerts.ladders.clone()),
            checks,
            ledger,
            renewing,
            reminders: Reminders::default(),
            foresight: Foresight::restored(saved.renewals),
            quiet: Quiet::restored(saved.snoozes),
            bell: Bell::restored(&saved.conditions),
            missed,
            absence,
            draft: Draft::default(),
            due: Due::default(),
            polls: PollCounts::default(),
            channels: Channels::Unknown,
            canary: None,
            looked: Looked::default(),
            undeployed: Arc::default(),
            issuers_named: false,
            holds_back: false,
            parts,
            settings,
            outputs,
            inventory,
            sources,
        };
        pipeline.started();
        pipeline.follow_settings();
        pipeline.restart_reminders(late);
        pipeline.publish_troubles();
        pipeline.publish_snoozes();
        let view = Arc::new(pipeline.inventory.view());
        pipeline.publish(view);
        Ok(pipeline)
    }

    /// Deals with messages until asked to stop, then saves what is left.
    pub async fn run(mut self, mut inbox: Inbox, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let soonest = || self.next_due().into_iter().chain(self.canary_due()).min();
            let next_turn = self.due.next_turn(Instant::now(), soonest);
            let idle = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(command) = inbox.commands.recv() => { self.handle(command).await?; true }
                Some((source, event)) = inbox.events.recv() => {
                    self.apply(&source, event).await?;
                    self.apply_waiting(&mut inbox.events).await?
                }
                () = tokio::time::sleep_until(next_turn.at) => {
                    if !next_turn.due && self.is_quiet().await? {
                        continue;
                    }
                    true
                }
            };
            self.turn(idle).await?;
        }
        while let Ok((source, event)) = inbox.events.try_recv() {
            self.apply(&source, event).await?;
        }
        self.draft_good_time(true);
        self.happened(Audited::Stop);
        self.save().await?;
        self.settle().await
    }

    /// Takes the events that wait, up to a batch. Answers whether there are none left.
    async fn apply_waiting(
        &mut self,
        events: &mut mpsc::Receiver<(Arc<str>, ScanEvent)>,
    ) -> anyhow::Result<bool> {
        while !self.draft.is_full() {
            match events.try_recv() {
                Ok((source, event)) => self.apply(&source, event).await?,
                Err(_) => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Decides and saves, when it is time.
    async fn turn(&mut self, idle: bool) -> anyhow::Result<()> {
        let now = Instant::now();
        self.outputs.pulse.send_replace(now);
        let due = self.due.begin_turn(now);
        if due {
            self.decide().await?;
            self.check_canary();
        }
        if idle || due || self.draft.is_full() {
            self.save().await?;
        }
        if due && self.draft.has_only_audit() {
            self.save_audit().await?;
        }
        if self.saver.is_writing() {
            self.due.come_back();
        }
        Ok(())
    }

    /// Returns when the next certificate crosses a rung, the next source is stale or the clock is trusted again,
    /// whichever is first.
    fn next_due(&self) -> Option<Instant> {
        let now = self.moment();
        if !self.checks.clock_is_trusted() {
            let held = self.checks.held_for(now.uptime)?;
            return Instant::now().checked_add(held);
        }
        let crossing = self.evaluator.next_crossing(self.inventory.version());
        let stale = self.checks.next_deadline(&self.settings.watched, &self.sources, now);
        let reminder = self.reminders.next();
        let snooze = self.quiet.snoozes().next_end();
        let (digest, ahead) = (self.bell.next(), self.foresight.next());
        let at = [crossing, stale, reminder, snooze, digest, ahead].into_iter().flatten().min()?;
        let millis = at.seconds().saturating_mul(1000).saturating_sub(self.parts.clock.millis());
        let wait = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
        Instant::now().checked_add(wait)
    }

    /// Returns this moment.
    fn moment(&self) -> Moment {
        moment(&*self.parts.clock)
    }

    async fn handle(&mut self, command: Command) -> anyhow::Result<()> {
        match command {
            Command::Reconfigure(settings) => {
                // Everything comes up again: rungs may have moved, and a first channel was notified of nothing yet.
                self.evaluator = Evaluator::new(settings.config.alerts.ladders.clone());
                self.channels = Channels::Changed;
                self.reloaded(&settings.config);
                self.settings = *settings;
                self.follow_settings();
                let late = self.parts.store.heard_late().await?;
                self.restart_reminders(late);
                self.foresight.look_again();
            }
            Command::Channel(channel, health) => self.channel_changed(channel, health),
            Command::Order(request) => self.order(request).await,
            Command::Snooze(wish, answer) => self.snooze(*wish, answer).await?,
            Command::EndSnooze(id, answer) => self.end_snooze(&id, answer).await?,
            Command::Standing(request) => self.tell_standing(request),
            Command::Canary(request) => self.begin_canary(request).await?,
            Command::CanaryTold { channel, event, verdict } => {
                self.canary_told(channel, &event, verdict);
            }
            Command::Digest(answer) => self.tell_daily(answer).await?,
        }
        Ok(())
    }

    /// Drops what belongs to sources and channels that are not configured any more; nothing is reported of it.
    fn follow_settings(&mut self) {
        self.drop_unwatched_scopes();
        self.sources.follow(&self.settings.watched);
        self.foresight.follow(&self.settings.watched);
        let watched = &self.settings.watched;
        self.polls.retain(|name| watched.iter().any(|source| source.name == name));
        let serving = watched.iter().filter(|source| source.serves);
        self.inventory.serve(serving.map(|source| source.name.as_str()));
        self.looked.retain(|name| watched.iter().any(|one| one.serves && one.name == name));
        for condition in self.checks.follow(&self.settings, self.parts.clock.now()) {
            self.draft.condition(condition.key(), None);
        }
        let watch = self.checks.take_watch_changes();
        for (key, at) in watch.into_iter().chain(self.checks.take_failing_changes()) {
            self.draft.condition(key, at);
        }
        self.follow_digest();
        self.publish_sources();
    }
}

fn moment(clock: &dyn Clock) -> Moment {
    Moment { wall: clock.now(), uptime: clock.uptime() }
}

/// Returns what a store knows, for who looks at it without a daemon. `serving` are the sources whose places are endpoints.
pub async fn known<'a>(
    store: &dyn Store,
    serving: impl Iterator<Item = &'a str>,
) -> Result<View, StoreError> {
    let saved = store.saved().await?;
    let mut inventory = read_back(store, &saved).await?;
    bound::restore(&saved.conditions, &mut inventory);
    inventory.serve(serving);
    let undeployed = inventory.undeployed();
    Ok(inventory.view().with_undeployed(undeployed))
}

/// Reads every certificate into an inventory.
async fn read_back(store: &dyn Store, saved: &Saved) -> Result<Inventory, StoreError> {
    let mut inventory = Inventory::new();
    for (id, source, scope) in &saved.scopes {
        inventory.restore_scope(*id, source, scope);
    }
    let mut damaged = 0_u64;
    let mut keep = |rows: Vec<(ScopeId, StoredRow)>| {
        for (scope, row) in rows {
            damaged += u64::from(!inventory.restore(scope, row));
        }
    };
    store.rows(&mut keep).await?;
    if damaged > 0 {
        tracing::error!(
            damaged,
            "stored certificates contradict each other and were left out; the next scans read them again"
        );
    }
    Ok(inventory)
}
