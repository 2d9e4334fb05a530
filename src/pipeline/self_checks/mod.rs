//! The watcher watches itself: the clock, sources without a proven scan, providers' clocks, channels.

mod failing;
mod providers;
mod sanity;
mod watch;

use std::time::Duration;

use super::source_status::SourceStatuses;
use super::{Health, Settings, Watched, bound, digest, missed};
use crate::client::ClockOffset;
use crate::expiry::{Condition, Conditions, Renewing, Timestamp, Topic, Transition};
use crate::store::Saved;

use failing::Failing;
pub(super) use providers::Moment;
use providers::{Opinion, Providers};
use sanity::{Before, Sanity, Suspect};
use watch::{Entry, Watch};

/// A provider's clock may differ from ours by this many seconds before it is reported.
const OFFSET: i64 = 60;

/// One that was reported is over at so many: what swings about the limit is not said at each swing.
const NO_OFFSET: i64 = 30;

/// Where the store has the last good time, beside the keys of conditions.
const GOOD_TIME: &str = "clock\u{1f}good";

/// While the clock is good, its time is written no oftener than this.
const WRITE_EVERY: Duration = Duration::from_mins(1);

/// While nothing else is written.
const ALONE_EVERY: Duration = Duration::from_mins(5);

/// What a suspicion adds where no provider answered lately.
const NO_PROVIDER: &str = "; no provider's clock tells: 10 minutes in which it moves with the machine's own count will do";

/// What can be wrong with the daemon and with what it depends on.
pub(super) struct SelfChecks {
    conditions: Conditions,
    sanity: Sanity,
    providers: Providers,
    watch: Watch,
    failing: Failing,
    /// The last check, if the clock was found good in it.
    good: Option<Moment>,
    /// How long the machine was up when the last good time was drafted.
    written: Option<Duration>,
    started: Moment,
}

impl SelfChecks {
    /// Begins to watch at `started`, with what was saved before a restart. No clock shows a time before `earliest`.
    pub(super) fn new(saved: &Saved, started: Moment, earliest: Timestamp) -> Self {
        let mut conditions = Conditions::default();
        let (mut watch, mut failing) = (Watch::default(), Failing::default());
        let is_ours = |key: &str| {
            let of_others = [Renewing::is_key, missed::is_key, bound::is_key, digest::is_key];
            key != GOOD_TIME && !of_others.iter().any(|is_key| is_key(key))
        };
        let stored = saved.conditions.iter().filter(|(key, _)| is_ours(key));
        for (key, at) in stored {
            let mut beside = || watch.restore(key, *at) || failing.restore(key, *at);
            if !beside() && !conditions.restore(key, *at) {
                tracing::warn!(key, "a stored condition of another version is ignored");
            }
        }
        let suspect = conditions.holds(&Condition::Clock);
        let last_good = last_good(saved);
        watch.start(last_good, started.wall);
        let before = Before { last_good, suspect };
        Self {
            conditions,
            sanity: Sanity::new(earliest, before),
            providers: Providers::default(),
            watch,
            failing,
            good: None,
            written: None,
            started,
        }
    }

    /// Returns whether the clock was found good at the last check.
    pub(super) const fn clock_is_trusted(&self) -> bool {
        self.good.is_some()
    }

    /// Takes the clock for wrong until it is checked.
    #[cfg(test)]
    pub(super) const fn distrust(&mut self) {
        self.good = None;
    }

    /// Returns what keeps the daemon from being well, in words: sources, channels, the clock.
    pub(super) fn troubles(&self) -> Vec<String> {
        let said = |condition: &Condition| match condition {
            Condition::Source(name) => {
                Some(format!("source {name} has had no proven scan for too long"))
            }
            Condition::Channel(name) => Some(format!("channel {name} cannot deliver")),
            Condition::Clock => Some("the clock of the machine cannot be trusted".to_owned()),
            _ => None,
        };
        self.conditions.held().filter_map(said).collect()
    }

