//! The daemon's own counts: what sources, channels and the process do.
//!
//! Counters and histograms are the `prometheus` crate's, one registry for each source and channel, so that its name
//! is a constant label there. Never a vector with two free labels: the crate hashes label values without a
//! separator, and two series become one. What may be unknown, or has a free label, is kept as plain values.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::client::{Action, Meter, Outcome};
use crate::expiry::{EVENT_KINDS, EventKind, PlaceState, Reason, Timestamp};

mod activity;
mod channel;
mod counters;
mod render;
mod source;

pub use activity::Activity;
use channel::Channel;
use source::Source;

/// The sources and channels that are counted.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Every configured source.
    pub sources: Vec<SourceSetup>,
    /// Every configured channel, by name.
    pub channels: Vec<String>,
    /// The seconds between two heartbeats, where they are configured.
    pub heartbeat: Option<f64>,
}

/// A source that is counted.
#[derive(Clone, Debug, Default)]
pub struct SourceSetup {
    /// Its name.
    pub name: String,
    /// Its kind. A source that changes it is another source.
    pub kind: String,
    /// Every action that it sends.
    pub actions: &'static [Action],
    /// The scope that it always has.
    pub fixed_scope: Option<&'static str>,
    /// Its windows, `near` or `all`, and the seconds between two scans of each.
    pub intervals: Vec<(String, f64)>,
}

/// How many certificates of a scope stand on one rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveAlerts {
    /// The source.
    pub source: Arc<str>,
    /// The scope.
    pub scope: Arc<str>,
    /// The rung's label.
    pub rung: String,
    /// Certificates that stand on it.
    pub count: u64,
}

/// The daemon's own counts. Counting for a source or channel that is not configured does nothing.
pub struct DaemonMetrics {
    counts: RwLock<Counts>,
    process: prometheus::Registry,
}

/// What is snoozed.
#[derive(Clone, Copy, Default)]
struct Snoozed {
    certificates: u64,
    active: u64,
    idle: u64,
}

struct Counts {
    sources: BTreeMap<String, Source>,
    channels: BTreeMap<String, Channel>,
    alerts: BTreeMap<(Arc<str>, Arc<str>, String), u64>,
    events: BTreeMap<(&'static str, &'static str), u64>,
    default_route: u64,
    snoozed: Snoozed,
    heartbeat: Option<Timestamp>,
    heartbeat_interval: Option<f64>,
    store_up: Option<bool>,
    audit: Option<(u64, u64)>,
    reload: Option<bool>,
    reloaded_at: Option<Timestamp>,
}

impl DaemonMetrics {
    /// Begins to count, with every closed combination of labels at zero.
    pub fn new(setup: &Setup) -> Self {
        let counts = Counts {
            sources: BTreeMap::new(),
            channels: BTreeMap::new(),
            alerts: BTreeMap::new(),
            events: every_event().map(|combination| (combination, 0)).collect(),
            default_route: 0,
            snoozed: Snoozed::default(),
            heartbeat: None,
            heartbeat_interval: None,
            store_up: None,
            audit: None,
            reload: None,
            reloaded_at: None,
        };
        let metrics = Self { counts: RwLock::new(counts), process: counters::process() };
        metrics.reconfigure(setup);
        metrics
    }

    /// Drops the series of sources and channels that are not in `setup`, keeps the counts of those that stay.
    pub fn reconfigure(&self, setup: &Setup) {
        let mut counts = self.write();
        let mut sources = std::mem::take(&mut counts.sources);
        for wanted in &setup.sources {
            let kept = sources.remove(&wanted.name).filter(|source| source.kind == wanted.kind);
            let source = kept.unwrap_or_else(|| Source::new(wanted));
            source.lock().intervals = wanted.intervals.iter().cloned().collect();
            counts.sources.insert(wanted.name.clone(), source);
        }
        let mut channels = std::mem::take(&mut counts.channels);
        for name in &setup.channels {
            let channel = channels.remove(name).unwrap_or_else(|| Channel::new(name));
            counts.channels.insert(name.clone(), channel);
        }
        counts.heartbeat_interval = setup.heartbeat;
        counts.heartbeat = counts.heartbeat.filter(|_| setup.heartbeat.is_some());
        let Counts { sources, alerts, .. } = &mut *counts;
        alerts.retain(|(source, _, _), _| sources.contains_key(&**source));
    }

    /// Drops the scopes of `source` that are not in `scopes`: it does not have them any more.
    pub fn retain_scopes(&self, source: &str, scopes: &[&str]) {
        self.source(source, |source| {
            source.lock().scopes.retain(|scope, _| scopes.contains(&scope.as_str()));
        });
    }

    /// Keeps when the last poll began.
    pub fn attempt(&self, source: &str, at: Timestamp) {
        self.source(source, |source| source.lock().attempt = Some(at));
    }

    /// Keeps whether the last poll succeeded.
    pub fn up(&self, source: &str, up: bool) {
        self.source(source, |source| source.lock().up = Some(up));
    }

