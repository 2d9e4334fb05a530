//! How every source is doing: the last scan of each of its parts, kept up step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Watched;
use super::window_key::WindowKey;
use crate::expiry::{Timestamp, WindowName};
use crate::metrics::{DaemonMetrics, ScopesBySource};
use crate::scan::{LastRead, Report, ScanStatus, SourceStatus};
use crate::source::Places;
use crate::store::ScanRecord;

/// Places with something wrong that are named for readers and in the log.
const NAMED: usize = 10;

/// What is known of the configured sources.
pub(super) struct SourceStatuses {
    records: BTreeMap<WindowKey, Record>,
    sources: BTreeMap<String, Source>,
    metrics: Arc<DaemonMetrics>,
    /// Whether parts came or went since that was last asked.
    parts_changed: bool,
}

/// The last scan of one part.
struct Record {
    scan: ScanRecord,
    /// Certificates that the scan counted or knew and did not see; known once one answered since the start.
    missing: Option<u64>,
    /// Whether the last proven scan since the start found nothing to freeze.
    sound: bool,
}

#[derive(Default)]
struct Source {
    status: SourceStatus,
    /// What kept the poll under way from being proven, first of all.
    problem: Option<String>,
}

impl SourceStatuses {
    pub(super) fn new(metrics: Arc<DaemonMetrics>) -> Self {
        Self { records: BTreeMap::new(), sources: BTreeMap::new(), metrics, parts_changed: true }
    }

    /// Takes back the scans from before a restart.
    pub(super) fn restore(&mut self, scans: Vec<ScanRecord>) {
        for scan in scans {
            let Some(key) = WindowKey::of_record(&scan) else {
                let (source, window) = (scan.source, scan.window);
                tracing::warn!(source, window, "a stored scan of another version is ignored");
                continue;
            };
            self.records.insert(key, Record { scan, missing: None, sound: false });
        }
    }

    /// Knows these sources from now on, and no others.
    pub(super) fn follow(&mut self, watched: &[Watched]) {
        let known = |name: &str| watched.iter().any(|source| source.name == name);
        self.sources.retain(|name, _| known(name));
        self.records.retain(|key, _| known(&key.source));
        self.parts_changed = true;
        for source in watched {
            let status = &mut self.sources.entry(source.name.clone()).or_default().status;
            status.name.clone_from(&source.name);
            status.kind.clone_from(&source.kind);
        }
        let keys: Vec<WindowKey> = self.records.keys().cloned().collect();
        for key in &keys {
            self.refresh_line(key);
        }
    }

    /// Notes a part that will be read. Answers with its record when it is new: what is known of the other parts alone
    /// is not the whole.
    pub(super) fn register(&mut self, key: &WindowKey, now: Timestamp) -> Option<ScanRecord> {
        if self.records.contains_key(key) {
            return None;
        }
        let scan = ScanRecord {
            source: key.source.to_string(),
            scope: key.scope.to_string(),
            window: key.stored_window(),
            started: now,
            ended: now,
            proven: false,
            reported: 0,
            collected: 0,
            last_proven: None,
            error: Some("not read yet".to_owned()),
        };
        self.keep(key, Record { scan: scan.clone(), missing: None, sound: false });
        Some(scan)
    }

    /// Keeps how the scan of a part went; `missing` certificates are known and were not listed.
    pub(super) fn record(&mut self, key: &WindowKey, report: &Report, missing: u64) -> ScanRecord {
        let before = self.records.get(key);
        let scan = scan_record(key, report, before.map(|record| &record.scan));
        let gap = scan.reported.saturating_sub(scan.collected).max(report.reading.unreadable);
        let missing = match scan.error {
            Some(_) => before.and_then(|record| record.missing),
            None => Some(gap.max(missing)),
        };
        let sound = before.is_some_and(|record| record.sound);
        self.keep(key, Record { scan: scan.clone(), missing, sound });
        scan
    }

    fn keep(&mut self, key: &WindowKey, record: Record) {
        self.parts_changed |= self.records.insert(key.clone(), record).is_none();
        self.refresh_line(key);
    }

