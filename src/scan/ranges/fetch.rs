//! Reads the parts of a window, a few at a time.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::super::page_reader::{Attempt, READINGS};
use super::super::proof::Reading;
use super::Ranges;
use super::split::divide;
use crate::source::{SourceError, Span};

/// A part that is too long is cut into so many at the most: where all end in one of them, the others are asked in vain.
const MOST_PARTS: u64 = 8;

/// How a part of a window was read.
enum Fetched {
    Read(Reading),
    /// It is too long for one reading.
    Cut(Vec<Span>),
}

impl Ranges<'_> {
    /// Reads every part of a window, a few at a time.
    pub(super) async fn window(&self, mut waiting: Vec<Span>) -> Result<Reading, SourceError> {
        waiting.reverse();
        let cuts = AtomicU64::new(self.sizes.cuts);
        let mut reading = Reading::default();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.pages.width()
                && let Some(span) = waiting.pop()
            {
                under_way.push(self.fetch_range(span, &cuts));
            }
            let Some(part) = under_way.next().await else { break };
            match part? {
                Fetched::Read(one) => reading.add(&one),
                Fetched::Cut(spans) => waiting.extend(spans.into_iter().rev()),
            }
            if reading.outside > 0 {
                break;
            }
        }
        Ok(Reading { finished: true, by_windows: true, ..reading })
    }

    async fn fetch_range(&self, span: Span, cuts: &AtomicU64) -> Result<Fetched, SourceError> {
        let asked = self.slice.part(span);
        let mut reading = Reading::default();
        for _ in 0..READINGS {
            let mut attempt = Attempt::new(&asked, self.slice);
            let next = attempt.begin(&self.pages, self.feed).await?;
            let too_long = attempt.reading.first_total > self.sizes.long;
            if attempt.reading.outside > 0 {
                return Ok(Fetched::Read(attempt.reading));
            }
            if too_long && let Some(parts) = self.shorter(span, attempt.reading.first_total, cuts) {
                return Ok(Fetched::Cut(parts));
            }
            let total = attempt.reading.first_total;
            let went_on = attempt.go_on(next, &self.pages, self.feed).await;
            if let Err(SourceError::BadRequest(_)) = went_on
                && let Some(parts) = self.shorter(span, total, cuts)
            {
                return Ok(Fetched::Cut(parts));
            }
            went_on?;
            reading = attempt.reading;
            if reading.complete() {
                break;
            }
        }
        Ok(Fetched::Read(reading))
    }

    /// Cuts a part that has so many rows, unless it is of one second or too much was cut already.
    fn shorter(&self, span: Span, rows: u64, cuts: &AtomicU64) -> Option<Vec<Span>> {
        let wanted = rows.div_ceil(self.sizes.long).clamp(2, MOST_PARTS);
        let parts = divide(span, i64::try_from(wanted).unwrap_or(i64::MAX));
        (parts.len() > 1 && may(cuts)).then_some(parts)
    }
}

fn may(cuts: &AtomicU64) -> bool {
    cuts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}
