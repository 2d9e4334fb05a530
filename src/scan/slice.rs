//! Reads one slice and proves that it was read whole.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;

use super::{Feed, Step, WIDTH};
use crate::expiry::Reason;
use crate::source::{Noted, Page, Slice, Source, SourceError};

/// Readings of one slice before it is called partial.
const READINGS: u32 = 3;

/// Pages one after another that bring nothing new before a list is given up that never ends.
const BARREN: u32 = 32;

/// Pages that a reading may ask for beyond twice those that the first total stands for.
const SPARE_PAGES: u64 = 64;

/// What one reading of a slice saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The total that the first page stated.
    pub first_total: u64,
    /// The total that the last page stated.
    pub last_total: u64,
    /// Distinct rows.
    pub distinct: u64,
    /// Whether the last row was reached.
    pub finished: bool,
    /// Whether two pages that should overlap shared no row: what lay between them may have been skipped.
    pub torn: bool,
    /// Rows that could not be understood, so that a known certificate may be among them.
    pub unreadable: u64,
    /// Those of them that the provider counts as certificates and that are not known because of it.
    pub unknown: u64,
}

impl Reading {
    /// Returns whether the slice was read whole and understood, so that what is known equals what is there.
    pub const fn proven(&self) -> bool {
        self.complete() && self.unknown == 0
    }

    /// Returns whether the slice was read whole: as many distinct rows as the provider counted, before and after,
    /// and no page apart from the one before it. Reading again cures what is not complete, but no row that cannot
    /// be understood.
    const fn complete(&self) -> bool {
        let counted = self.distinct == self.first_total && self.distinct == self.last_total;
        self.finished && !self.torn && counted
    }
}

/// Reads `slice` until it is proven, at most three times.
pub(super) async fn read(
    source: &dyn Source,
    slice: &Arc<Slice>,
    feed: &Feed,
) -> (Reading, Option<SourceError>) {
    let mut reading = Reading::default();
    for _ in 0..READINGS {
        if !feed.give(Step::Begin { slice: Arc::clone(slice) }).await {
            return (Reading::default(), Some(stopped()));
        }
        let mut attempt = Attempt::new(slice);
        let error = attempt.run(source, feed).await.err();
        reading = attempt.reading;
        if error.is_some() || reading.complete() {
            return (reading, error);
        }
    }
    (reading, None)
}

fn stopped() -> SourceError {
    SourceError::Unavailable("the daemon is stopping".to_owned())
}

/// One reading in progress.
struct Attempt<'a> {
    slice: &'a Arc<Slice>,
    reading: Reading,
    rows: HashSet<u64, BuildHasherDefault<Digested>>,
    /// The rows of the page before.
    before: Vec<u64>,
    /// Rows from one page to the next.
    stride: u64,
    /// Pages without a new row since the last one with any.
    barren: u32,
    /// Pages that this reading may still ask for: a list that grows as fast as it is read never ends.
    left: u64,
}

impl<'a> Attempt<'a> {
    fn new(slice: &'a Arc<Slice>) -> Self {
        Self {
            slice,
            reading: Reading::default(),
            rows: HashSet::default(),
            before: Vec::new(),
            stride: 0,
            barren: 0,
            left: SPARE_PAGES,
        }
    }

    async fn run(&mut self, source: &dyn Source, feed: &Feed) -> Result<(), SourceError> {
        let first = source.page(self.slice, 0).await?;
        self.reading.first_total = first.total;
        self.stride = self.stride_after(first.rows.len() as u64);
        self.left = (first.total / self.stride).saturating_mul(2).saturating_add(SPARE_PAGES);
        let mut next = self.take(0, first, source, feed).await?;
        while let Some(offset) = next {
            next = self.run_from(offset, source, feed).await?;
        }
        Ok(())
    }

    /// Reads pages from `offset` on, several at a time, until the end or until a page is shorter than planned.
    /// Answers with the offset to go on from, if there is more.
    async fn run_from(
        &mut self,
        offset: u64,
        source: &dyn Source,
        feed: &Feed,
    ) -> Result<Option<u64>, SourceError> {
        let slice: &Slice = self.slice;
        let mut ahead = offset;
        let mut pages = FuturesOrdered::new();
        loop {
            while pages.len() < WIDTH && ahead < self.reading.last_total {
                let at = ahead;
                pages.push_back(async move { (at, source.page(slice, at).await) });
                ahead += self.stride;
            }
            let Some((at, page)) = pages.next().await else { return Ok(None) };
            match self.take(at, page?, source, feed).await? {
                Some(next) if next == at + self.stride => {}
                // The page was shorter than planned: the pages asked for beyond it would leave a gap.
                other => return Ok(other),
            }
        }
    }