    /// Keeps whether a part has nothing frozen, by its last proven scan.
    pub(super) fn judge(&mut self, key: &WindowKey, sound: bool) {
        if let Some(record) = self.records.get_mut(key) {
            record.sound = sound;
        }
    }

    /// Returns whether every part of the scope that is ever read was found sound since the start.
    pub(super) fn is_sound(&self, source: &str, scope: &str) -> bool {
        self.of_scope(source, scope).all(|(_, record)| record.sound)
    }

    /// Forgets how a scope was read: it must not count as stale for ever. Answers whether anything was known.
    pub(super) fn forget_scope(&mut self, source: &str, scope: &str) -> bool {
        let keys: Vec<WindowKey> =
            self.of_scope(source, scope).map(|(key, _)| key.clone()).collect();
        self.parts_changed |= !keys.is_empty();
        for key in &keys {
            self.records.remove(key);
            self.refresh_line(key);
        }
        let Some(known) = self.sources.get(source).filter(|_| !keys.is_empty()) else {
            return !keys.is_empty();
        };
        let left: Vec<&str> = known.status.scans.iter().map(|line| line.scope.as_str()).collect();
        self.metrics.retain_scopes(source, &left);
        true
    }

    /// Keeps the first thing that keeps the poll under way from being proven.
    pub(super) fn note_problem(&mut self, source: &str, problem: Option<String>) {
        if let Some(source) = self.sources.get_mut(source) {
            source.problem = source.problem.take().or(problem);
        }
    }

    /// Keeps the first places with something wrong for readers, and logs those that are new.
    pub(super) fn keep_places(&mut self, source: &str, places: &Places) {
        let Some(Source { status, .. }) = self.sources.get_mut(source) else { return };
        let problems: Vec<String> = places.problems().take(NAMED).collect();
        for problem in problems.iter().filter(|problem| !status.problems.contains(problem)) {
            tracing::warn!(source, "{}", problem.replace(char::is_control, " "));
        }
        status.problems = problems;
        status.differing = places.differing().take(NAMED).collect();
    }

    /// A poll ended.
    pub(super) fn polled(&mut self, source: &str, started: Timestamp, error: Option<String>) {
        let Some(Source { status, problem }) = self.sources.get_mut(source) else { return };
        status.up = Some(error.is_none());
        status.last_attempt = Some(started);
        status.last_error = error.or(problem.take());
    }

    /// Returns what went wrong in the last poll of a source.
    pub(super) fn last_error(&self, source: &str) -> Option<String> {
        self.sources.get(source)?.status.last_error.clone()
    }

    /// Returns when the window of a source was last proven in every scope.
    pub(super) fn last_proven(&self, source: &str, window: &str) -> Option<Timestamp> {
        let status = &self.sources.get(source)?.status;
        let mut lines = status.scans.iter().filter(|line| line.window == window).peekable();
        lines.peek()?;
        lines.map(|line| line.last_proven).min().flatten()
    }

    /// Returns whether parts came or went since the last call: what is told by [`Self::is_scanned`] may be otherwise.
    pub(super) fn take_parts_changed(&mut self) -> bool {
        std::mem::take(&mut self.parts_changed)
    }

    /// Returns whether any part of the scope is read.
    pub(super) fn is_scanned(&self, source: &str, scope: &str) -> bool {
        self.of_scope(source, scope).next().is_some()
    }

    /// Returns whether every part of a scope was read to its end, proven or not: what is counted in it is no beginning.
    pub(super) fn is_read(&self, source: &str, scope: &str) -> bool {
        let is_read =
            |record: &Record| record.scan.last_proven.is_some() || record.scan.error.is_none();
        let mut parts = self.of_scope(source, scope).peekable();
        parts.peek().is_some() && parts.all(|(_, record)| is_read(record))
    }

    /// Returns the state of every source, in the order of `watched`.
    pub(super) fn published(&self, watched: &[Watched]) -> Vec<SourceStatus> {
        let known = watched.iter().filter_map(|source| self.sources.get(&source.name));
        known.map(|source| source.status.clone()).collect()
    }

