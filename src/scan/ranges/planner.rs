//! Chooses the next window and cuts it into what is asked for at a time.

use std::sync::Arc;

use super::Ranges;
use super::split::{cut, likely_expiries};
use crate::expiry::{Timestamp, View};
use crate::source::{SourceError, Span};

impl Ranges<'_> {
    /// Chooses the window that begins at `from` and has so many known certificates, and cuts it. `None` after the last.
    pub(super) async fn next(
        &self,
        from: Timestamp,
        size: usize,
    ) -> Result<Option<(Span, Vec<Span>)>, SourceError> {
        if from > self.span().1 {
            return Ok(None);
        }
        let ends = self.known_ends(from, size.saturating_add(1));
        let to = match (ends.first(), ends.get(size)) {
            (Some(first), Some(over)) => over.plus(-1).max(*first).min(self.span().1),
            _ => self.end_of_window(from, size as u64).await?,
        };
        let held = ends.partition_point(|end| *end <= to);
        let ends = ends.get(..held).unwrap_or_default();
        let parts = match ends {
            [] => likely_expiries((from, to), self.clock.now()),
            _ => cut((from, to), ends, self.most()),
        };
        Ok(Some(((from, to), parts)))
    }

    /// Returns the known certificates that a part may have.
    ///
    /// There is room for what has come since: a part that fills its answer is asked for once more. More room would cost
    /// a rescan, in which little has come, more requests than that: with 3 in 100 it makes 1.031 for each full answer,
    /// and a few that count.
    fn most(&self) -> usize {
        let limit = usize::try_from(self.slice.limit).unwrap_or(usize::MAX);
        (limit - limit / 33).min(limit.saturating_sub(1))
    }

    /// Finds how far a window reaches that holds about as much as it should, where little is known.
    async fn end_of_window(&self, from: Timestamp, size: u64) -> Result<Timestamp, SourceError> {
        let (mut low, mut high) = (from, self.span().1);
        if self.count(Some((from, high))).await? <= 2 * size {
            return Ok(high);
        }
        while high.since(low) > 1 {
            let middle = low.plus(high.since(low) / 2);
            match self.count(Some((from, middle))).await? {
                count if count > 2 * size => high = middle,
                count if count >= size / 2 => return Ok(middle),
                _ => low = middle,
            }
        }
        Ok(low)
    }

    /// Returns the first known ends of the slice from a time on.
    fn known_ends(&self, from: Timestamp, most: usize) -> Vec<Timestamp> {
        let view = self.view();
        let scope = view.find_scope(&self.feed.source, &self.slice.scope);
        scope.map_or_else(Vec::new, |scope| view.ends_after(scope, self.slice.kind, from, most))
    }

    /// Counts what is known of the scope of the slice, whatever its kind and end.
    pub(super) fn known_in_scope(&self) -> u64 {
        let view = self.view();
        let scope = view.find_scope(&self.feed.source, &self.slice.scope);
        scope.map_or(0, |scope| view.count(scope))
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.feed.view.borrow())
    }
}
