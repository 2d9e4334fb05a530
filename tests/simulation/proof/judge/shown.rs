//! What the providers showed to the daemon, of every certificate.

use std::collections::BTreeSet;

use notafter::facade::expiry::Status;
use notafter::facade::source::{Slice, Window};

use super::super::scene::{Lie, Scene};
use super::super::truth::{Certificate, State};
use super::Judge;

/// When summer time begins in Berlin: 2027-03-28T01:00:00Z.
const SUMMER: i64 = 1_806_195_600;

pub(super) struct Shown {
    pub(super) certificates: Vec<One>,
    /// The number of the poll of each source, by window: near, all.
    polls: Vec<[u64; 2]>,
    /// The last poll in which a source did not list its scope.
    gone: Vec<Option<u64>>,
    count: u64,
}

/// What an answer shows: all that the provider says there is, the rows of the page, and how it lies.
pub(crate) struct Answer<'a> {
    pub(crate) all: &'a [(usize, State)],
    pub(crate) page: &'a [(usize, State)],
    pub(crate) lie: Option<Lie>,
    /// Which certificates would be in such a list.
    pub(crate) covers: &'a dyn Fn(&Certificate) -> bool,
}

/// What was shown of one certificate.
#[derive(Default)]
pub(super) struct One {
    /// Its states, since when.
    pub(super) states: Vec<(i64, State)>,
    /// The polls since it was last shown in which a list had no room for it, with the time.
    pub(super) absent: Vec<(u64, i64)>,
    /// When it was ever shown, or shown as absent, as another thing than before.
    pub(super) touched: Vec<i64>,
}

impl Shown {
    pub(super) fn new(scene: &Scene) -> Self {
        let certificates = scene.certificates.iter().map(|_| One::default()).collect();
        let sources = scene.sources.len();
        Self { certificates, polls: vec![[0; 2]; sources], gone: vec![None; sources], count: 0 }
    }

    /// Returns what may be known of a certificate, where what was shown before `settled` is.
    pub(super) fn known(&self, place: usize, settled: i64) -> &[(i64, State)] {
        let states = &self.certificates[place].states;
        let sure = states.iter().rposition(|(at, _)| *at <= settled).unwrap_or(0);
        &states[sure..]
    }

    /// Returns what surely is known of it and is shown still.
    pub(super) fn sure(&self, place: usize, settled: i64) -> Option<State> {
        let one = &self.certificates[place];
        let (at, state) = one.states.last()?;
        (*at <= settled && one.absent.is_empty()).then_some(*state)
    }
}

impl One {
    fn show(&mut self, now: i64, state: State) {
        if !self.absent.is_empty() {
            self.absent.clear();
            self.touched.push(now);
        }
        if self.states.last().is_none_or(|(_, known)| *known != state) {
            self.states.push((now, state));
            self.touched.push(now);
        }
    }

    fn miss(&mut self, poll: u64, now: i64) {
        if self.states.is_empty() {
            return;
        }
        self.touched.push(now);
        if self.absent.last().is_none_or(|(known, _)| *known != poll) {
            self.absent.push((poll, now));
        }
    }

    /// Returns in how many polls it was absent since it was last shown.
    pub(super) fn absences(&self) -> usize {
        let polls: BTreeSet<u64> = self.absent.iter().map(|(poll, _)| *poll).collect();
        polls.len()
    }
}

const fn index(window: Window) -> usize {
    match window {
        Window::Near { .. } => 0,
        Window::All => 1,
    }
}

impl Judge {
    /// A poll begins.
    pub(crate) fn poll(&mut self, source: usize, window: Window) {
        self.shown.count += 1;
        self.shown.polls[source][index(window)] = self.shown.count;
        if self.scene.sources[source].by_cron && self.right() > SUMMER {
            self.reach("a source is read in summer time");
        }
    }

    /// A poll finds that the scope is not listed: whatever was in it is absent.
    pub(crate) fn scope_gone(&mut self, source: usize, window: Window) {
        self.reach(super::reach::of_lie(Lie::ScopeGone));
        let (now, poll) = (self.right(), self.shown.polls[source][index(window)]);
        let places = self.scene.certificates.iter().enumerate();
        for (place, _) in places.filter(|(_, one)| one.source == source) {
            self.shown.certificates[place].miss(poll, now);
        }
        self.shown.gone[source] = Some(poll);
    }

    /// Returns whether a source did not list its scope when it was last read.
    pub(super) fn is_scope_gone(&self, source: usize) -> bool {
        self.shown.gone[source].is_some_and(|poll| self.shown.polls[source].contains(&poll))
    }

    /// An answer shows some rows of all that the provider says there are.
    pub(crate) fn page(&mut self, source: usize, slice: &Slice, answer: &Answer<'_>) {
        let (now, poll) = (self.right(), self.shown.polls[source][index(slice.window)]);
        let Answer { all, page, lie, covers } = *answer;
        if let Some(lie) = lie {
            self.reach(super::reach::of_lie(lie));
        }
        for (place, state) in page {
            self.shown.certificates[*place].show(now, *state);
        }
        // A total that counts what is not listed proves nothing, nor do other totals that are wrong.
        if matches!(lie, Some(Lie::Short | Lie::TotalOff | Lie::Repeated)) {
            return;
        }
        let mut listed = vec![false; self.scene.certificates.len()];
        for (place, _) in all {
            listed[*place] = true;
        }
        let within = |end: i64| {
            slice.within.is_none_or(|(from, to)| (from.seconds()..=to.seconds()).contains(&end))
        };
        for (place, one) in self.scene.certificates.iter().enumerate() {
            let known = &mut self.shown.certificates[place];
            let is_of = one.source == source && covers(one);
            if is_of && !listed[place] && known.states.iter().any(|(_, state)| within(state.end)) {
                known.miss(poll, now);
            }
        }
    }

    /// There was no answer.
    pub(crate) fn page_failed(&mut self) {
        self.reach("a page failed");
    }

    /// A provider was asked for one certificate.
    pub(crate) fn asked(&mut self, source: usize, serial: &str, is_there: bool) {
        self.reach(if is_there { "missing and there" } else { "missing and not there" });
        let (now, poll) = (self.right(), self.shown.count);
        let Some(place) = self.places.get(&(source, serial.to_owned())).copied() else { return };
        let one = &mut self.shown.certificates[place];
        if is_there {
            one.absent.clear();
            one.touched.push(now);
        } else if one.absent.is_empty() {
            one.miss(poll, now);
        }
    }
}

/// Returns whether a certificate in a state may be alerted about.
pub(super) const fn alerts(status: Status) -> bool {
    matches!(status, Status::Active | Status::Inactive | Status::Pending)
}
