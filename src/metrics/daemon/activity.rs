//! What a source asks of its provider, for who looks at that source. Nothing is decided by it.

use super::DaemonMetrics;
use super::source::Source;
use crate::client::Outcome;
use crate::expiry::Reason;

/// What a source has done since the daemon started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    /// Its requests by action, and by how they ended; what never happened is left out.
    pub requests: Vec<(&'static str, Vec<(Outcome, u64)>)>,
    /// Rows that could not be understood, by reason; what never happened is left out.
    pub rejected: Vec<(Reason, u64)>,
    /// Its windows, and the seconds between two scans of each.
    pub intervals: Vec<(String, f64)>,
    /// By how many seconds the provider's clock differs.
    pub clock_offset: Option<i64>,
    /// Times that a scan was due while the one before was still running.
    pub skipped: u64,
}

impl DaemonMetrics {
    /// Returns what a source has done since the start; `None` for one that is not configured.
    pub fn activity(&self, source: &str) -> Option<Activity> {
        self.read().sources.get(source).map(Source::activity)
    }
}

impl Source {
    fn activity(&self) -> Activity {
        let known = self.lock();
        let intervals = known.intervals.iter();
        Activity {
            requests: self.requests(),
            rejected: self.rejections(),
            intervals: intervals.map(|(window, seconds)| (window.clone(), *seconds)).collect(),
            clock_offset: known.clock_offset,
            skipped: self.skips(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Action, Meter as _};
    use crate::metrics::{Setup, SourceSetup};

    #[test]
    fn what_happened_is_there_and_what_did_not_is_left_out() {
        let intervals = vec![("all".to_owned(), 60.0)];
        let source = SourceSetup { name: "s".to_owned(), intervals, ..SourceSetup::default() };
        let metrics = DaemonMetrics::new(&Setup { sources: vec![source], ..Setup::default() });
        let action = Action::new("Ask");
        metrics.request("s", action, Outcome::Throttled, 0.1);
        metrics.request("s", action, Outcome::Ok, 0.1);
        metrics.rejected("s", Reason::BadTime, 3);
        metrics.skipped("s");
        let activity = metrics.activity("s").unwrap();
        let outcomes = vec![(Outcome::Ok, 1), (Outcome::Throttled, 1)];
        assert_eq!(activity.requests, [(action.as_str(), outcomes)]);
        assert_eq!(activity.rejected, [(Reason::BadTime, 3)]);
        assert_eq!((activity.skipped, activity.clock_offset), (1, None));
        assert_eq!(activity.intervals, [("all".to_owned(), 60.0)]);
        assert_eq!(metrics.activity("none"), None);
    }
}
