//! The only writer: apply → evaluate → plan → commit → publish.
//!
//! Everything that changes what is known comes in as a message and is dealt with in turn. Readers get immutable
//! views. One transaction holds inventory changes, ledger and outbox, so that a crash at any moment loses nothing
//! and says nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::client::ClockOffset;
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::expiry::{
    Absence, Applied, Conditions, Evaluator, Inventory, Ledger, RowId, ScopeId, Status, StoredRow,
    Timestamp, View,
};
use crate::metrics::{DaemonMetrics, Exposition};
use crate::scan::{LastRead, ScanEvent, SourceStatus};
use crate::store::{Commit, Saved, ScanRecord, Store, StoreError};

mod decide;
mod facts;
mod listing;
mod sanity;
mod save;
mod apply;
#[cfg(test)]
mod tests;

use listing::Listing;
use sanity::Sanity;
use save::Saver;

/// Rows in one transaction while a scan floods in.
const BATCH: usize = 8192;

/// Least time between two evaluations while changes flood in.
const EVALUATE_EVERY: Duration = Duration::from_secs(1);

/// How often the pipeline looks at the clock by itself.
const TICK: Duration = Duration::from_secs(1);

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
    },
    /// It delivers again.
    Up,
}

/// What can be asked of the pipeline, besides taking the events of scans.
#[derive(Debug)]
pub enum Command {
    /// The configuration changed; the ledger stays as it is.
    Reconfigure(Box<Settings>),
    /// A channel's health changed.
    Channel(String, Health),
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
    /// When the pipeline last turned round, for the watchdog.
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
    /// The ids of events.
    pub random: Arc<dyn Random>,
}

/// The only writer.
pub struct Pipeline {
    parts: Parts,
    settings: Settings,
    outputs: Outputs,
    inventory: Inventory,
    evaluator: Evaluator,
    ledger: Ledger,
    conditions: Conditions,
    absence: Absence,
    sanity: Sanity,
    /// Whether the clock was found good at the last decision.
    trusted: bool,
    scans: BTreeMap<(String, String, String), ScanRecord>,
    statuses: BTreeMap<String, SourceStatus>,
    /// The clock of each provider as the last poll showed it.
    offsets: BTreeMap<String, ClockOffset>,
    /// Certificates that the last scan of each part counted or knew and did not see.
    missing: BTreeMap<(String, String, String), u64>,
    /// Which scopes the polls list, and how their parts were judged since the start.
    listing: Listing,
    /// What the next transaction will hold.
    draft: Commit,
    /// Changes since the last decision that may end an open alert.
    applied: Vec<Applied>,
    /// Certificates whose status changed because others were removed, since the last decision.
    restated: Vec<(RowId, Status)>,
    saver: Saver,
    started: Timestamp,
    evaluated: Option<Instant>,
    /// Whether something changed that readers do not see yet.
    changed: bool,
}

impl Pipeline {
    /// Reads back what the store has. Blocks for as long as the store needs to read every certificate.
    pub async fn restore(
        parts: Parts,
        settings: Settings,
        outputs: Outputs,
    ) -> Result<Self, StoreError> {
        let saved = parts.store.saved().await?;
        let inventory = read_back(&*parts.store, &saved).await?;
        let mut ledger = Ledger::default();
        for (row, said) in saved.ledger {
            ledger.set(row, said);
        }
        let mut conditions = Conditions::default();
        for (key, at) in &saved.conditions {
            if !conditions.restore(key, *at) {
                tracing::warn!(key, "a stored condition of another version is ignored");
            }
        }
        let started = parts.clock.now();
        let evaluator = Evaluator::new(settings.config.alerts.ladder.clone());
        let mut pipeline = Self {
            saver: Saver::new(Arc::clone(&parts.store)),
            parts,
            outputs,
            inventory,
            evaluator,
            ledger,
            conditions,
            absence: Absence::default(),
            sanity: Sanity::new(),
            trusted: false,
            scans: BTreeMap::new(),
            statuses: BTreeMap::new(),
            offsets: BTreeMap::new(),
            missing: BTreeMap::new(),
            listing: Listing::default(),
            draft: Commit::default(),
            applied: Vec::new(),
            restated: Vec::new(),
            started,
            evaluated: None,
            changed: false,
            settings,
        };
        for scan in saved.scans {
            pipeline.remember(scan);
        }
        pipeline.follow_settings();
        let view = Arc::new(pipeline.inventory.view());
        pipeline.publish(view);
        Ok(pipeline)
    }

