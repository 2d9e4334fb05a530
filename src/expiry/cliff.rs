//! A month in which far more certificates end than were ever renewed in one: a cliff.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::certificate::Timestamp;
use super::month::Month;

/// A month is a cliff when more active certificates end in it than so many times the most that were renewed in one,
const TIMES: u64 = 3;

/// and more than this.
const LEAST: u64 = 100;

/// So many whole months are watched before anything is called a cliff.
const WATCHED: usize = 3;

/// Months ahead that are looked at: the next one, up to the one a year away.
const AHEAD: RangeInclusive<i32> = 1..=12;

/// How many active certificates of each source end in each month.
pub type EndingInMonths = BTreeMap<Arc<str>, BTreeMap<Month, u64>>;

/// How many certificates of each source were renewed in each month in which it was watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenewalCounts {
    sources: BTreeMap<String, BTreeMap<Month, u64>>,
}

/// A month in which far more active certificates of a source end than were ever renewed in one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cliff {
    /// The source.
    pub source: Arc<str>,
    /// The month.
    pub month: Month,
    /// How many active certificates end in it.
    pub ending: u64,
    /// The most that were renewed in one month so far.
    pub renewed: u64,
}

impl RenewalCounts {
    /// Adds what was renewed in a month; nothing may have been: it was watched.
    pub fn add(&mut self, source: &str, month: Month, count: u64) {
        let months = self.sources.entry(source.to_owned()).or_default();
        let known = months.entry(month).or_default();
        *known = known.saturating_add(count);
    }

    /// Returns whether a source was watched in a month.
    pub fn is_watched(&self, source: &str, month: Month) -> bool {
        self.sources.get(source).is_some_and(|months| months.contains_key(&month))
    }

    /// Returns the last month in which a source was watched.
    pub fn last(&self, source: &str) -> Option<Month> {
        self.sources.get(source)?.last_key_value().map(|(month, _)| *month)
    }

    /// Keeps those of these sources alone.
    pub fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.sources.retain(|source, _| is_kept(source));
    }

    /// Returns whether enough is known of a source to call a month a cliff: three whole months were watched. The first month
    /// was watched in part only, and so is the present one.
    pub fn is_enough(&self, source: &str, now: Month) -> bool {
        let watched = self.sources.get(source).into_iter().flat_map(BTreeMap::keys);
        watched.skip(1).filter(|month| **month < now).count() >= WATCHED
    }

    /// Returns the months ahead that are cliffs, by source and month.
    pub fn cliffs(&self, ending: &EndingInMonths, now: Timestamp) -> Vec<Cliff> {
        let Some(now) = Month::of(now) else { return Vec::new() };
        let known = ending.iter().filter(|(source, _)| self.is_enough(source, now));
        let cliffs = known.flat_map(|(source, months)| {
            let renewed = self.most(source);
            let most = renewed.saturating_mul(TIMES).max(LEAST);
            let ahead = months.range(now.plus(*AHEAD.start())..=now.plus(*AHEAD.end()));
            ahead.filter(move |(_, ending)| **ending > most).map(move |(month, ending)| Cliff {
                source: Arc::clone(source),
                month: *month,
                ending: *ending,
                renewed,
            })
        });
        cliffs.collect()
    }

    /// Returns the months that are cliffs at some time of a span if nothing changes and nothing is renewed in it, each with the
    /// first such time.
    pub fn cliffs_until(
        &self,
        ending: &EndingInMonths,
        (from, until): (Timestamp, Timestamp),
    ) -> Vec<(Timestamp, Cliff)> {
        let (mut counts, mut at) = (self.clone(), from);
        let mut found = BTreeMap::new();
        while let Some(month) = Month::of(at).filter(|_| at <= until) {
            for source in ending.keys() {
                counts.add(source, month, 0);
            }
            for cliff in counts.cliffs(ending, at) {
                found.entry((Arc::clone(&cliff.source), cliff.month)).or_insert((at, cliff));
            }
            let Some(next) = month.plus(1).start() else { break };
            at = next;
        }
        found.into_values().collect()
    }

    fn most(&self, source: &str) -> u64 {
        let counts = self.sources.get(source).into_iter().flat_map(BTreeMap::values);
        counts.copied().max().unwrap_or(0)
    }
}

impl FromIterator<(String, Month, u64)> for RenewalCounts {
    fn from_iter<T: IntoIterator<Item = (String, Month, u64)>>(counts: T) -> Self {
        let mut all = Self::default();
        counts.into_iter().for_each(|(source, month, count)| all.add(&source, month, count));
        all
    }
}

