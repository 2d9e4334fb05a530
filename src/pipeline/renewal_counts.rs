//! How many certificates of each source are renewed in each month: what a month ahead is held against.
//!
//! Counted in the transaction that holds the renewal. What a first scan finds was renewed before and is not counted.

use super::Pipeline;
use crate::expiry::{Month, ScopeId, Timestamp};

/// The window in which everything is read.
const WHOLE: &str = "all";

impl Pipeline {
    /// So many certificates of a scope were renewed.
    pub(super) fn count_renewed(&mut self, (source, scope): (&str, &str), count: u64) {
        if count == 0 || !self.sources.is_read(source, scope) {
            return;
        }
        let now = Some(self.parts.clock.now()).filter(|_| self.checks.clock_is_trusted());
        // While nobody knows what month it is, it is taken for the last one that was known.
        let month = now.and_then(Month::of).or_else(|| self.foresight.renewals().last(source));
        if let Some(month) = month {
            self.foresight.renewals_mut().add(source, month, count);
            self.draft.renewals(source, month, count);
        }
    }

    /// The same, of a scope by its number.
    pub(super) fn count_renewed_in(&mut self, scope: ScopeId, count: u64) {
        if count == 0 {
            return;
        }
        if let Some((source, name)) = self.scope_names().get(&scope) {
            self.count_renewed((source, name), count);
        }
    }

    /// Notes which sources are watched in the present month: those that were seen whole in it.
    pub(super) fn note_watched(&mut self, now: Timestamp) {
        let Some((month, start)) = Month::of(now).and_then(|it| Some((it, it.start()?))) else {
            return;
        };
        for source in &self.settings.watched {
            let proven = self.sources.last_proven(&source.name, WHOLE);
            let is_new = !self.foresight.renewals().is_watched(&source.name, month);
            if is_new && proven.is_some_and(|at| at >= start && at <= now) {
                self.foresight.renewals_mut().add(&source.name, month, 0);
                self.draft.renewals(&source.name, month, 0);
            }
        }
    }
}
