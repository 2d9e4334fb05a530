//! What the clocks of providers say of ours.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::ClockOffset;
use crate::expiry::Timestamp;

/// An answer has a say for this long. It may hold evaluation only that long, but is good against a doubt for ever.
const FRESH: Duration = Duration::from_hours(1);

/// A difference of more seconds contradicts our clock.
const CONTRADICTION: i64 = 3600;

/// One moment, by both clocks of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) struct Moment {
    /// By the clock that may be set.
    pub(in crate::pipeline) wall: Timestamp,
    /// By the one that may not, see [`crate::clock::Clock::uptime`].
    pub(in crate::pipeline) uptime: Duration,
}

/// What most providers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    /// None answered lately.
    Unknown,
    /// None answered lately, and most of those who ever did contradict.
    Contradicted,
    /// Most agree.
    Agree,
    /// Most contradict.
    Contradict {
        /// How many do.
        providers: usize,
        /// The smallest of their differences: their time minus ours, in seconds.
        seconds: i64,
    },
}

/// The clock of each provider, as the last answer to each source showed it.
#[derive(Debug, Default)]
pub(super) struct Providers {
    by_source: BTreeMap<String, ClockOffset>,
}

impl Providers {
    /// An answer showed a provider's clock.
    pub(super) fn observe(&mut self, source: &str, offset: ClockOffset) {
        self.by_source.insert(source.to_owned(), offset);
    }

    /// Forgets what other sources showed.
    pub(super) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.by_source.retain(|source, _| keep(source));
    }

    /// Returns each provider's time minus ours, in seconds, as far as it is known.
    pub(super) fn offsets(&self, now: Moment) -> impl Iterator<Item = (&str, i64)> {
        self.by_source
            .iter()
            .map(move |(source, offset)| (source.as_str(), offset.at(now.wall, now.uptime)))
    }

    /// Returns what most providers say of our clock.
    pub(super) fn opinion(&self, now: Moment) -> Opinion {
        match self.majority(now, FRESH) {
            Opinion::Unknown => match self.majority(now, Duration::MAX) {
                Opinion::Contradict { .. } => Opinion::Contradicted,
                _ => Opinion::Unknown,
            },
            opinion => opinion,
        }
    }

    /// Counts accounts, by their newest answer. A tie counts as most.
    fn majority(&self, now: Moment, oldest: Duration) -> Opinion {
        let answered = self.by_source.values().filter(|offset| offset.age(now.uptime) <= oldest);
        let mut by_account: Vec<&ClockOffset> = answered.collect();
        by_account.sort_by_key(|offset| (offset.account, Reverse(offset.uptime)));
        by_account.dedup_by_key(|offset| offset.account);
        let all = by_account.iter().map(|offset| offset.at(now.wall, now.uptime));
        let contradict: Vec<i64> = all.filter(|seconds| seconds.abs() > CONTRADICTION).collect();
        let smallest = contradict.iter().copied().min_by_key(|seconds| seconds.abs());
        match smallest {
            Some(seconds) if contradict.len() * 2 >= by_account.len() => {
                Opinion::Contradict { providers: contradict.len(), seconds }
            }
            _ if by_account.is_empty() => Opinion::Unknown,
            _ => Opinion::Agree,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const HOUR: i64 = 3600;

    fn after(seconds: u64) -> Moment {
        let uptime = Duration::from_secs(10_000 + seconds);
        Moment { wall: NOW.plus(i64::try_from(seconds).unwrap()), uptime }
    }

    fn offset(account: u64, seconds: i64, seen_after: u64) -> ClockOffset {
        let Moment { wall, uptime } = after(seen_after);
        ClockOffset { seconds, seen: wall, uptime, account }
    }

    fn opinion(offsets: &[ClockOffset], now: Moment) -> Opinion {
        let mut providers = Providers::default();
        for (number, offset) in offsets.iter().enumerate() {
            providers.observe(&format!("source {number}"), *offset);
        }
        providers.opinion(now)
    }

    #[test]
    fn most_providers_contradict_and_a_tie_is_most() {
        let of = |seconds: &[i64]| {
            let offsets: Vec<_> = (0..).zip(seconds).map(|(one, s)| offset(one, *s, 0)).collect();
            opinion(&offsets, after(5))
        };
        let contradict = |providers, seconds| Opinion::Contradict { providers, seconds };
        assert_eq!(of(&[]), Opinion::Unknown);
        assert_eq!(of(&[HOUR]), Opinion::Agree);
        assert_eq!(of(&[HOUR + 1]), contradict(1, HOUR + 1));
        assert_eq!(of(&[-HOUR - 1, 0]), contradict(1, -HOUR - 1));
        assert_eq!(of(&[9 * HOUR, 0, 0]), Opinion::Agree);
        assert_eq!(of(&[9 * HOUR, -8 * HOUR, 0]), contradict(2, -8 * HOUR));
    }

    #[test]
    fn sources_of_one_account_count_once_with_the_newest_answer() {
        let far = 9 * HOUR;
        let same = [offset(1, far, 0), offset(1, far, 1), offset(1, far, 2), offset(2, 0, 0)];
        assert_eq!(opinion(&same, after(5)), Opinion::Contradict { providers: 1, seconds: far });
        let others = [&same[..], &[offset(3, 0, 0)]].concat();
        assert_eq!(opinion(&others, after(5)), Opinion::Agree);
        let corrected = [offset(1, far, 0), offset(1, 0, 2), offset(1, far, 1)];
        assert_eq!(opinion(&corrected, after(5)), Opinion::Agree);
    }

    #[test]
    fn an_answer_has_a_say_for_an_hour() {
        let far = Opinion::Contradict { providers: 1, seconds: 9 * HOUR };
        assert_eq!(opinion(&[offset(1, 9 * HOUR, 0)], after(3600)), far);
        assert_eq!(opinion(&[offset(1, 9 * HOUR, 0)], after(3601)), Opinion::Contradicted);
        assert_eq!(opinion(&[offset(1, 0, 0)], after(3600)), Opinion::Agree);
        assert_eq!(opinion(&[offset(1, 0, 0)], after(3601)), Opinion::Unknown);
    }

    #[test]
    fn an_answer_from_before_our_clock_was_set_is_held_against_what_it_shows_now() {
        let mut set = after(60);
        set.wall = set.wall.plus(400 * 24 * HOUR);
        let expected = Opinion::Contradict { providers: 1, seconds: -400 * 24 * HOUR };
        assert_eq!(opinion(&[offset(1, 0, 0)], set), expected);
    }
}