    /// Returns the scopes that were read, of every source that is configured. One that its provider never answered for
    /// is not among them: unknown is never zero.
    pub(super) fn read_scopes(&self) -> ScopesBySource {
        let read = |name: &str| self.read_scopes_of(name).map(str::to_owned).collect();
        self.sources.keys().map(|name| (name.clone(), read(name))).collect()
    }

    /// Returns the scopes of one source that were read, once for each window.
    pub(super) fn read_scopes_of(&self, source: &str) -> impl Iterator<Item = &str> {
        let lines = self.sources.get(source).into_iter().flat_map(|known| &known.status.scans);
        lines.filter(|line| line.reported.is_some()).map(|line| line.scope.as_str())
    }

    fn of_scope(&self, source: &str, scope: &str) -> impl Iterator<Item = (&WindowKey, &Record)> {
        let first = WindowKey::first(source, scope, WindowName::All);
        let from = first.clone();
        self.records
            .range(from..)
            .take_while(move |(key, _)| key.is_of(&first.source, &first.scope))
    }

    /// Puts together again what readers see of the window of one scope.
    fn refresh_line(&mut self, key: &WindowKey) {
        let line = self.line(key);
        let Some(Source { status, .. }) = self.sources.get_mut(&*key.source) else { return };
        let wanted = (&*key.scope, key.window.as_str());
        let place = status
            .scans
            .binary_search_by(|line| (line.scope.as_str(), line.window.as_str()).cmp(&wanted));
        if let Some(line) = &line {
            report_line(&self.metrics, &key.source, line);
        }
        match (place, line) {
            (Ok(at), line) => drop(status.scans.splice(at..=at, line)),
            (Err(at), Some(line)) => status.scans.insert(at, line),
            (Err(_), None) => {}
        }
    }

    /// The kinds of certificate of one scope and window are one line, proven when all are.
    fn line(&self, key: &WindowKey) -> Option<ScanStatus> {
        let of_scope = self.of_scope(&key.source, &key.scope);
        let lines = of_scope.filter(|(other, _)| other.window == key.window);
        lines.map(|(key, record)| record.line(key)).reduce(|one, other| joined(one, &other))
    }
}

impl Record {
    fn line(&self, key: &WindowKey) -> ScanStatus {
        // Unknown is never zero.
        let known = |count| (!never_answered(&self.scan)).then_some(count);
        ScanStatus {
            scope: key.scope.to_string(),
            window: key.window.as_str().to_owned(),
            last_proven: self.scan.last_proven,
            reported: known(self.scan.reported),
            collected: known(self.scan.collected),
            missing: self.missing,
        }
    }
}

fn joined(one: ScanStatus, other: &ScanStatus) -> ScanStatus {
    let sum = |one: Option<u64>, other: Option<u64>| one.zip(other).map(|(one, other)| one + other);
    ScanStatus {
        last_proven: one.last_proven.min(other.last_proven),
        reported: sum(one.reported, other.reported),
        collected: sum(one.collected, other.collected),
        missing: sum(one.missing, other.missing),
        ..one
    }
}

fn report_line(metrics: &DaemonMetrics, source: &str, line: &ScanStatus) {
    if let (Some(reported), Some(collected)) = (line.reported, line.collected) {
        metrics.reported(source, &line.scope, &line.window, reported);
        metrics.collected(source, &line.scope, &line.window, collected);
    }
    if let Some(missing) = line.missing {
        metrics.missing(source, &line.scope, &line.window, missing);
    }
    if let Some(at) = line.last_proven {
        metrics.proven(source, &line.scope, &line.window, at);
    }
}

