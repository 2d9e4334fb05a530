//! The sums of one chunk.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike};

use super::super::certificate::Timestamp;
use super::chunk::Chunk;
use super::view::View;
use super::{ScopeId, record::signer};

/// Bounds of the histogram of remaining time, in seconds: 0, 1, 3, 7, 14, 30, 60, 90, 180 days, 1, 2 and 5 years of
/// 365 days.
pub const BUCKETS: [i64; 12] = {
    let mut seconds = [0, 1, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1825];
    let mut place = 0;
    while place < seconds.len() {
        seconds[place] *= 86_400;
        place += 1;
    }
    seconds
};

/// The authorities of a scope by the digest that their leaves carry: the serial and the latest end.
pub(super) type Ends = BTreeMap<u64, (Arc<str>, Option<Timestamp>)>;

/// Returns the ends of the authorities of a scope. Where two have one serial, a leaf is held against the later end.
pub(super) fn signer_ends(view: &View, scope: ScopeId) -> Ends {
    let mut ends = Ends::new();
    for ca in view.cas(scope) {
        let (_, end) = ends.entry(signer(&ca.serial)).or_insert_with(|| (ca.serial, None));
        *end = (*end).max(ca.not_after);
    }
    ends
}

/// The sums of one chunk that do not depend on the time.
#[derive(Debug, Default)]
pub(super) struct Fixed {
    pub(super) by_status: [u64; 7],
    pub(super) count: u64,
    pub(super) ends: i128,
    pub(super) earliest: Option<Timestamp>,
    pub(super) months: BTreeMap<(i32, u8), u64>,
    pub(super) outliving: BTreeMap<Arc<str>, u64>,
}

impl Fixed {
    pub(super) fn of(chunk: &Chunk, signers: &Ends) -> Self {
        let mut sums = Self::default();
        let mut month = Month::default();
        for slot in chunk.iter() {
            if let Some(count) =
                slot.status().and_then(|status| sums.by_status.get_mut(status as usize))
            {
                *count += 1;
            }
            let Some(end) = slot.not_after().filter(|_| slot.mark.is_active()) else { continue };
            sums.count += 1;
            sums.ends += i128::from(end.seconds());
            sums.earliest = Some(sums.earliest.map_or(end, |earliest| earliest.min(end)));
            month.count(end, &mut sums.months);
        }
        month.settle(&mut sums.months);
        sums.outliving = outliving(chunk, signers);
        sums
    }
}

/// The histogram of one chunk and the times between which it holds.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    pub(super) buckets: [u64; 12],
    from: i64,
    until: i64,
}

impl Histogram {
    pub(super) fn of(chunk: &Chunk, now: Timestamp) -> Self {
        let mut buckets = [0; 12];
        let mut until = i64::MAX;
        for slot in chunk.iter().filter(|slot| slot.mark.is_active()) {
            let remaining = slot.end.saturating_sub(now.seconds());
            let above = BUCKETS.partition_point(|bound| *bound < remaining);
            if let Some(bucket) = buckets.get_mut(above) {
                *bucket += 1;
            }
            if let Some(bound) = above.checked_sub(1).and_then(|below| BUCKETS.get(below)) {
                until = until.min(slot.end.saturating_sub(*bound));
            }
        }
        let mut sum = 0;
        let buckets = buckets.map(|count| {
            sum += count;
            sum
        });
        Self { buckets, from: now.seconds(), until }
    }

    /// Returns whether no certificate has crossed a bound since it was taken.
    pub(super) fn holds(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now.seconds())
    }
}

fn outliving(chunk: &Chunk, signers: &Ends) -> BTreeMap<Arc<str>, u64> {
    let mut counts = BTreeMap::new();
    if signers.is_empty() {
        return counts;
    }
    for (issuer, end) in chunk.active_leaves() {
        let Some((serial, Some(signed_until))) = signers.get(&issuer) else { continue };
        if end > signed_until.seconds() {
            *counts.entry(Arc::clone(serial)).or_default() += 1;
        }
    }
    counts
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
    fn count(&mut self, end: Timestamp, months: &mut BTreeMap<(i32, u8), u64>) {
        if !(self.from..self.until).contains(&end.seconds()) {
            self.settle(months);
            *self = Self::around(end);
        }
        self.count += 1;
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
