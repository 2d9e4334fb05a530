//! Chooses the next window and cuts it into what is asked for at a time.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::page_reader::stopped;
use super::split::{cut, halve, likely_expiries};
use super::windows::Windows;
use super::{Known, ScanEvent};
use crate::expiry::Timestamp;
use crate::source::{SourceError, Span};

impl Windows<'_> {
    /// Chooses the window that begins at `from` and has so many known certificates, and cuts it. `None` after the last.
    pub(super) async fn next(
        &self,
        from: Timestamp,
        size: usize,
    ) -> Result<Option<(Span, Vec<Span>)>, SourceError> {
        if from > self.span().1 {
            return Ok(None);
        }
        let ends = self.known(from, size.saturating_add(1)).await?.ends;
        let to = match (ends.first(), ends.get(size)) {
            (Some(first), Some(over)) => over.plus(-1).max(*first).min(self.span().1),
            _ => self.stretch(from, size as u64).await?,
        };
        let held = ends.partition_point(|end| *end <= to);
        let ends = ends.get(..held).unwrap_or_default();
        let parts = match ends {
            [] => likely_expiries((from, to), self.clock.now()),
            _ => cut((from, to), ends, self.most()),
        };
        Ok(Some(((from, to), parts)))
    }

    /// Returns the known certificates that a part may have. There is room for what has come since: a part that fills its
    /// answer is asked for once more.
    fn most(&self) -> usize {
        let limit = usize::try_from(self.slice.limit).unwrap_or(usize::MAX);
        (limit - limit / 25).min(limit.saturating_sub(1))
    }

    /// Finds how far a window reaches that holds about as much as it should, where little is known.
    async fn stretch(&self, from: Timestamp, size: u64) -> Result<Timestamp, SourceError> {
        let (mut low, mut high) = (from, self.span().1);
        if self.count(Some((from, high))).await? <= 2 * size {
            return Ok(high);
        }
        while let Some(((_, middle), _)) = halve((low, high)).filter(|_| high.since(low) > 1) {
            match self.count(Some((from, middle))).await? {
                count if count > 2 * size => high = middle,
                count if count >= size / 2 => return Ok(middle),
                _ => low = middle,
            }
        }
        Ok(low)
    }

    /// Returns what is known, with the first of the ends from a time on.
    pub(super) async fn known(&self, from: Timestamp, most: usize) -> Result<Known, SourceError> {
        let (known, answer) = oneshot::channel();
        self.give(ScanEvent::Known { slice: Arc::clone(self.slice), from, most, known }).await?;
        answer.await.map_err(|_| stopped())
    }
}