fn scan_record(key: &WindowKey, report: &Report, before: Option<&ScanRecord>) -> ScanRecord {
    // A failed poll changes nothing but that it failed: the counts stay those of the last answer.
    let (reported, collected) = match (&report.error, before) {
        (Some(_), Some(before)) => (before.reported, before.collected),
        (Some(_), None) => (0, 0),
        (None, _) => (report.reading.last_total, report.reading.distinct),
    };
    let proven_before = || before.and_then(|scan| scan.last_proven);
    ScanRecord {
        source: key.source.to_string(),
        scope: key.scope.to_string(),
        window: key.stored_window(),
        started: report.started,
        ended: report.ended,
        proven: report.proven(),
        reported,
        collected,
        last_proven: if report.proven() { Some(report.ended) } else { proven_before() },
        error: report.error.clone(),
    }
}

/// Returns whether the provider never answered for this part.
fn never_answered(scan: &ScanRecord) -> bool {
    scan.error.is_some() && (scan.reported, scan.collected) == (0, 0)
}

/// Returns when the windows of each source were last read whole, so that a restart or a reload does not read them again
/// at once. A window of which a part was never read is not in it.
pub fn last_reads(scans: &[ScanRecord]) -> BTreeMap<String, LastRead> {
    let mut last = BTreeMap::<String, LastRead>::new();
    for scan in scans.iter().filter(|scan| scan.error.is_none()) {
        let Some(read) = window_of(&mut last, scan) else { continue };
        // The part that was read longest ago: a scan that was cut off read only the others.
        *read = Some(read.map_or(scan.ended, |known| known.min(scan.ended)));
    }
    for scan in scans.iter().filter(|scan| never_answered(scan)) {
        if let Some(read) = window_of(&mut last, scan) {
            *read = None;
        }
    }
    last
}

