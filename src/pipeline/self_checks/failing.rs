//! Endpoints that could not be reached lately: how often in a row, and since when.

use std::collections::BTreeMap;

use super::watch::Entry;
use crate::expiry::Timestamp;

/// An endpoint that fails this often in a row is reported.
const REPORTED: u32 = 3;

const SEPARATOR: char = '\u{1f}';

/// What the key of an entry in the store begins with.
const FAILING: &str = "failing";

/// Endpoints that failed and are not reported yet, by source and place. Kept over restarts: a daemon that restarts often
/// would never report one.
#[derive(Debug, Default)]
pub(super) struct Failing {
    endpoints: BTreeMap<(String, String), Tries>,
    changes: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    failed: u32,
    /// The first that failed.
    since: Timestamp,
}

impl Failing {
    /// Takes back an entry from before a restart. Answers whether it is one.
    pub(super) fn restore(&mut self, key: &str, since: Timestamp) -> bool {
        let mut parts = key.splitn(4, SEPARATOR);
        if parts.next() != Some(FAILING) {
            return false;
        }
        let failed = parts.next().and_then(|count| count.parse().ok());
        let named = parts.next().zip(parts.next());
        let entry = failed.zip(named).map(|(failed, (source, place))| {
            let endpoint = (source.to_owned(), place.to_owned());
            self.endpoints.insert(endpoint, Tries { failed, since })
        });
        entry.is_some()
    }

    /// An endpoint failed. Answers with since when, once it is to be reported: it is forgotten here then.
    pub(super) fn failed(
        &mut self,
        source: &str,
        place: &str,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let endpoint = (source.to_owned(), place.to_owned());
        let before = self.endpoints.remove(&endpoint);
        self.changes.extend(before.map(|tries| (tries.key(&endpoint), None)));
        let tries = before.unwrap_or(Tries { failed: 0, since: now });
        let tries = Tries { failed: tries.failed.saturating_add(1), since: tries.since.min(now) };
        if tries.failed >= REPORTED {
            return Some(tries.since);
        }
        self.changes.push((tries.key(&endpoint), Some(tries.since)));
        self.endpoints.insert(endpoint, tries);
        None
    }

    /// Forgets the endpoints that are not kept: they were reached, or are not looked at any more.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&str, &str) -> bool) {
        let changes = &mut self.changes;
        self.endpoints.retain(|endpoint, tries| {
            let kept = is_kept(&endpoint.0, &endpoint.1);
            changes.extend((!kept).then(|| (tries.key(endpoint), None)));
            kept
        });
    }

    /// Returns what is to be stored of the changes since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.changes)
    }
}

impl Tries {
    fn key(self, (source, place): &(String, String)) -> String {
        format!("{FAILING}{SEPARATOR}{}{SEPARATOR}{source}{SEPARATOR}{place}", self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    /// Starts anew with what was stored.
    fn restarted(stored: &mut BTreeMap<String, Timestamp>, mut failing: Failing) -> Failing {
        for (key, at) in failing.take_changes() {
            match at {
                Some(at) => drop(stored.insert(key, at)),
                None => drop(stored.remove(&key)),
            }
        }
        let mut again = Failing::default();
        for (key, at) in stored.iter() {
            assert!(again.restore(key, *at), "{key}");
        }
        again
    }

    #[test]
    fn the_third_failure_in_a_row_is_reported_with_the_first_over_any_restarts() {
        let (mut stored, mut failing) = (BTreeMap::new(), Failing::default());
        for (second, expected) in [(10, None), (20, None), (30, Some(at(10))), (40, None)] {
            assert_eq!(failing.failed("web", "a:443/\u{1f}a", at(second)), expected, "{second}");
            failing = restarted(&mut stored, failing);
        }
        assert_eq!(stored.len(), 1, "a fourth one would begin anew");
    }

    #[test]
    fn one_that_was_reached_begins_anew_and_leaves_nothing_behind() {
        let (mut stored, mut failing) = (BTreeMap::new(), Failing::default());
        for second in [10, 20] {
            assert_eq!(failing.failed("web", "a:443/a", at(second)), None);
            assert_eq!(failing.failed("else", "a:443/a", at(second)), None);
        }
        failing = restarted(&mut stored, failing);
        failing.retain(|source, _| source != "web");
        failing = restarted(&mut stored, failing);
        assert_eq!(stored.len(), 1);
        assert_eq!(failing.failed("web", "a:443/a", at(30)), None);
        assert_eq!(failing.failed("else", "a:443/a", at(30)), Some(at(10)));
    }

    #[test]
    fn other_keys_are_not_taken() {
        let mut failing = Failing::default();
        for key in ["failing", "failing\u{1f}x\u{1f}web\u{1f}a", "failing\u{1f}1\u{1f}web", "clock"]
        {
            assert!(!failing.restore(key, at(1)), "{key}");
        }
    }
}