    /// Checks the machine's clock.
    pub(super) fn check_clock(&mut self, now: Moment) -> Option<Transition> {
        let opinion = self.providers.opinion(now);
        let suspect = self.sanity.check(now, opinion);
        self.good = suspect.is_none().then_some(now);
        let Some(Suspect { why, again }) = suspect else { return self.clear(&Condition::Clock) };
        let detail = if opinion == Opinion::Unknown { why + NO_PROVIDER } else { why };
        let topic = Topic::ClockSuspect { detail };
        if again {
            return self.conditions.remind(Condition::Clock, topic, now.wall);
        }
        self.raise(Condition::Clock, topic, now.wall)
    }

    /// Returns the key and value under which the last good time is stored, where it is time to write it: at the end in
    /// any case.
    pub(super) fn good_time(&mut self, at_the_end: bool) -> Option<(String, Timestamp)> {
        let Moment { wall, uptime } = self.good?;
        let recent = |written| uptime.saturating_sub(written) < WRITE_EVERY;
        if !at_the_end && self.written.is_some_and(recent) {
            return None;
        }
        self.written = Some(uptime);
        Some((GOOD_TIME.to_owned(), wall))
    }

    /// Returns the same where nothing else was written for a while: a process that is killed leaves no time of its end.
    pub(super) fn good_time_alone(&mut self) -> Option<(String, Timestamp)> {
        let uptime = self.good?.uptime;
        let recent = |written| uptime.saturating_sub(written) < ALONE_EVERY;
        if self.written.is_some_and(recent) { None } else { self.good_time(true) }
    }

    /// A source without a proven scan for 2.5 of its intervals is itself an alert.
    pub(super) fn check_source(
        &mut self,
        source: &Watched,
        statuses: &SourceStatuses,
        now: Moment,
    ) -> Option<Transition> {
        let proven = proven(source, statuses);
        let condition = Condition::Source(source.name.clone());
        let is_stale = |(last, interval): &&(Option<Timestamp>, i64)| {
            self.deadline(&source.name, *last, *interval, now) <= now.wall
        };
        let stale = proven.iter().find(is_stale);
        if let Some((last_proven, _)) = stale {
            let (source, error) = (source.name.clone(), statuses.last_error(&source.name));
            let topic = Topic::SourceStale { source, last_proven: *last_proven, error };
            return self.raise(condition, topic, now.wall);
        }
        if proven.iter().all(|(last, _)| last.is_some()) { self.clear(&condition) } else { None }
    }

    /// Returns from when on a window is stale: it was not proven for that long while the daemon watched, since its last
    /// proof or since it was configured. A proof from the future counts as none, and the start moves when the clock is set:
    /// no deadline is further away than it can be.
    fn deadline(
        &self,
        source: &str,
        last_proven: Option<Timestamp>,
        interval: i64,
        now: Moment,
    ) -> Timestamp {
        let running = now.uptime.saturating_sub(self.started.uptime).as_secs();
        let started = now.wall.plus(-i64::try_from(running).unwrap_or(i64::MAX));
        let proven = last_proven.filter(|last| *last <= now.wall);
        let since = proven.max(self.watch.configured(source, now.wall)).unwrap_or(started);
        let allowed = interval.saturating_mul(5) / 2 + 1;
        if since >= started {
            return since.plus(allowed);
        }
        started.plus(allowed.saturating_sub(self.watch.before_the_start(since)))
    }

    /// Returns when the next source is stale if no scan is proven until then. Times are whole seconds, and the one of the
    /// start had begun by up to a second: one more is waited, or a short interval would end too early.
    pub(super) fn next_deadline(
        &self,
        sources: &[Watched],
        statuses: &SourceStatuses,
        now: Moment,
    ) -> Option<Timestamp> {
        let reported = |source: &Watched| Condition::Source(source.name.clone());
        let open = sources.iter().filter(|source| !self.conditions.holds(&reported(source)));
        let deadlines = open.flat_map(|source| {
            let windows = proven(source, statuses).into_iter();
            windows.map(|(last, interval)| self.deadline(&source.name, last, interval, now).plus(1))
        });
        deadlines.min()
    }

    /// Returns how much longer evaluation is held because of the clock, where that is known.
    pub(super) fn held_for(&self, uptime: Duration) -> Option<Duration> {
        self.sanity.left(uptime)
    }