/// Returns which of these sources are not watched for long enough yet.
pub fn not_watched_enough<'a>(
    sources: impl Iterator<Item = &'a str>,
    counts: &RenewalCounts,
    now: Timestamp,
) -> BTreeSet<Arc<str>> {
    let is_enough = |source: &str| Month::of(now).is_some_and(|now| counts.is_enough(source, now));
    sources.filter(|source| !is_enough(source)).map(Arc::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2027-01-15T08:00:00Z.
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const THIS: Month = Month::from_index(2027 * 12);

    /// What was renewed in the months up to the present one, and what ends in months ahead: what are cliffs, in months from now.
    fn cliffs(renewed: &[Option<u64>], ending: &[(i32, u64)]) -> Vec<(i32, u64, u64)> {
        let mut counts = RenewalCounts::default();
        for (ago, count) in (0_i32..).zip(renewed.iter().rev()) {
            if let Some(count) = count {
                counts.add("iot", THIS.plus(-ago), *count);
            }
        }
        let months = ending.iter().map(|(ahead, count)| (THIS.plus(*ahead), *count)).collect();
        let found = counts.cliffs(&[("iot".into(), months)].into(), NOW);
        let short = |it: &Cliff| (it.month.index() - THIS.index(), it.ending, it.renewed);
        found.iter().map(short).collect()
    }

    #[test]
    fn a_cliff_is_more_than_three_times_what_was_renewed_and_more_than_100() {
        let (none, some) = ([Some(0); 5], [Some(0), Some(40), Some(90), Some(10), Some(0)]);
        for (renewed, ending, expected) in [
            (&none[..], &[(1, 101), (2, 100)][..], &[(1, 101, 0)][..]),
            (&some, &[(1, 270), (3, 271)], &[(3, 271, 90)]),
            (
                &some,
                &[(0, 9000), (1, 9000), (12, 9000), (13, 9000)],
                &[(1, 9000, 90), (12, 9000, 90)],
            ),
            // The first month and the present one are not whole, and count for the most all the same.
            (&none[1..], &[(1, 101)], &[]),
            (
                &[Some(3000), Some(0), Some(0), Some(0), Some(4000)],
                &[(1, 12_000), (2, 12_001)],
                &[(2, 12_001, 4000)],
            ),
            // A month without the daemon was not watched.
            (&[Some(0), Some(0), None, Some(0), Some(0)], &[(1, 101)], &[]),
            (&[Some(0), Some(0), None, Some(0), Some(0), Some(0)], &[(1, 101)], &[(1, 101, 0)]),
            (&[Some(0), Some(0), Some(0), Some(0), None], &[(1, 101)], &[(1, 101, 0)]),
            (&[], &[(1, 101)], &[]),
        ] {
            assert_eq!(cliffs(renewed, ending), expected, "{renewed:?} {ending:?}");
        }
    }

    #[test]
    fn cliffs_come_into_sight_as_months_pass_and_as_enough_is_known() {
        let until = |watched: i32, ending: &[(i32, u64)], days: i64| -> Vec<(i32, i32)> {
            let mut counts = RenewalCounts::default();
            (0..watched).for_each(|ago| counts.add("iot", THIS.plus(-ago), 20));
            let months = ending.iter().map(|(ahead, count)| (THIS.plus(*ahead), *count)).collect();
            let (ending, span) = ([("iot".into(), months)].into(), (NOW, NOW.plus(days * 86_400)));
            let months = |month: Month| month.index() - THIS.index();
            let found = counts.cliffs_until(&ending, span);
            let when = |(at, it): &(Timestamp, Cliff)| {
                assert!(*at == NOW || Month::of(*at).and_then(Month::start) == Some(*at), "{at:?}");
                (months(Month::of(*at).unwrap()), months(it.month))
            };
            found.iter().map(when).collect()
        };
        // 2027-01-15 is the 16 days before February.
        let ending = [(1, 101), (2, 100), (12, 101), (13, 101), (14, 101)];
        assert_eq!(until(5, &ending, 0), [(0, 1), (0, 12)]);
        assert_eq!(until(5, &ending, 16), [(0, 1), (0, 12)]);
        assert_eq!(until(5, &ending, 17), [(0, 1), (0, 12), (1, 13)]);
        assert_eq!(until(5, &ending, 60), [(0, 1), (0, 12), (1, 13), (2, 14)]);
        // This month is the second that is watched: three whole ones are known in three months.
        assert_eq!(until(2, &[(3, 101), (4, 101)], 100), [(3, 4)]);
        assert_eq!(until(0, &[(1, 101)], 400), []);
    }

    #[test]
    fn sources_are_told_apart() {
        let mut counts = RenewalCounts::default();
        for ago in 0..5 {
            counts.add("iot", THIS.plus(-ago), 0);
        }
        counts.add("web", THIS, 7);
        assert_eq!((counts.last("web"), counts.last("else")), (Some(THIS), None));
        let few = not_watched_enough(["iot", "web"].into_iter(), &counts, NOW);
        assert_eq!(few, ["web".into()].into());
        counts.retain(|source| source == "web");
        assert!(!counts.is_watched("iot", THIS) && counts.is_watched("web", THIS));
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn more_renewals_never_make_a_cliff_and_more_ends_never_take_one_away(
            renewed in proptest::collection::vec(proptest::option::of(0..200_u64), 0..8),
            ending in proptest::collection::btree_map(-2..15, 0..900_u64, 0..8),
            more in 0..200_u64,
        ) {
            let ending: Vec<_> = ending.into_iter().collect();
            let months = |found: Vec<(i32, u64, u64)>| -> BTreeSet<i32> { found.iter().map(|it| it.0).collect() };
            let before = months(cliffs(&renewed, &ending));
            let grown: Vec<_> = renewed.iter().map(|it| it.map(|count| count + more)).collect();
            prop_assert!(months(cliffs(&grown, &ending)).is_subset(&before));
            let higher: Vec<_> = ending.iter().map(|(month, count)| (*month, count + more)).collect();
            prop_assert!(months(cliffs(&renewed, &higher)).is_superset(&before));
            prop_assert!(before.iter().all(|month| (1..=12).contains(month)));
        }
    }
}