    /// Counts and hands on one page. Answers with the next offset, if there is more to read.
    async fn take(
        &mut self,
        offset: u64,
        mut page: Page,
        source: &dyn Source,
        feed: &Feed,
    ) -> Result<Option<u64>, SourceError> {
        let received = page.rows.len() as u64;
        self.note(offset, &page);
        self.left = self.left.saturating_sub(1);
        let end = offset.saturating_add(received);
        let next = if self.is_last(offset, received, page.total) {
            self.reading.finished = end >= page.total;
            None
        } else {
            Some(offset + self.stride_after(received))
        };
        let notes = std::mem::take(&mut page.notes);
        let step = Step::Page { slice: Arc::clone(self.slice), page };
        let given = feed.give(step).await && self.give_notes(notes, source, feed).await;
        if given { Ok(next) } else { Err(stopped()) }
    }

    /// Hands on the notes of a page that was handed on, to be saved and for the source to go by.
    async fn give_notes(&self, notes: Vec<Noted>, source: &dyn Source, feed: &Feed) -> bool {
        if notes.is_empty() {
            return true;
        }
        let scope = &self.slice.scope;
        source.recall(scope, &notes);
        feed.give(Step::Noted { scope: Arc::clone(scope), notes }).await
    }

    fn note(&mut self, offset: u64, page: &Page) {
        self.reading.torn |= offset > 0 && self.is_torn(&page.rows);
        self.before.clone_from(&page.rows);
        self.rows.extend(page.rows.iter().copied());
        let known = std::mem::replace(&mut self.reading.distinct, self.rows.len() as u64);
        self.barren = if self.reading.distinct > known { 0 } else { self.barren + 1 };
        let rejected = |told: fn(Reason) -> bool| {
            page.rejected.iter().filter(|row| told(row.reason)).count() as u64
        };
        self.reading.last_total = page.total;
        self.reading.unreadable += rejected(hides_a_certificate);
        self.reading.unknown += rejected(is_an_unknown_certificate);
    }

    /// Tells whether a page has no row in common with the page before it, though they should overlap. Where they do,
    /// no row that was there all the time lies between them, however many others came and went.
    fn is_torn(&self, rows: &[u64]) -> bool {
        self.slice.overlap > 0 && !rows.iter().any(|row| self.before.contains(row))
    }

    /// Tells whether nothing is to be expected after a page. A full page at the end of the list is no end: a total
    /// that is too low would look like this, and the page after it tells. The overlap keeps that page from being
    /// empty; without one, the total alone is believed.
    fn is_last(&self, offset: u64, received: u64, total: u64) -> bool {
        let reached = offset.saturating_add(received) >= total;
        let full = received >= self.slice.limit && self.slice.overlap > 0;
        let goes_on = full && offset.saturating_add(self.stride) < total;
        received == 0 || self.left == 0 || self.barren >= BARREN || reached && !goes_on
    }

    /// Returns how far to advance after a page: by rows received, less the overlap, and never not at all. A provider
    /// that gives out few rows at once has half of them twice.
    fn stride_after(&self, received: u64) -> u64 {
        (received - self.slice.overlap.min(received / 2)).max(1)
    }
}

/// Tells the reasons that keep a row that a provider counts from becoming known. A file or a device that cannot be
/// read may hold no certificate at all: it is counted, and does not keep a scan from being proven for ever.
const fn is_an_unknown_certificate(reason: Reason) -> bool {
    matches!(reason, Reason::Unidentified | Reason::BadField)
}

/// Takes digests as they are: they are hashes already, and a scan meets millions of them.
#[derive(Default)]
struct Digested(u64);

impl Hasher for Digested {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

/// Tells the reasons that leave a row unidentified, so that absence cannot be told from a broken row.
fn hides_a_certificate(reason: Reason) -> bool {
    match reason {
        Reason::Unidentified | Reason::BadField | Reason::BadCertificate | Reason::Unreadable => {
            true
        }
        Reason::BadTime | Reason::UnknownStatus | Reason::OutsideSlice => false,
    }
}

#[cfg(test)]
mod tests;
