//! Chooses the next window and cuts it into what is asked for at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::issuer_groups::choose;
use super::page_reader::stopped;
use super::split::{cut, halve, likely_expiries};
use super::windows::Windows;
use super::{Known, ScanEvent};
use crate::expiry::{SameSecond, Timestamp};
use crate::source::{IssuerGroup, SourceError, Span};

/// What is asked for at a time.
pub(super) enum Work {
    Span(Span),
    /// Certificates that as far as is known end together, group by group.
    Groups(Span, Vec<IssuerGroup>),
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
            [] => likely_expiries((from, to), self.clock.now()),
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

    /// Cuts those parts by groups that the ends cannot cut.
    async fn work(&self, parts: Vec<Span>, ends: &[Timestamp]) -> Result<Vec<Work>, SourceError> {
        let most = self.most();
        let full: Vec<Timestamp> =
            parts.iter().filter_map(|part| full(*part, ends, most)).collect();
        let same_seconds =
            if full.is_empty() { BTreeMap::new() } else { self.same_seconds(full).await? };
        let work = parts.into_iter().map(|part| {
            let same_second = self::full(part, ends, most).and_then(|end| same_seconds.get(&end));
            match same_second.and_then(|same_second| choose(same_second, most as u64)) {
                Some(groups) => Work::Groups(part, groups),
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
    async fn same_seconds(
        &self,
        ends: Vec<Timestamp>,
    ) -> Result<BTreeMap<Timestamp, SameSecond>, SourceError> {
        let (same_seconds, answer) = oneshot::channel();
        self.give(ScanEvent::SameSecond { slice: Arc::clone(self.slice), ends, same_seconds })
            .await?;
        answer.await.map_err(|_| stopped())
    }

    /// Returns what is known, with the first of the ends from a time on.
    pub(super) async fn known(&self, from: Timestamp, most: usize) -> Result<Known, SourceError> {
        let (known, answer) = oneshot::channel();
        self.give(ScanEvent::Known { slice: Arc::clone(self.slice), from, most, known }).await?;
        answer.await.map_err(|_| stopped())
    }
}

/// Returns the end of a batch that fills a part alone, and more than it.
fn full((from, to): Span, ends: &[Timestamp], most: usize) -> Option<Timestamp> {
    let first = ends.partition_point(|end| *end < from);
    let last = ends.partition_point(|end| *end <= to);
    (last - first > most).then(|| ends.get(first).copied())?
}