fn window_of<'a>(
    last: &'a mut BTreeMap<String, LastRead>,
    scan: &ScanRecord,
) -> Option<&'a mut Option<Timestamp>> {
    let window = WindowKey::of_record(scan)?.window;
    let read = last.entry(scan.source.clone()).or_default();
    Some(match window {
        WindowName::Near => &mut read.near,
        WindowName::All => &mut read.all,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::expiry::Kind;
    use crate::metrics::Setup;
    use crate::scan::Reading;
    use crate::source::{Slice, Window};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn statuses(sources: &[&str]) -> SourceStatuses {
        let metrics = Arc::new(DaemonMetrics::new(&Setup::default()));
        let mut statuses = SourceStatuses::new(metrics);
        statuses.follow(&sources.iter().map(|name| watched(name)).collect::<Vec<_>>());
        statuses
    }

    fn watched(name: &str) -> Watched {
        let (name, kind) = (name.to_owned(), "tencent-mqtt".to_owned());
        Watched { name, kind, intervals: Vec::new(), scopes: None, serves: false, tells_use: false }
    }

    fn key(scope: &str, window: WindowName, kind: Kind) -> WindowKey {
        WindowKey { kind: Some(kind), ..WindowKey::first("iot", scope, window) }
    }

    /// A scan that found `total` certificates and ended at a time.
    fn report(total: u64, ended: i64) -> Report {
        let (first_total, last_total, distinct) = (total, total, total);
        let reading =
            Reading { first_total, last_total, distinct, finished: true, ..Reading::default() };
        let slice = Arc::new(Slice::whole(&"any".into(), Window::All, 100, 10));
        Report { slice, started: at(0), ended: at(ended), reading, error: None }
    }

    fn lines(statuses: &SourceStatuses) -> Vec<(String, String, Option<u64>, Option<Timestamp>)> {
        let sources = statuses.published(&[watched("iot")]);
        let lines = sources.into_iter().flat_map(|source| source.scans);
        lines.map(|line| (line.scope, line.window, line.reported, line.last_proven)).collect()
    }

    #[test]
    fn kinds_of_one_scope_and_window_are_one_line_that_is_proven_when_all_are() {
        let mut statuses = statuses(&["iot"]);
        let (device, ca) = (Kind::Device, Kind::Ca);
        let all = WindowName::All;
        assert!(statuses.register(&key("b", all, device), at(1)).is_some());
        assert!(statuses.register(&key("b", all, ca), at(1)).is_some());
        assert!(statuses.register(&key("b", all, ca), at(2)).is_none(), "it is known");
        statuses.record(&key("b", all, device), &report(7, 50), 0);
        let line = |reported, proven| ("b".to_owned(), "all".to_owned(), reported, proven);
        assert_eq!(lines(&statuses), [line(None, None)], "the CAs were never read");
        statuses.record(&key("b", all, ca), &report(2, 40), 0);
        assert_eq!(lines(&statuses), [line(Some(9), Some(at(40)))]);
        assert_eq!(statuses.last_proven("iot", "all"), Some(at(40)));
        assert_eq!(statuses.last_proven("iot", "near"), None);
    }

    #[test]
    fn lines_are_kept_up_step_by_step_as_if_they_were_built_anew() {
        let mut statuses = statuses(&["iot", "other"]);
        let keys = [("b", WindowName::Near), ("a", WindowName::All), ("b", WindowName::All)];
        for (number, (scope, window)) in (1..).zip(keys) {
            let key = key(scope, window, Kind::Device);
            statuses.record(&key, &report(number, i64::try_from(number).unwrap()), 0);
        }
        let expected = [("a", "all", 2), ("b", "all", 3), ("b", "near", 1)];
        let expected = expected.map(|(scope, window, number)| {
            let proven = at(i64::try_from(number).unwrap());
            (scope.to_owned(), window.to_owned(), Some(number), Some(proven))
        });
        assert_eq!(lines(&statuses), expected);
        assert!(statuses.forget_scope("iot", "b"));
        assert!(!statuses.forget_scope("iot", "b"), "nothing is left of it");
        assert_eq!(lines(&statuses), expected[..1]);
        assert_eq!(statuses.read_scopes()["iot"], BTreeSet::from(["a".to_owned()]));
        assert_eq!(statuses.read_scopes()["other"], BTreeSet::new());
        statuses.follow(&[watched("other")]);
        assert_eq!(lines(&statuses), []);
        statuses.follow(&[watched("iot")]);
        assert_eq!(lines(&statuses), [], "what is configured again begins anew");
    }

    #[test]
    fn parts_change_when_one_comes_or_goes_and_not_with_every_scan() {
        let mut statuses = statuses(&["iot"]);
        let key = key("a", WindowName::All, Kind::Device);
        assert!(statuses.take_parts_changed(), "nobody has asked yet");
        statuses.register(&key, at(1));
        assert!(statuses.take_parts_changed());
        statuses.record(&key, &report(1, 5), 0);
        assert!(!statuses.take_parts_changed());
        statuses.forget_scope("iot", "a");
        assert!(statuses.take_parts_changed());
        statuses.forget_scope("iot", "a");
        assert!(!statuses.take_parts_changed(), "nothing was left of it");
    }

    #[test]
    fn a_scope_is_sound_when_every_part_of_it_is() {
        let mut statuses = statuses(&["iot"]);
        let (near, all) =
            (key("a", WindowName::Near, Kind::Device), key("a", WindowName::All, Kind::Device));
        statuses.register(&near, at(1));
        statuses.register(&all, at(1));
        statuses.judge(&near, true);
        assert!(!statuses.is_sound("iot", "a"), "the whole was not judged since the start");
        statuses.judge(&all, true);
        assert!(statuses.is_sound("iot", "a"));
        statuses.record(&all, &report(1, 5), 0);
        assert!(statuses.is_sound("iot", "a"), "a scan that is recorded judges nothing");
        statuses.judge(&all, false);
        assert!(!statuses.is_sound("iot", "a"));
    }

    #[test]
    fn the_first_problem_of_a_poll_is_its_last_error_unless_the_poll_failed() {
        let mut statuses = statuses(&["iot"]);
        for problem in [None, Some("first"), Some("second")] {
            statuses.note_problem("iot", problem.map(str::to_owned));
        }
        statuses.polled("iot", at(1), None);
        assert_eq!(statuses.last_error("iot").as_deref(), Some("first"));
        statuses.polled("iot", at(2), Some("timed out".to_owned()));
        assert_eq!(statuses.last_error("iot").as_deref(), Some("timed out"));
        statuses.polled("iot", at(3), None);
        assert_eq!(statuses.last_error("iot"), None);
    }
}