    /// Keeps when the last successful poll ended.
    pub fn success(&self, source: &str, at: Timestamp) {
        self.source(source, |source| source.lock().success = Some(at));
    }

    /// Keeps when the last proven scan of a window ended.
    pub fn proven(&self, source: &str, scope: &str, window: &str, at: Timestamp) {
        self.source(source, |source| source.window(scope, window, |w| w.proven = Some(at)));
    }

    /// Keeps the seconds between two scans of a window.
    pub fn interval(&self, source: &str, window: &str, seconds: f64) {
        self.source(source, |source| {
            source.lock().intervals.insert(window.to_owned(), seconds);
        });
    }

    /// Keeps the seconds that the last scan of a window took.
    pub fn duration(&self, source: &str, window: &str, seconds: f64) {
        self.source(source, |source| {
            source.lock().durations.insert(window.to_owned(), seconds);
        });
    }

    /// Keeps the provider's total.
    pub fn reported(&self, source: &str, scope: &str, window: &str, count: u64) {
        self.source(source, |source| source.window(scope, window, |w| w.reported = Some(count)));
    }

    /// Keeps how many distinct certificates were read.
    pub fn collected(&self, source: &str, scope: &str, window: &str, count: u64) {
        self.source(source, |source| source.window(scope, window, |w| w.collected = Some(count)));
    }

    /// Keeps how many certificates the provider counted and did not list.
    pub fn missing(&self, source: &str, scope: &str, window: &str, count: u64) {
        self.source(source, |source| source.window(scope, window, |w| w.missing = Some(count)));
    }

    /// Keeps how many certificates are served although a newer one is known.
    pub fn not_deployed(&self, source: &str, scope: &str, count: Option<u64>) {
        self.source(source, |source| source.scope(scope, |s| s.not_deployed = count));
    }

    /// Counts rows that could not be understood.
    pub fn rejected(&self, source: &str, reason: Reason, count: u64) {
        self.source(source, |source| source.rejected(reason, count));
    }

    /// Keeps what came of the places that a source looked at, and how many of its globs matched nothing.
    pub fn places(
        &self,
        source: &str,
        states: impl Iterator<Item = PlaceState>,
        globs_without_match: u64,
    ) {
        let mut counts: BTreeMap<_, u64> = PlaceState::ALL.map(|state| (state, 0)).into();
        states.for_each(|state| *counts.entry(state).or_default() += 1);
        self.source(source, |source| {
            let mut known = source.lock();
            known.places = Some(counts);
            known.globs_without_match = Some(globs_without_match);
        });
    }

    /// Returns how many places could not be read, or hold no certificate that can be.
    pub fn unread_places(&self) -> u64 {
        let unread = |counts: &BTreeMap<PlaceState, u64>| {
            let of = |state| counts.get(&state).copied().unwrap_or_default();
            of(PlaceState::Unreadable) + of(PlaceState::Broken)
        };
        let counts = self.read();
        let sources = counts.sources.values();
        sources.filter_map(|source| source.lock().places.as_ref().map(unread)).sum()
    }

    /// Counts a timer that fired in vain because the last scan was still running.
    pub fn skipped(&self, source: &str) {
        self.source(source, Source::skipped);
    }

    /// Counts certificates seen for the first time.
    pub fn added(&self, source: &str, scope: &str, count: u64) {
        self.source(source, |source| source.scope(scope, |s| s.added += count));
    }

    /// Counts certificates that are gone.
    pub fn gone(&self, source: &str, scope: &str, count: u64) {
        self.source(source, |source| source.scope(scope, |s| s.gone += count));
    }

    /// Counts certificates that were renewed.
    pub fn renewed(&self, source: &str, scope: &str, count: u64) {
        self.source(source, |source| source.scope(scope, |s| s.renewed += count));
    }

    /// Replaces every count of certificates on rungs.
    pub fn alerts_active(&self, alerts: Vec<ActiveAlerts>) {
        let mut counts = self.write();
        counts.alerts.clear();
        for alert in alerts {
            if counts.sources.contains_key(&*alert.source) {
                *counts.alerts.entry((alert.source, alert.scope, alert.rung)).or_default() +=
                    alert.count;
            }
        }
    }

    /// Counts an event by its kind and by why it was decided.
    pub fn event(&self, kind: &'static str, reason: &'static str) {
        *self.write().events.entry((kind, reason)).or_default() += 1;
    }

    /// Counts an event that no route but the last chose.
    pub fn default_route(&self) {
        self.write().default_route += 1;
    }

    /// Keeps of how many certificates on a rung nothing is said, by how many snoozes, and how many hush nothing.
    pub fn snoozed(&self, certificates: u64, [active, idle]: [u64; 2]) {
        self.write().snoozed = Snoozed { certificates, active, idle };
    }

    /// Keeps when the heartbeat last said that all is well.
    pub fn heartbeat(&self, at: Timestamp) {
        self.write().heartbeat = Some(at);
    }

