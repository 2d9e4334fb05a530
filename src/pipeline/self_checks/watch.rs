//! For how long each source is watched: real time since it was configured, less only the time that the daemon was down.

use std::collections::BTreeMap;

use crate::expiry::Timestamp;

/// Before the name of a source, where the store has since when it is configured.
const CONFIGURED: &str = "configured\u{1f}";

/// Before the end of a time without the daemon, where the store has its beginning.
const DOWN: &str = "down\u{1f}";

/// Times without the daemon that are kept apart; older ones are put together.
const MOST_DOWNTIMES: usize = 100;

/// What to store: a key, and a time; `None` forgets.
pub(super) type Entry = (String, Option<Timestamp>);

/// Since when each source is configured, and when the daemon was down.
#[derive(Debug, Default)]
pub(super) struct Watch {
    configured: BTreeMap<String, Timestamp>,
    /// Times without the daemon, each with its end as key.
    down: BTreeMap<Timestamp, Timestamp>,
    /// When the process before stopped.
    stopped: Option<Timestamp>,
    changes: Vec<Entry>,
}

impl Watch {
    /// Takes back an entry from before a restart. Answers whether it is one.
    pub(super) fn restore(&mut self, key: &str, at: Timestamp) -> bool {
        if let Some(source) = key.strip_prefix(CONFIGURED) {
            self.configured.insert(source.to_owned(), at);
            return true;
        }
        let end = key.strip_prefix(DOWN).and_then(|end| end.parse().ok());
        end.map(|end| self.down.insert(Timestamp::from_seconds(end), at)).is_some()
    }

    /// The daemon starts, and was down since the process before stopped.
    pub(super) fn start(&mut self, stopped: Option<Timestamp>, now: Timestamp) {
        self.stopped = stopped;
        let Some(stopped) = stopped.filter(|stopped| *stopped < now) else { return };
        self.put(now, stopped);
        while self.down.len() > MOST_DOWNTIMES {
            self.join_the_oldest();
        }
    }

    /// Puts the two oldest together, beside each other: their length counts, and they are long ago.
    fn join_the_oldest(&mut self) {
        let Some((first_end, first)) = self.down.pop_first() else { return };
        self.changes.push((down_key(first_end), None));
        if let Some((end, begin)) = self.down.first_key_value().map(|(end, begin)| (*end, *begin)) {
            self.put(end, begin.plus(-first_end.since(first)));
        }
    }

    fn put(&mut self, end: Timestamp, begin: Timestamp) {
        self.down.insert(end, begin);
        self.changes.push((down_key(end), Some(begin)));
    }

    /// Watches these sources from now on, and no others: one that was removed and put back begins anew.
    pub(super) fn follow(&mut self, sources: &[&str], now: Timestamp) {
        let gone = self.configured.keys().filter(|name| !sources.contains(&name.as_str()));
        let gone: Vec<String> = gone.cloned().collect();
        for name in gone {
            self.configured.remove(&name);
            self.changes.push((format!("{CONFIGURED}{name}"), None));
        }
        for source in sources {
            if !self.configured.contains_key(*source) {
                self.configured.insert((*source).to_owned(), now);
                self.changes.push((format!("{CONFIGURED}{source}"), Some(now)));
            }
        }
    }

    /// Returns what is to be stored of the changes since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.changes)
    }

    /// Returns since when a source is configured; what is in the future says nothing.
    pub(super) fn configured(&self, source: &str, now: Timestamp) -> Option<Timestamp> {
        self.configured.get(source).copied().filter(|at| *at <= now)
    }

    /// Returns for how many seconds the daemon watched between a time and the start of this process.
    pub(super) fn before_the_start(&self, since: Timestamp) -> i64 {
        let Some(stopped) = self.stopped.filter(|stopped| *stopped > since) else { return 0 };
        let without = self.down.iter().filter(|(end, _)| **end <= stopped);
        let down: i64 = without.map(|(end, begin)| end.since((*begin).max(since)).max(0)).sum();
        (stopped.since(since) - down).max(0)
    }
}

fn down_key(end: Timestamp) -> String {
    format!("{DOWN}{}", end.seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    /// Starts anew with what was stored, having stopped at one time and starting at another.
    fn restarted(stored: &mut BTreeMap<String, Timestamp>, stopped: i64, now: i64) -> Watch {
        let mut watch = Watch::default();
        for (key, at) in stored.iter() {
            assert!(watch.restore(key, *at), "{key}");
        }
        watch.start(Some(at(stopped)), at(now));
        for (key, at) in watch.take_changes() {
            match at {
                Some(at) => drop(stored.insert(key, at)),
                None => drop(stored.remove(&key)),
            }
        }
        watch
    }

    #[test]
    fn time_without_the_daemon_does_not_count_and_the_rest_does_over_any_restarts() {
        let mut stored = BTreeMap::new();
        let watch = restarted(&mut stored, 1_000, 1_500);
        assert_eq!(watch.before_the_start(at(400)), 600);
        assert_eq!(watch.before_the_start(at(1_200)), 0, "it was down then");
        let watch = restarted(&mut stored, 1_600, 1_900);
        assert_eq!(watch.before_the_start(at(400)), 700);
        assert_eq!(watch.before_the_start(at(1_200)), 100);
        assert_eq!(watch.before_the_start(at(1_550)), 50);
        // A clock that was set back was not down.
        let watch = restarted(&mut stored, 5_000, 4_000);
        assert_eq!(watch.before_the_start(at(1_900)), 3_100);
    }

    #[test]
    fn many_short_times_are_kept_as_fewer_of_the_same_length() {
        let mut stored = BTreeMap::new();
        for number in 1..500 {
            restarted(&mut stored, number * 100 - 10, number * 100);
        }
        assert_eq!(stored.len(), MOST_DOWNTIMES);
        let watch = restarted(&mut stored, 50_000, 50_001);
        assert_eq!(watch.before_the_start(at(0)), 50_000 - 499 * 10);
    }

    #[test]
    fn other_keys_are_not_taken() {
        let mut watch = Watch::default();
        for key in ["source\u{1f}iot", "down\u{1f}soon", "clock"] {
            assert!(!watch.restore(key, at(1)), "{key}");
        }
    }
}
