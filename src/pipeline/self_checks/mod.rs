//! The watcher watches itself: the clock, sources without a proven scan, providers' clocks, channels.

mod sanity;

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::source_status::SourceStatuses;
use super::{Health, Settings, Watched};
use crate::client::ClockOffset;
use crate::expiry::{Condition, Conditions, Timestamp, Topic, Transition};

use sanity::Sanity;

/// A provider's clock may differ from ours by this many seconds before it is reported.
const OFFSET: i64 = 60;

/// What can be wrong with the daemon and with what it depends on.
pub(super) struct SelfChecks {
    conditions: Conditions,
    sanity: Sanity,
    /// Whether the clock was found good at the last check.
    trusted: bool,
    started: Timestamp,
    /// The clock of each provider as the last poll showed it.
    offsets: BTreeMap<String, ClockOffset>,
}

impl SelfChecks {
    /// Begins to watch at `started`, with what was reported before a restart. No clock shows a time before `earliest`.
    pub(super) fn new(
        stored: &[(String, Timestamp)],
        started: Timestamp,
        earliest: Timestamp,
    ) -> Self {
        let mut conditions = Conditions::default();
        for (key, at) in stored {
            if !conditions.restore(key, *at) {
                tracing::warn!(key, "a stored condition of another version is ignored");
            }
        }
        let (sanity, offsets) = (Sanity::new(earliest), BTreeMap::new());
        Self { conditions, sanity, trusted: false, started, offsets }
    }

    /// Returns whether the clock was found good at the last check.
    pub(super) const fn clock_is_trusted(&self) -> bool {
        self.trusted
    }

    /// Checks the machine's clock.
    pub(super) fn check_clock(
        &mut self,
        wall: Timestamp,
        monotonic: Instant,
    ) -> Option<Transition> {
        let suspicion = self.sanity.check(wall, monotonic).map(str::to_owned);
        self.trusted = suspicion.is_none();
        match suspicion {
            Some(detail) => self.raise(Condition::Clock, Topic::ClockSuspect { detail }, wall),
            None => self.clear(&Condition::Clock),
        }
    }

    /// A source without a proven scan for 2.5 of its intervals is itself an alert.
    pub(super) fn check_source(
        &mut self,
        source: &Watched,
        statuses: &SourceStatuses,
        now: Timestamp,
    ) -> Option<Transition> {
        let proven = proven(source, statuses);
        let condition = Condition::Source(source.name.clone());
        let stale = proven.iter().find(|(last, interval)| self.deadline(*last, *interval) <= now);
        if let Some((last_proven, _)) = stale {
            let (source, error) = (source.name.clone(), statuses.last_error(&source.name));
            let topic = Topic::SourceStale { source, last_proven: *last_proven, error };
            return self.raise(condition, topic, now);
        }
        if proven.iter().all(|(last, _)| last.is_some()) { self.clear(&condition) } else { None }
    }

    /// Returns from when on a window is stale. Time without the daemon is not held against a source: after a start it
    /// has its intervals again.
    fn deadline(&self, last_proven: Option<Timestamp>, interval: i64) -> Timestamp {
        let since = last_proven.unwrap_or(self.started).max(self.started);
        since.plus(interval.saturating_mul(5) / 2 + 1)
    }

    /// Returns when the next source is stale if no scan is proven until then. Times are whole seconds, and the one of the
    /// start had begun by up to a second: one more is waited, or a short interval would end too early.
    pub(super) fn next_deadline(
        &self,
        sources: &[Watched],
        statuses: &SourceStatuses,
    ) -> Option<Timestamp> {
        let reported = |source: &Watched| Condition::Source(source.name.clone());
        let open = sources.iter().filter(|source| !self.conditions.holds(&reported(source)));
        let windows = open.flat_map(|source| proven(source, statuses));
        windows.map(|(last, interval)| self.deadline(last, interval).plus(1)).min()
    }

    /// Returns until when evaluation is held because of the clock, where that is known.
    pub(super) const fn held_until(&self) -> Option<Instant> {
        self.sanity.suspect_until()
    }

    /// A poll showed a provider's clock, or none that it could be told from.
    pub(super) fn observe_offset(&mut self, source: &str, offset: Option<ClockOffset>) {
        self.offsets.extend(offset.map(|offset| (source.to_owned(), offset)));
    }

    /// Checks the clocks of all providers.
    pub(super) fn check_offsets(&mut self, now: Timestamp) -> Vec<Transition> {
        let offsets: Vec<_> =
            self.offsets.iter().map(|(source, offset)| (source.clone(), offset.seconds)).collect();
        let check = |(source, seconds): (String, i64)| self.check_offset(&source, seconds, now);
        offsets.into_iter().filter_map(check).collect()
    }

    fn check_offset(&mut self, source: &str, seconds: i64, now: Timestamp) -> Option<Transition> {
        let condition = Condition::Offset(source.to_owned());
        if seconds.abs() > OFFSET {
            let topic = Topic::ClockOffset { source: source.to_owned(), seconds };
            return self.raise(condition, topic, now);
        }
        self.clear(&condition)
    }

    /// A channel's health changed.
    pub(super) fn channel(
        &mut self,
        channel: String,
        health: Health,
        now: Timestamp,
    ) -> Option<Transition> {
        let condition = Condition::Channel(channel.clone());
        match health {
            Health::Down { code, hint } => {
                self.raise(condition, Topic::ChannelDown { channel, code, hint }, now)
            }
            Health::Up => self.clear(&condition),
        }
    }

    /// A condition holds.
    pub(super) fn raise(
        &mut self,
        condition: Condition,
        topic: Topic,
        now: Timestamp,
    ) -> Option<Transition> {
        self.conditions.raise(condition, topic, now)
    }

