//! When something disturbed the daemon, so that what it was shown before may not be known yet, or not any more.

use super::super::scene::{Settings, StoreFault};

/// What was shown so long ago is known, where nothing disturbed the daemon since.
const SETTLES: i64 = 600;

/// A clock that is off by more is found suspect, within an hour of trust.
pub(super) const TRUSTED: i64 = 3700;

/// A clock that nobody contradicts is trusted again when it moved evenly for so long, and an answer counts for so long.
pub(super) const EVEN: i64 = 600;
pub(super) const COUNTS: i64 = 3600;

/// After the clock was set right it takes so long at most until it is trusted again, and what was held is decided.
const AGREEMENT: i64 = 1800;

pub(super) struct Times {
    /// When the process started, by the right time.
    pub(super) started: i64,
    /// When it was last shown the right time since.
    pub(super) answered_by_honest: Option<i64>,
    pub(super) store_fault: Option<StoreFault>,
    /// Since when the store fails, or last failed.
    pub(super) fault_since: i64,
    pub(super) faults_ended: Option<i64>,
    /// From and to.
    disturbances: Vec<(i64, i64)>,
    /// Those that last.
    open: Vec<i64>,
    /// Since when the wall clock is so far off.
    pub(super) bends: Vec<(i64, i64)>,
    /// When a provider last showed a wrong time.
    lied: Option<i64>,
    /// The settings, and since when.
    pub(super) settings: Vec<(i64, Settings)>,
}

impl Times {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            started: i64::MIN,
            answered_by_honest: None,
            store_fault: None,
            fault_since: i64::MIN,
            faults_ended: None,
            disturbances: Vec::new(),
            open: Vec::new(),
            bends: vec![(i64::MIN, 0)],
            lied: None,
            settings: vec![(i64::MIN, settings)],
        }
    }

    pub(super) fn disturbed(&mut self, from: i64, to: i64) {
        self.disturbances.push((from, to));
    }

    pub(super) fn begin_disturbance(&mut self, now: i64) {
        self.open.push(now);
    }

    pub(super) fn end_disturbance(&mut self, now: i64) {
        if let Some(from) = self.open.pop() {
            self.disturbed(from, now);
        }
    }

    pub(super) fn bent(&mut self, now: i64, seconds: i64) {
        let before = self.bend();
        if (seconds - before).abs() > 1 || seconds.abs() > 300 {
            self.disturbed(now - 1, now + AGREEMENT);
        }
        self.bends.push((now, seconds));
    }

    pub(super) fn liar(&mut self, now: i64) {
        self.disturbed(now - 1, now + 3600 + AGREEMENT);
        self.lied = Some(now);
    }

    pub(super) fn reloaded(&mut self, now: i64, settings: Settings) {
        self.settings.push((now, settings));
    }

    /// Returns by how much the wall clock is off now.
    pub(super) fn bend(&self) -> i64 {
        self.bends.last().map_or(0, |(_, bend)| *bend)
    }

    /// Returns since when it is.
    pub(super) fn bent_since(&self) -> i64 {
        self.bends.last().map_or(i64::MIN, |(since, _)| *since)
    }

    /// Returns whether a provider may have shown a wrong time to the process lately.
    pub(super) fn is_lied_to(&self, now: i64) -> bool {
        self.lied.is_some_and(|at| now - at < 2 * 86_400)
    }

    /// Returns whether a clock that is off by more than is trusted was in force since.
    pub(super) fn was_bent_since(&self, since: i64) -> bool {
        let until = self.bends.iter().skip(1).map(|(at, _)| *at).chain([i64::MAX]);
        self.bends.iter().zip(until).any(|((_, bend), until)| bend.abs() > 300 && until >= since)
    }

    /// Returns a time before which everything that was shown is known at `now`.
    pub(super) fn settled_before(&self, now: i64) -> i64 {
        let mut settled = now - SETTLES;
        loop {
            let open = self.open.iter().map(|from| (*from, i64::MAX));
            let held = (self.bend().abs() > 300).then_some((self.bent_since(), i64::MAX));
            let all = self.disturbances.iter().copied().chain(open).chain(held);
            let hit = all.filter(|(from, to)| *from <= settled + SETTLES && *to >= settled);
            match hit.map(|(from, _)| from).min() {
                Some(from) if from - SETTLES - 1 < settled => settled = from - SETTLES - 1,
                _ => return settled,
            }
        }
    }

    /// Returns whether ladders have changed.
    pub(super) fn has_another_ladder(&self) -> bool {
        self.settings.windows(2).any(|pair| pair[0].1.ladder != pair[1].1.ladder)
    }

    /// Returns whether routes have changed.
    pub(super) fn has_rerouted(&self) -> bool {
        self.settings.windows(2).any(|pair| pair[0].1.routing != pair[1].1.routing)
    }

    /// Returns the settings that may have been in force when something was decided, by a time of right or wall clock.
    pub(super) fn settings_around(&self, at: i64) -> Vec<Settings> {
        let until = self.settings.iter().skip(1).map(|(since, _)| *since).chain([i64::MAX]);
        let around = self.settings.iter().zip(until);
        let fits = |since: i64, until: i64| since <= at + 3600 && until >= at - 3600;
        around
            .filter(|((since, _), until)| fits(*since, *until))
            .map(|((_, one), _)| *one)
            .collect()
    }
}
