//! What a poll did, in one line of the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::window_key::window_name;
use crate::expiry::WindowName;
use crate::source::Window;

/// The counts of the polls under way.
#[derive(Default)]
pub(super) struct PollCounts {
    polls: BTreeMap<(Arc<str>, WindowName), Counts>,
}

/// What one poll did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Rows read, each once in the part that it was read in.
    pub(super) rows: u64,
    /// Certificates seen for the first time.
    pub(super) new: u64,
    /// Certificates that a proof showed to be gone.
    pub(super) gone: u64,
    /// Certificates that are known and were not listed.
    pub(super) missing: u64,
    /// Rows that could not be understood.
    pub(super) rejected: u64,
}

impl PollCounts {
    /// Returns the counts of the poll of a window that is under way.
    pub(super) fn of(&mut self, source: &Arc<str>, window: Window) -> &mut Counts {
        self.polls.entry((Arc::clone(source), window_name(window))).or_default()
    }

    /// Takes the counts of a poll that ended.
    pub(super) fn take(&mut self, source: &Arc<str>, window: Window) -> Counts {
        self.polls.remove(&(Arc::clone(source), window_name(window))).unwrap_or_default()
    }

    /// Forgets the polls of sources that are not configured any more.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.polls.retain(|(source, _), _| is_kept(source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_a_source_are_counted_apart_and_each_poll_anew() {
        let (mut polls, source) = (PollCounts::default(), Arc::from("iot"));
        polls.of(&source, Window::All).rows += 100;
        polls.of(&source, Window::All).new += 2;
        polls.of(&source, Window::All).rows += 50;
        let near = Counts { rows: 150, new: 2, ..Counts::default() };
        assert_eq!(polls.take(&source, Window::All), near);
        assert_eq!(polls.take(&source, Window::All), Counts::default());
        polls.of(&source, Window::All).gone += 1;
        polls.retain(|name| name != "iot");
        assert_eq!(polls.take(&source, Window::All), Counts::default());
    }
}