    /// Counts how a message ended: one of [`Self::NOTIFICATION_OUTCOMES`].
    pub fn notification(&self, channel: &str, outcome: &str) {
        self.channel(channel, |channel| channel.notified(outcome));
    }

    /// Counts events that were true no more before they were sent.
    pub fn settled(&self, channel: &str, count: u64) {
        self.channel(channel, |channel| channel.settled.inc_by(count));
    }

    /// Keeps how many events wait for a channel, and when the oldest of them was decided.
    pub fn pending(&self, channel: &str, count: u64, oldest: Option<Timestamp>) {
        self.channel(channel, |channel| {
            let mut known = channel.lock();
            known.pending = Some(count);
            known.oldest = oldest;
        });
    }

    /// Keeps how many messages to a channel were given up and need somebody.
    pub fn given_up(&self, channel: &str, count: u64) {
        self.channel(channel, |channel| channel.lock().given_up = Some(count));
    }

    /// Keeps when a channel last delivered a daily digest.
    pub fn told_daily(&self, channel: &str, at: Timestamp) {
        self.channel(channel, |channel| channel.lock().daily = Some(at));
    }

    /// Keeps when a channel last delivered.
    pub fn delivered(&self, channel: &str, at: Timestamp) {
        self.channel(channel, |channel| channel.lock().delivered = Some(at));
    }

    /// Keeps whether a channel delivers.
    pub fn channel_up(&self, channel: &str, up: bool) {
        self.channel(channel, |channel| channel.lock().up = Some(up));
    }

    /// Keeps whether the store takes what is written.
    pub fn store_up(&self, up: bool) {
        self.write().store_up = Some(up);
    }

    /// Keeps how many bytes of what happened are kept, and how many entries were dropped before their time.
    pub fn audit(&self, bytes: u64, dropped: u64) {
        self.write().audit = Some((bytes, dropped));
    }

    /// Keeps how the last attempt to load the configuration ended, and when.
    pub fn reload(&self, successful: bool, at: Timestamp) {
        let mut counts = self.write();
        counts.reload = Some(successful);
        if successful {
            counts.reloaded_at = Some(at);
        }
    }

    /// Every way in which a message can end.
    pub const NOTIFICATION_OUTCOMES: [&'static str; 7] =
        ["delivered", "throttled", "retry", "ambiguous", "rejected", "down", "dead"];

    fn source(&self, name: &str, count: impl FnOnce(&Source)) {
        if let Some(source) = self.read().sources.get(name) {
            count(source);
        }
    }

    fn channel(&self, name: &str, count: impl FnOnce(&Channel)) {
        if let Some(channel) = self.read().channels.get(name) {
            count(channel);
        }
    }

    // A panic while counting leaves counts behind that are still counts.
    fn read(&self) -> RwLockReadGuard<'_, Counts> {
        self.counts.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Counts> {
        self.counts.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns every kind of event with every reason that it can have.
fn every_event() -> impl Iterator<Item = (&'static str, &'static str)> {
    const RUNGS: [&str; 9] = [
        "first_sight",
        "long_ended",
        "tighter_rung",
        "end_changed",
        "from_the_future",
        "in_use",
        "reminder",
        "snooze_ended",
        "snoozed",
    ];
    let reasons = |kind: EventKind| -> &'static [&'static str] {
        match kind {
            EventKind::CertificateExpiring
            | EventKind::CertificateExpired
            | EventKind::CertificateNotDeployed => &RUNGS,
            EventKind::CertificateRenewed | EventKind::CertificateGone => &["closed", "snoozed"],
            EventKind::NotificationDead => &["given_up"],
            EventKind::DigestDaily => &["scheduled"],
            EventKind::Canary => &["asked"],
            EventKind::Test => &[],
            EventKind::EndpointReachable
            | EventKind::PlaceReadable
            | EventKind::SourceRecovered
            | EventKind::InventoryRestored
            | EventKind::InventoryConsistent
            | EventKind::ChannelUp
            | EventKind::ClockRecovered => &["ended"],
            EventKind::CaEndsFirst
            | EventKind::FleetCliff
            | EventKind::EndpointInvalid
            | EventKind::EndpointUnreachable
            | EventKind::PlaceUnreadable
            | EventKind::SourceStale
            | EventKind::InventoryShrunk
            | EventKind::InventoryContradicts
            | EventKind::ChannelDown
            | EventKind::ClockSuspect
            | EventKind::ClockOffset => &["began"],
        }
    };
    EVENT_KINDS
        .into_iter()
        .flat_map(move |kind| reasons(kind).iter().map(move |reason| (kind.as_str(), *reason)))
}

impl Meter for DaemonMetrics {
    fn request(&self, source: &str, action: Action, outcome: Outcome, seconds: f64) {
        self.source(source, |source| source.request(action, outcome, seconds));
    }

    fn clock_offset(&self, source: &str, seconds: i64) {
        self.source(source, |source| source.lock().clock_offset = Some(seconds));
    }
}

#[cfg(test)]
mod tests;
