//! The sums of one chunk.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike};

use super::super::certificate::{Kind, Timestamp};
use super::chunk::{Chunk, Slot};
use super::view::View;
use super::{RowId, ScopeId, record::signers};

/// Bounds of the histogram of remaining time, in seconds: 30 days ago, 0, 1, 3, 7, 14, 30, 60, 90, 180 days, 1, 2 and
/// 5 years of 365 days.
pub const BUCKETS: [i64; 13] = {
    let mut seconds = [-30, 0, 1, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1825];
    let mut place = 0;
    while place < seconds.len() {
        seconds[place] *= DAY;
        place += 1;
    }
    seconds
};

const DAY: i64 = 86_400;
/// What ended longer ago than this is history: it is counted, and no longer the earliest end.
const LONG_ENDED: i64 = 30 * DAY;

/// The authorities of a scope by the digest that their leaves carry: of all that sign as one the one that ends last.
pub(super) type Ends = BTreeMap<u64, (RowId, Option<Timestamp>)>;

/// Returns the ends of the authorities of a scope. Where two sign as one, a leaf is held against the later end.
pub(super) fn signer_ends(view: &View, scope: ScopeId) -> Ends {
    let mut ends = Ends::new();
    for ca in view.cas(scope) {
        for signer in signers(&ca.signs) {
            let last = ends.entry(signer).or_insert((ca.row, ca.not_after));
            if ca.not_after > last.1 {
                *last = (ca.row, ca.not_after);
            }
        }
    }
    ends
}

/// The sums of one chunk that do not depend on the time.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    pub(super) kinds: [FixedKind; Kind::ALL.len()],
    pub(super) months: BTreeMap<(i32, u8), u64>,
    pub(super) outliving: BTreeMap<RowId, u64>,
}

/// Those of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FixedKind {
    pub(super) by_status: [u64; 7],
    pub(super) count: u64,
    pub(super) ends: i128,
    earliest: Option<i64>,
}

impl Fixed {
    pub(super) fn of(chunk: &Chunk, signers: &Ends) -> Self {
        let mut sums = Self::default();
        let mut days = Days::of(chunk);
        for slot in chunk.iter() {
            let Some(kind) = sums.kinds.get_mut(slot.kind() as usize) else { continue };
            if let Some(count) =
                slot.status().and_then(|status| kind.by_status.get_mut(status as usize))
            {
                *count += 1;
            }
            let Some(end) = slot.not_after().filter(|_| slot.mark.is_active()) else { continue };
            kind.count += 1;
            kind.ends += i128::from(end.seconds());
            let seconds = end.seconds();
            kind.earliest = Some(kind.earliest.map_or(seconds, |earliest| earliest.min(seconds)));
            days.count(end, &mut sums.months);
        }
        days.settle(&mut sums.months);
        sums.outliving = outliving(chunk, signers);
        sums
    }
}

/// The sums of one chunk that move with the time, and the times between which they hold.
#[derive(Debug, Default)]
pub(super) struct Moving {
    pub(super) kinds: [MovingKind; Kind::ALL.len()],
    from: i64,
    until: i64,
}

/// Those of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MovingKind {
    pub(super) buckets: [u64; BUCKETS.len()],
    /// The earliest end that is not long ago.
    pub(super) earliest: Option<Timestamp>,
}

impl Moving {
    /// Counts the active certificates of a chunk.
    pub(super) fn of(chunk: &Chunk, fixed: &Fixed, now: Timestamp) -> Self {
        let mut sums = Self { from: now.seconds(), until: i64::MAX, ..Self::default() };
        let Some((earliest, latest)) = chunk.ends() else { return sums };
        let place = |end: i64| {
            let remaining = end.saturating_sub(now.seconds());
            BUCKETS.partition_point(|bound| *bound < remaining)
        };
        let (low, high) = (place(earliest), place(latest));
        for (kind, fixed) in Kind::ALL.into_iter().zip(&fixed.kinds) {
            let Some(first) = fixed.earliest else { continue };
            let (buckets, until) = if low == high {
                (of_one(low, fixed.count), crossing(low, earliest))
            } else {
                of_many(chunk, kind, now)
            };
            let earliest = not_long_ended(chunk, kind, first, now);
            if let Some(sums) = sums.kinds.get_mut(kind as usize) {
                *sums = MovingKind { buckets, earliest: earliest.map(Timestamp::from_seconds) };
            }
            let forgotten = earliest.map_or(i64::MAX, |end| end.saturating_add(LONG_ENDED + 1));
            sums.until = sums.until.min(until).min(forgotten);
        }
        sums
    }

    /// Returns whether no certificate has crossed a bound since it was taken.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now.seconds())
    }
}

/// Counts certificates that all lie between the same two bounds.
fn of_one(place: usize, active: u64) -> [u64; BUCKETS.len()] {
    let mut buckets = [0; BUCKETS.len()];
    buckets.iter_mut().skip(place).for_each(|bucket| *bucket = active);
    buckets
}

/// Returns when the first of certificates that lie above the bound before `place` crosses it.
fn crossing(place: usize, earliest: i64) -> i64 {
    let below = place.checked_sub(1).and_then(|below| BUCKETS.get(below));
    below.map_or(i64::MAX, |bound| earliest.saturating_sub(*bound))
}