    /// Deals with messages until told to stop, then saves what is left.
    pub async fn run(mut self, mut inbox: Inbox, stop: CancellationToken) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let idle = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(command) = inbox.commands.recv() => { self.handle(command); true }
                Some((source, news)) = inbox.events.recv() => {
                    self.apply(&source, news).await?;
                    self.apply_waiting(&mut inbox.events).await?
                }
                _ = ticks.tick() => true,
            };
            self.turn(idle).await?;
        }
        while let Ok((source, event)) = inbox.events.try_recv() {
            self.apply(&source, event).await?;
        }
        self.save().await?;
        self.saver.finish().await.map(|_| ()).map_err(Into::into)
    }

    /// Takes the events that wait, up to a batch. Answers whether there are none left.
    async fn apply_waiting(
        &mut self,
        events: &mut mpsc::Receiver<(Arc<str>, ScanEvent)>,
    ) -> anyhow::Result<bool> {
        while !self.draft_is_full() {
            match events.try_recv() {
                Ok((source, event)) => self.apply(&source, event).await?,
                Err(_) => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Decides and saves, when it is time.
    async fn turn(&mut self, idle: bool) -> anyhow::Result<()> {
        self.outputs.pulse.send_replace(Instant::now());
        let due = self.evaluated.is_none_or(|last| last.elapsed() >= EVALUATE_EVERY);
        if due {
            self.evaluated = Some(Instant::now());
            self.decide().await?;
        }
        if idle || due || self.draft_is_full() {
            self.save().await?;
        }
        Ok(())
    }

    /// Hands the draft to the store, and publishes what it wrote of the one before.
    ///
    /// A change that ends an alert is saved together with what is said of it: nobody would see it change again.
    async fn save(&mut self) -> anyhow::Result<()> {
        self.settle().await?;
        if self.draft_is_empty() {
            // What was handed over before is published now, and not only with the next change.
            return self.settle().await;
        }
        if self.trusted {
            self.say_renewed(self.parts.clock.now()).await?;
        }
        let commit = std::mem::take(&mut self.draft);
        let view = self.changed.then(|| Arc::new(self.inventory.view()));
        self.changed = false;
        self.saver.begin(commit, view);
        Ok(())
    }

    /// Waits for the transaction in flight and publishes what it wrote.
    async fn settle(&mut self) -> anyhow::Result<()> {
        if let Some(saved) = self.saver.finish().await? {
            if let Some(view) = saved.view {
                self.publish(view);
            }
            if saved.said {
                self.outputs.outbox.send_modify(|count| *count += 1);
            }
        }
        Ok(())
    }

    fn draft_is_full(&self) -> bool {
        self.draft.rows.len() + self.draft.notes.len() >= BATCH
    }

    fn draft_is_empty(&self) -> bool {
        let draft = &self.draft;
        draft.scopes.is_empty()
            && draft.rows.is_empty()
            && draft.statuses.is_empty()
            && draft.removed.is_empty()
            && draft.ledger.is_empty()
            && draft.conditions.is_empty()
            && draft.outbox.is_empty()
            && draft.scans.is_empty()
            && draft.unlisted.is_empty()
            && draft.notes.is_empty()
    }

    fn publish(&self, view: Arc<View>) {
        self.outputs.exposition.warm(&view, self.parts.clock.now());
        self.outputs.view.send_replace(view);
        self.publish_sources();
    }

    fn publish_sources(&self) {
        let statuses = self
            .settings
            .watched
            .iter()
            .filter_map(|source| self.statuses.get(&source.name).cloned())
            .collect();
        self.outputs.sources.send_replace(Arc::new(statuses));
    }

    fn handle(&mut self, command: Command) {
        match command {
            Command::Reconfigure(settings) => {
                // Everything comes up again: rungs may have moved, and a first channel was told of nothing yet.
                self.evaluator = Evaluator::new(settings.config.alerts.ladder.clone());
                self.settings = *settings;
                self.follow_settings();
            }
            Command::Channel(channel, health) => self.channel_turned(channel, health),
        }
    }

    /// Drops what belongs to sources and channels that are not configured any more, without a word.
    fn follow_settings(&mut self) {
        let watched = self.settings.watched.clone();
        let known = |name: &str| watched.iter().any(|source| source.name == name);
        let dropped: Vec<_> = self
            .inventory
            .scopes()
            .filter(|(_, source, scope)| !watched.iter().any(|one| one.holds(source, scope)))
            .map(|(id, source, scope)| (id, Arc::clone(source), Arc::clone(scope)))
            .collect();
        for (id, source, scope) in dropped {
            self.drop_scope(&source, id, &scope);
        }
        self.statuses.retain(|name, _| known(name));
        self.scans.retain(|(source, _, _), _| known(source));
        self.drop_conditions();
        for source in &self.settings.watched {
            let status = self.statuses.entry(source.name.clone()).or_default();
            status.name.clone_from(&source.name);
            status.kind.clone_from(&source.kind);
        }
        self.tell_scopes();
        self.publish_sources();
    }
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

/// Returns when the windows of each source were last read whole, so that a restart or a reload does not read them again
/// at once. A window of which a part was never read is not in it.
pub fn last_reads(scans: &[ScanRecord]) -> BTreeMap<String, LastRead> {
    let mut last = BTreeMap::<String, LastRead>::new();
    for scan in scans.iter().filter(|scan| scan.error.is_none()) {
        let slot = slot(last.entry(scan.source.clone()).or_default(), scan);
        // The part that was read longest ago: a scan that was cut off read only the others.
        *slot = Some(slot.map_or(scan.ended, |known| known.min(scan.ended)));
    }
    for scan in scans.iter().filter(|scan| apply::never_answered(scan)) {
        *slot(last.entry(scan.source.clone()).or_default(), scan) = None;
    }
    last
}

fn slot<'a>(read: &'a mut LastRead, scan: &ScanRecord) -> &'a mut Option<Timestamp> {
    if scan.window.starts_with("near") { &mut read.near } else { &mut read.all }
}