    /// A condition is over.
    pub(super) fn clear(&mut self, condition: &Condition) -> Option<Transition> {
        self.conditions.clear(condition)
    }

    /// A condition is over, and `topic` is what is reported of it.
    pub(super) fn end(
        &mut self,
        condition: &Condition,
        topic: Option<Topic>,
    ) -> Option<Transition> {
        self.conditions.end(condition, topic)
    }

    /// Returns whether a condition was reported and is not over.
    pub(super) fn holds(&self, condition: &Condition) -> bool {
        self.conditions.holds(condition)
    }

    /// Forgets the conditions of sources and channels that are not configured any more. Answers with them.
    pub(super) fn follow(&mut self, settings: &Settings) -> Vec<Condition> {
        let source = |name: &str| settings.watched.iter().any(|source| source.name == name);
        self.offsets.retain(|name, _| source(name));
        let channels = &settings.config.channels;
        let channel = |name: &str| channels.iter().any(|channel| channel.name == name);
        self.conditions.retain(|condition| match condition {
            Condition::Source(name)
            | Condition::Scope(name, _)
            | Condition::Contradiction(name, _)
            | Condition::Offset(name) => source(name),
            Condition::Channel(name) => channel(name),
            Condition::Clock => true,
        })
    }
}

/// Returns when each window of a source was last proven, and the seconds between two polls of it.
fn proven(source: &Watched, statuses: &SourceStatuses) -> Vec<(Option<Timestamp>, i64)> {
    let windows = source.intervals.iter();
    windows
        .map(|(window, interval)| (statuses.last_proven(&source.name, window), *interval))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::expiry::Severity;
    use crate::metrics::{DaemonMetrics, Setup};

    /// 2027-01-15T08:00:00Z.
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn checks() -> SelfChecks {
        SelfChecks::new(&[], NOW, NOW)
    }

    fn watched(name: &str, intervals: &[(&'static str, i64)]) -> Watched {
        let (name, kind, intervals) = (name.to_owned(), "files".to_owned(), intervals.to_vec());
        Watched { name, kind, intervals, scopes: None }
    }

    fn statuses(sources: &[Watched]) -> SourceStatuses {
        let mut statuses = SourceStatuses::new(Arc::new(DaemonMetrics::new(&Setup::default())));
        statuses.follow(sources);
        statuses
    }

    #[test]
    fn a_source_is_stale_from_its_deadline_on_and_that_is_reported_once() {
        let sources = [
            watched("slow", &[("all", 1_001)]),
            watched("quick", &[("all", 9_000), ("near", 600)]),
        ];
        let statuses = statuses(&sources);
        let mut checks = checks();
        let deadline = |checks: &SelfChecks| checks.next_deadline(&sources, &statuses);
        for (number, after) in [(1, 1_501), (0, 2_503)] {
            assert_eq!(deadline(&checks), Some(NOW.plus(after + 1)));
            let source = &sources[number];
            assert_eq!(checks.check_source(source, &statuses, NOW.plus(after - 1)), None);
            let turned = checks.check_source(source, &statuses, NOW.plus(after)).unwrap();
            assert_eq!(turned.condition, Condition::Source(source.name.clone()));
            assert_eq!(checks.check_source(source, &statuses, NOW.plus(after + 9)), None);
        }
        assert_eq!(deadline(&checks), None, "both are reported");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumped_holds_evaluation_until_it_behaved_for_a_while() {
        let mut checks = checks();
        let start = Instant::now();
        assert!(!checks.clock_is_trusted(), "not before it was looked at");
        assert_eq!(checks.check_clock(NOW, start), None);
        assert!(checks.clock_is_trusted());
        assert_eq!(checks.held_until(), None);
        let minute = Duration::from_mins(1);
        let turned = checks.check_clock(NOW.plus(9_000), start + minute).unwrap();
        assert_eq!((turned.severity, turned.raised.is_some()), (Severity::Critical, true));
        assert!(!checks.clock_is_trusted());
        let until = checks.held_until().unwrap();
        assert!(until > start + minute);
        let seconds = i64::try_from((until - start - minute).as_secs()).unwrap();
        let turned = checks.check_clock(NOW.plus(9_000 + seconds), until).unwrap();
        assert_eq!(turned.topic, Some(Topic::ClockRecovered));
        assert!(checks.clock_is_trusted());
    }

    #[test]
    fn an_offset_is_reported_beyond_a_minute_either_way() {
        for (seconds, reported) in [(60, false), (61, true), (-60, false), (-61, true)] {
            let turned = checks().check_offset("iot", seconds, NOW);
            assert_eq!(turned.is_some(), reported, "{seconds}");
        }
        let mut checks = checks();
        checks.check_offset("iot", 90, NOW).unwrap();
        let over = checks.check_offset("iot", 1, NOW).unwrap();
        assert_eq!((over.raised, over.topic), (None, None), "it needs no message");
    }

    #[test]
    fn what_was_reported_before_a_restart_is_not_reported_again() {
        let key = Condition::Channel("ops".to_owned()).key();
        let stored = [(key, NOW), ("later\u{1f}thing".to_owned(), NOW)];
        let mut checks = SelfChecks::new(&stored, NOW, NOW);
        let down = || Health::Down { code: "410".to_owned(), hint: String::new() };
        assert_eq!(checks.channel("ops".to_owned(), down(), NOW), None);
        assert!(checks.channel("room".to_owned(), down(), NOW).is_some());
        assert!(checks.channel("ops".to_owned(), Health::Up, NOW).is_some());
    }
}