/// Counts the active certificates of one kind, and returns when the first of them crosses a bound.
///
/// Goes through them once for each bound, several at a step: that is several times as fast as finding the place of each.
fn of_many(chunk: &Chunk, kind: Kind, now: Timestamp) -> ([u64; BUCKETS.len()], i64) {
    // More than 67 years away is beyond every bound, and looked at again after 62.
    const FARTHEST: i32 = i32::MAX - 31 * 86_400;
    let remaining: Vec<i32> = active(chunk, kind)
        .map(|end| end.saturating_sub(now.seconds()))
        .map(|seconds| {
            i32::try_from(seconds).unwrap_or(if seconds < 0 { i32::MIN } else { FARTHEST })
        })
        .map(|seconds| seconds.min(FARTHEST))
        .collect();
    let mut next = i32::MAX;
    let buckets = BUCKETS.map(|bound| {
        // The largest bound is 5 years, which fits.
        let bound = i32::try_from(bound).unwrap_or(i32::MAX);
        let beyond = |seconds: i32| if seconds > bound { seconds - bound } else { i32::MAX };
        next = remaining.iter().fold(next, |next, seconds| next.min(beyond(*seconds)));
        u64::from(remaining.iter().map(|seconds| u32::from(*seconds <= bound)).sum::<u32>())
    });
    let ended = next == i32::MAX;
    let until = if ended { i64::MAX } else { now.seconds().saturating_add(i64::from(next)) };
    (buckets, until)
}

/// Returns the earliest end of the active certificates of one kind that did not end long ago; `first` is the earliest.
fn not_long_ended(chunk: &Chunk, kind: Kind, first: i64, now: Timestamp) -> Option<i64> {
    let long_ended = now.seconds().saturating_sub(LONG_ENDED);
    if first >= long_ended {
        return Some(first);
    }
    active(chunk, kind).filter(|end| *end >= long_ended).min()
}

/// Returns the ends of the active certificates of one kind.
fn active(chunk: &Chunk, kind: Kind) -> impl Iterator<Item = i64> + '_ {
    let is_active = move |slot: &Slot| slot.mark.is_active() && slot.kind() == kind;
    chunk.iter().filter(is_active).map(|slot| slot.end)
}

fn outliving(chunk: &Chunk, signers: &Ends) -> BTreeMap<RowId, u64> {
    let mut counts = BTreeMap::new();
    let Some((_, latest)) = chunk.ends() else { return counts };
    // Most authorities outlive everything that they signed: then there is nothing to look for.
    let outlived: BTreeMap<_, _> = signers
        .iter()
        .filter_map(|(name, (ca, until))| Some((*name, (*ca, until.as_ref()?.seconds()))))
        .filter(|(_, (_, until))| *until < latest)
        .collect();
    if outlived.is_empty() {
        return counts;
    }
    for (issuer, end) in chunk.active_leaves() {
        let Some((ca, signed_until)) = outlived.get(&issuer) else { continue };
        if end > *signed_until {
            *counts.entry(*ca).or_default() += 1;
        }
    }
    counts
}

/// Most days that are counted one by one: eleven years.
const MOST_DAYS: i64 = 4096;

/// Certificates by the day that they end on, where the days of a chunk are few enough: a month is then looked up once
/// for each day and not for each certificate.
struct Days {
    first: i64,
    counts: Vec<u32>,
    month: Month,
}

impl Days {
    fn of(chunk: &Chunk) -> Self {
        let (first, last) = chunk.ends().map_or((0, -1), |(first, last)| (day(first), day(last)));
        let few = last.saturating_sub(first) < MOST_DAYS;
        let length = if few { usize::try_from(last - first + 1).unwrap_or(0) } else { 0 };
        Self { first, counts: vec![0; length], month: Month::default() }
    }

    fn count(&mut self, end: Timestamp, months: &mut BTreeMap<(i32, u8), u64>) {
        let place = usize::try_from(day(end.seconds()).wrapping_sub(self.first));
        match place.ok().and_then(|place| self.counts.get_mut(place)) {
            Some(count) => *count += 1,
            None => self.month.count(end, 1, months),
        }
    }

    fn settle(mut self, months: &mut BTreeMap<(i32, u8), u64>) {
        let days = (self.first..).zip(&self.counts).filter(|(_, count)| **count > 0);
        for (day, count) in days {
            let end = Timestamp::from_seconds(day.saturating_mul(86_400));
            self.month.count(end, u64::from(*count), months);
        }
        self.month.settle(months);
    }
}

const fn day(seconds: i64) -> i64 {
    seconds.div_euclid(DAY)
}

/// The month that was met last: neighbours often end in the same one, and finding it is the dear part.
#[derive(Default)]
struct Month {
    name: Option<(i32, u8)>,
    from: i64,
    until: i64,
    count: u64,
}

impl Month {
    fn count(&mut self, end: Timestamp, certificates: u64, months: &mut BTreeMap<(i32, u8), u64>) {
        if !(self.from..self.until).contains(&end.seconds()) {
            self.settle(months);
            *self = Self::around(end);
        }
        self.count += certificates;
    }

    fn settle(&mut self, months: &mut BTreeMap<(i32, u8), u64>) {
        if let Some(name) = self.name.filter(|_| self.count > 0) {
            *months.entry(name).or_default() += self.count;
        }
        self.count = 0;
    }

    /// Returns the month, in UTC, that a time lies in. Times beyond the calendar's 262 000 years lie in none.
    fn around(end: Timestamp) -> Self {
        let nothing = Self { name: None, from: end.seconds(), until: end.seconds(), count: 0 };
        let Some(time) = DateTime::from_timestamp(end.seconds(), 0) else { return nothing };
        let day = end.seconds().div_euclid(86_400);
        let first = day - i64::from(time.day0());
        let days = i64::from(time.num_days_in_month());
        let name = u8::try_from(time.month()).ok().map(|month| (time.year(), month));
        Self { name, from: first * 86_400, until: (first + days) * 86_400, count: 0 }
    }
}