    /// An answer showed a provider's clock, or none that it could be told from.
    pub(super) fn observe_offset(&mut self, source: &str, offset: Option<ClockOffset>) {
        if let Some(offset) = offset {
            self.providers.observe(source, offset);
        }
    }

    /// Checks the clocks of all providers.
    pub(super) fn check_offsets(&mut self, now: Moment) -> Vec<Transition> {
        let Self { providers, conditions, .. } = self;
        let offsets = providers.offsets(now);
        offsets
            .filter_map(|(source, seconds)| check_offset(conditions, source, seconds, now.wall))
            .collect()
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
            Health::Down { code, hint, since } => {
                self.raise(condition, Topic::ChannelDown { channel, code, hint }, since.min(now))
            }
            Health::Up => self.clear(&condition),
            Health::GaveUp { .. } => None,
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

    /// Returns since when a place is not seen, if that was reported.
    pub(super) fn hidden_since(&self, source: &str, place: &str) -> Option<Timestamp> {
        self.conditions.hidden_since(source, place)
    }

    /// Returns what was said once of what is ahead.
    pub(super) fn ahead(&self) -> Vec<Condition> {
        self.conditions.ahead()
    }

    /// Returns what was reported of the places of a source and is not over.
    pub(super) fn of_places(&self, source: &str) -> Vec<Condition> {
        self.conditions.of_places(source)
    }

    /// An endpoint could not be reached. Answers with since when, once that is to be reported.
    pub(super) fn endpoint_failed(
        &mut self,
        source: &str,
        place: &str,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.failing.failed(source, place, now)
    }

    /// Endpoints of a source were reached, or are not looked at any more.
    pub(super) fn endpoints_reached(&mut self, source: &str, is_reached: impl Fn(&str) -> bool) {
        self.failing.retain(|name, place| name != source || !is_reached(place));
    }

    /// Returns what is to be stored of endpoints that failed, where that changed since the last call.
    pub(super) fn take_failing_changes(&mut self) -> Vec<Entry> {
        self.failing.take_changes()
    }

    /// Returns what is to be stored of how long sources are watched, where that changed since the last call.
    pub(super) fn take_watch_changes(&mut self) -> Vec<Entry> {
        self.watch.take_changes()
    }

    /// Forgets the conditions of sources and channels that are not configured any more. Answers with them. Sources that
    /// are new are watched from now on.
    pub(super) fn follow(&mut self, settings: &Settings, now: Timestamp) -> Vec<Condition> {
        let names: Vec<&str> = settings.watched.iter().map(|source| &*source.name).collect();
        self.watch.follow(&names, now);
        let source = |name: &str| settings.watched.iter().any(|source| source.name == name);
        self.providers.retain(source);
        self.failing.retain(|name, _| source(name));
        let channels = &settings.config.channels;
        let channel = |name: &str| channels.iter().any(|channel| channel.name == name);
        self.conditions.retain(|condition| match condition {
            Condition::Source(name)
            | Condition::Scope(name, _)
            | Condition::Contradiction(name, _)
            | Condition::Place(name, _)
            | Condition::Unreachable(name, _)
            | Condition::Invalid(name, ..)
            | Condition::EndsFirst(name, ..)
            | Condition::Cliff(name, _)
            | Condition::Offset(name) => source(name),
            Condition::Channel(name) => channel(name),
            Condition::Clock => true,
        })
    }
}

fn check_offset(
    conditions: &mut Conditions,
    source: &str,
    seconds: i64,
    now: Timestamp,
) -> Option<Transition> {
    let condition = Condition::Offset(source.to_owned());
    let most = if conditions.holds(&condition) { NO_OFFSET } else { OFFSET };
    if seconds.abs() > most {
        let topic = Topic::ClockOffset { source: source.to_owned(), seconds };
        return conditions.raise(condition, topic, now);
    }
    conditions.clear(&condition)
}

/// Returns the last good time of the process before. One of an earlier release left only when its scans ended.
fn last_good(saved: &Saved) -> Option<Timestamp> {
    let good = saved.conditions.iter().find(|(key, _)| key == GOOD_TIME).map(|(_, at)| *at);
    good.or_else(|| saved.scans.iter().map(|scan| scan.ended).max())
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

    use super::*;
    use crate::expiry::Severity;
    use crate::metrics::{DaemonMetrics, Setup};

    /// 2027-01-15T08:00:00Z.
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn after(seconds: i64) -> Moment {
        let uptime = Duration::from_secs(70_000 + u64::try_from(seconds).unwrap());
        Moment { wall: NOW.plus(seconds), uptime }
    }

    fn checks() -> SelfChecks {
        SelfChecks::new(&Saved::default(), after(0), NOW)
    }

    fn watched(name: &str, intervals: &[(&'static str, i64)]) -> Watched {
        let (name, kind, intervals) = (name.to_owned(), "files".to_owned(), intervals.to_vec());
        Watched { name, kind, intervals, scopes: None, serves: false, tells_use: false }
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
        let deadline = |checks: &SelfChecks| checks.next_deadline(&sources, &statuses, after(0));
        for (number, seconds) in [(1, 1_501), (0, 2_503)] {
            assert_eq!(deadline(&checks), Some(NOW.plus(seconds + 1)));
            let source = &sources[number];
            assert_eq!(checks.check_source(source, &statuses, after(seconds - 1)), None);
            let turned = checks.check_source(source, &statuses, after(seconds)).unwrap();
            assert_eq!(turned.condition, Condition::Source(source.name.clone()));
            assert_eq!(checks.check_source(source, &statuses, after(seconds + 9)), None);
        }
        assert_eq!(deadline(&checks), None, "both are reported");
    }

    /// Stores what a run leaves, at its end.
    fn leave(saved: &mut Saved, checks: &mut SelfChecks, now: Moment) {
        checks.check_clock(now);
        let entries = checks
            .take_watch_changes()
            .into_iter()
            .chain(checks.good_time(true).map(|(key, at)| (key, Some(at))));
        for (key, at) in entries {
            saved.conditions.retain(|(known, _)| *known != key);
            saved.conditions.extend(at.map(|at| (key, at)));
        }
    }

    #[test]
    fn a_source_that_never_worked_is_stale_however_often_the_daemon_restarts() {
        let sources = [watched("slow", &[("all", 1_000)])];
        let statuses = statuses(&sources);
        let mut saved = Saved::default();
        let mut watched_for = 0;
        let mut stale = Vec::new();
        // It runs for 600 seconds, and is down for 900.
        for start in (0..15_000).step_by(1_500) {
            let mut checks = SelfChecks::new(&saved, after(start), NOW);
            checks.watch.follow(&["slow"], after(start).wall);
            let turned = checks.check_source(&sources[0], &statuses, after(start + 600));
            watched_for += 600;
            stale.extend(turned.map(|_| watched_for));
            leave(&mut saved, &mut checks, after(start + 600));
        }
        assert_eq!(stale.first(), Some(&3_000), "after 2.5 intervals of being watched: 2 501 s");
    }

    #[test]
    fn a_source_that_is_put_back_is_watched_from_then_on() {
        let sources = [watched("iot", &[("all", 1_000)])];
        let statuses = statuses(&sources);
        let mut checks = checks();
        let check = |checks: &mut SelfChecks, seconds| {
            checks.check_source(&sources[0], &statuses, after(seconds)).is_some()
        };
        checks.watch.follow(&["iot"], after(0).wall);
        assert!(!check(&mut checks, 2_500));
        checks.watch.follow(&[], after(2_500).wall);
        checks.watch.follow(&["iot"], after(9_000).wall);
        let next = checks.next_deadline(&sources, &statuses, after(9_000));
        assert_eq!(next, Some(NOW.plus(9_000 + 2_501 + 1)));
        assert!(!check(&mut checks, 11_500));
        assert!(check(&mut checks, 11_501));
    }

    #[test]
    fn a_clock_that_jumped_holds_evaluation_and_the_message_says_that_nobody_confirms_it() {
        let mut checks = checks();
        assert!(!checks.clock_is_trusted(), "not before it was looked at");
        assert_eq!(checks.check_clock(after(0)), None);
        assert!(checks.clock_is_trusted());
        let jumped = |seconds| Moment { wall: NOW.plus(seconds + 9_000), ..after(seconds) };
        let turned = checks.check_clock(jumped(60)).unwrap();
        assert_eq!((turned.severity, turned.raised.is_some()), (Severity::Critical, true));
        let Some(Topic::ClockSuspect { detail }) = turned.topic else { panic!("{turned:?}") };
        assert!(detail.contains("jumped by 9000 s") && detail.ends_with(NO_PROVIDER), "{detail}");
        assert!(!checks.clock_is_trusted());
        let left = checks.held_for(jumped(60).uptime).unwrap();
        assert_eq!(left, Duration::from_mins(10));
        let turned = checks.check_clock(jumped(660)).unwrap();
        assert_eq!(turned.topic, Some(Topic::ClockRecovered));
        assert!(checks.clock_is_trusted());
    }

    #[test]
    fn one_provider_against_a_majority_is_critical_and_holds_nothing() {
        let mut checks = checks();
        for (account, seconds) in [(1, 400 * 86_400), (2, 0), (3, 1)] {
            let Moment { wall, uptime } = after(0);
            let offset = ClockOffset { seconds, seen: wall, uptime, account };
            checks.observe_offset(&format!("source {account}"), Some(offset));
        }
        assert_eq!(checks.check_clock(after(1)), None);
        assert!(checks.clock_is_trusted());
        let turned = checks.check_offsets(after(1));
        let [Transition { condition, severity, .. }] = &turned[..] else { panic!("{turned:?}") };
        assert_eq!(*condition, Condition::Offset("source 1".to_owned()));
        assert_eq!(*severity, Severity::Critical);
    }

    #[test]
    fn a_good_time_is_written_once_a_minute_and_at_the_end() {
        let mut checks = checks();
        assert_eq!(checks.good_time(true), None, "the clock was not looked at");
        let mut written = Vec::new();
        for second in 0..=120 {
            checks.check_clock(after(second));
            written.extend(checks.good_time(second == 90).map(|(_, at)| at.since(NOW)));
        }
        assert_eq!(written, [0, 60, 90]);
        let far = Moment { wall: NOW.plus(9_000), ..after(121) };
        checks.check_clock(far);
        assert_eq!(checks.good_time(true), None, "it is suspect");
    }

    #[test]
    fn a_proof_from_the_future_and_a_clock_that_was_set_put_no_deadline_off() {
        let checks = checks();
        let deadline =
            |last: i64, now: Moment| checks.deadline("iot", Some(NOW.plus(last)), 1_000, now);
        assert_eq!(deadline(400 * 86_400, after(9)), NOW.plus(2_501));
        let set = Moment { wall: NOW.plus(-7_000), ..after(0) };
        assert_eq!(deadline(-7_000, set), NOW.plus(-7_000 + 2_501));
    }

    #[test]
    fn an_offset_is_reported_beyond_a_minute_either_way() {
        for (seconds, reported) in [(60, false), (61, true), (-60, false), (-61, true)] {
            let turned = check_offset(&mut checks().conditions, "iot", seconds, NOW);
            assert_eq!(turned.is_some(), reported, "{seconds}");
        }
        let mut checks = checks();
        check_offset(&mut checks.conditions, "iot", 90, NOW).unwrap();
        let over = check_offset(&mut checks.conditions, "iot", 1, NOW).unwrap();
        assert_eq!((over.raised, over.topic), (None, None), "it needs no message");
    }

    #[test]
    fn what_was_reported_before_a_restart_is_not_reported_again() {
        let key = Condition::Channel("ops".to_owned()).key();
        let stored = [(key, NOW), ("later\u{1f}thing".to_owned(), NOW)];
        let saved = Saved { conditions: stored.to_vec(), ..Saved::default() };
        let mut checks = SelfChecks::new(&saved, after(0), NOW);
        let down = || Health::Down { code: "410".to_owned(), hint: String::new(), since: NOW };
        assert_eq!(checks.channel("ops".to_owned(), down(), NOW), None);
        assert!(checks.channel("room".to_owned(), down(), NOW).is_some());
        assert!(checks.channel("ops".to_owned(), Health::Up, NOW).is_some());
    }
}
