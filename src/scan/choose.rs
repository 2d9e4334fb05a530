//! Chooses the next window and cuts it into what is asked for at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::cut::{cut, halve, landmarks};
use super::lots::choose;
use super::slice::stopped;
use super::windows::Windows;
use super::{Known, Step};
use crate::expiry::{Batch, Timestamp};
use crate::source::{Lot, SourceError, Span};

/// What is asked for at a time.
pub(super) enum Work {
    Span(Span),
    /// Certificates that as far as is known end together, lot by lot.
    Lots(Span, Vec<Lot>),
}

impl Windows<'_> {
    /// Chooses the window that begins at `from` and has so many known certificates, and cuts it. `None` after the last.
    pub(super) async fn next(
        &self,
        from: Timestamp,
        size: usize,
    ) -> Result<Option<(Span, Vec<Work>)>, SourceError> {
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
            [] => landmarks((from, to), self.clock.now()),
            _ => cut((from, to), ends, self.most()),
        };
        Ok(Some(((from, to), self.work(parts, ends).await?)))
    }

    /// Returns the known certificates that a part may have. There is room for what has come since: a part that fills its
    /// answer is asked for once more.
    fn most(&self) -> usize {
        let limit = usize::try_from(self.slice.limit).unwrap_or(usize::MAX);
        (limit - limit / 25).min(limit.saturating_sub(1))
    }

    /// Cuts those parts by lots that the ends cannot cut.
    async fn work(&self, parts: Vec<Span>, ends: &[Timestamp]) -> Result<Vec<Work>, SourceError> {
        let most = self.most();
        let full: Vec<Timestamp> =
            parts.iter().filter_map(|part| full(*part, ends, most)).collect();
        let batches = if full.is_empty() { BTreeMap::new() } else { self.batches(full).await? };
        let work = parts.into_iter().map(|part| {
            let batch = self::full(part, ends, most).and_then(|end| batches.get(&end));
            match batch.and_then(|batch| choose(batch, most as u64)) {
                Some(lots) => Work::Lots(part, lots),
                None => Work::Span(part),
            }
        });
        Ok(work.collect())
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

    /// Returns what the certificates are made up of that end at these times.
    async fn batches(
        &self,
        ends: Vec<Timestamp>,
    ) -> Result<BTreeMap<Timestamp, Batch>, SourceError> {
        let (batches, answer) = oneshot::channel();
        self.give(Step::Batches { slice: Arc::clone(self.slice), ends, batches }).await?;
        answer.await.map_err(|_| stopped())
    }

    /// Returns what is known, with the first of the ends from a time on.
    pub(super) async fn known(&self, from: Timestamp, most: usize) -> Result<Known, SourceError> {
        let (known, answer) = oneshot::channel();
        self.give(Step::Known { slice: Arc::clone(self.slice), from, most, known }).await?;
        answer.await.map_err(|_| stopped())
    }
}

/// Returns the end of a batch that fills a part alone, and more than it.
fn full((from, to): Span, ends: &[Timestamp], most: usize) -> Option<Timestamp> {
    let first = ends.partition_point(|end| *end < from);
    let last = ends.partition_point(|end| *end <= to);
    (last - first > most).then(|| ends.get(first).copied())?
}
