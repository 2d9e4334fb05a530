//! Reads one slice page by page, and proves that it was read whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use tokio::sync::Semaphore;

use super::{Feed, ScanEvent};
use crate::expiry::Reason;
use crate::source::{Checkpoint, Page, Slice, Source, SourceError};

/// Readings of one slice before it is called partial.
pub(super) const READINGS: u32 = 3;

/// Pages one after another that bring nothing new before a list is given up that never ends.
const EMPTY_PAGES: u32 = 32;

/// Pages that a reading may ask for beyond twice those that the first total stands for.
const SPARE_PAGES: u64 = 64;

/// Rows for which room is made at once, whatever a total says.
const ROOM: u64 = 16 << 20;

/// What a reading saw: of one list, or of all the windows of one.
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
    pub gap_detected: bool,
    /// Rows that could not be understood, so that a known certificate may be among them.
    pub unreadable: u64,
    /// Those of them that the provider counts as certificates and that are not known because of it.
    pub unknown: u64,
    /// Rows that do not belong to what was asked for.
    pub outside: u64,
    /// Distinct rows that do not say when they end.
    pub undated: u64,
    /// Whether it was read by windows, each of which was proven by itself. The totals are from another time than the
    /// windows then, and need not equal the rows.
    pub by_windows: bool,
}

impl Reading {
    /// Returns whether the slice was read whole and understood, so that what is known equals what is there.
    pub const fn proven(&self) -> bool {
        self.complete() && self.unknown == 0
    }

    /// Returns whether the slice was read whole: as many distinct rows as the provider counted, before and after,
    /// and no page apart from the one before it. Reading again cures what is not complete, but no row that cannot
    /// be understood.
    pub(super) const fn complete(&self) -> bool {
        let counted = self.distinct == self.first_total && self.distinct == self.last_total;
        self.finished && !self.gap_detected && (counted || self.by_windows)
    }

    /// Returns what windows saw together with so many rows that are in no window, where `all` are counted.
    pub(super) const fn with_undated(self, undated: u64, all: u64) -> Self {
        Self { distinct: self.distinct + undated, undated, last_total: all, ..self }
    }

    /// Takes in what was seen of another window of the same slice.
    pub(super) const fn add(&mut self, other: &Self) {
        self.first_total += other.first_total;
        self.last_total += other.last_total;
        self.distinct += other.distinct;
        self.gap_detected |= other.gap_detected || !other.complete();
        self.unreadable += other.unreadable;
        self.unknown += other.unknown;
        self.outside += other.outside;
    }
}

/// The pages of a source, a few at a time.
pub(super) struct Pages<'a> {
    source: &'a dyn Source,
    room: Semaphore,
    /// How many there is room for.
    width: AtomicUsize,
    /// How many came.
    answered: AtomicUsize,
}

impl<'a> Pages<'a> {
    pub(super) fn of(source: &'a dyn Source) -> Self {
        let width = source.width();
        let (room, answered) = (Semaphore::new(width), AtomicUsize::new(0));
        Self { source, room, width: width.into(), answered }
    }

    /// Returns how many pages to ask for before the first of them has been read. It grows with the source's latency,
    /// and lasts.
    pub(super) fn width(&self) -> usize {
        let wanted = self.source.width();
        let before = self.width.fetch_max(wanted, Ordering::Relaxed);
        self.room.add_permits(wanted.saturating_sub(before));
        before.max(wanted)
    }

    /// Fetches a page. One that was throttled until its source gave it up is asked for again for as long as others come
    /// meanwhile: in a scan of a hundred thousand requests, some have bad luck each time.
    pub(super) async fn get(&self, slice: &Slice, offset: u64) -> Result<Page, SourceError> {
        let _room = self.room.acquire().await.map_err(|_| stopped())?;
        loop {
            let before = self.answered.load(Ordering::Relaxed);
            match self.source.page(slice, offset).await {
                Err(SourceError::Throttled { .. })
                    if self.answered.load(Ordering::Relaxed) > before => {}
                Ok(page) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    return Ok(page);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Reads `slice` until it is proven, at most so many times.
pub(super) async fn read(
    pages: &Pages<'_>,
    slice: &Arc<Slice>,
    feed: &Feed,
    times: u32,
) -> (Reading, Option<SourceError>) {
    let mut reading = Reading::default();
    for _ in 0..times {
        if !feed.give(ScanEvent::Begin { slice: Arc::clone(slice) }).await {
            return (Reading::default(), Some(stopped()));
        }
        let mut attempt = Attempt::new(slice, slice);
        let error = attempt.run(pages, feed).await.err();
        reading = attempt.reading;
        if error.is_some() || reading.complete() {
            return (reading, error);
        }
    }
    (reading, None)
}

pub(super) fn stopped() -> SourceError {
    SourceError::Unavailable("the daemon is stopping".to_owned())
}

/// One reading in progress.
pub(super) struct Attempt<'a> {
    /// What is asked for.
    asked: &'a Slice,
    /// The slice that its pages are handed on for.
    slice: &'a Arc<Slice>,
    pub(super) reading: Reading,
    /// Digests of the rows, each as often as it was seen but for overlaps.
    rows: Vec<u64>,
    /// Those that do not say when they end.
    undated: Vec<u64>,
    /// The rows of the page before.
    before: Vec<u64>,
    /// Rows from one page to the next.
    stride: u64,
    /// Pages without a new row since the last one with any.
    empty_pages: u32,
    /// Pages that this reading may still ask for: a list that grows as fast as it is read never ends.
    left: u64,
    /// Whether it breaks off when the list turns out to change: it would not be whole then.
    stop_on_change: bool,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(asked: &'a Slice, slice: &'a Arc<Slice>) -> Self {
        Self {
            asked,
            slice,
            reading: Reading::default(),
            rows: Vec::new(),
            undated: Vec::new(),
            before: Vec::new(),
            stride: 0,
            empty_pages: 0,
            left: SPARE_PAGES,
            stop_on_change: false,
        }
    }

    /// Returns a reading that breaks off when the list changes.
    pub(super) fn stop_on_change(asked: &'a Slice, slice: &'a Arc<Slice>) -> Self {
        Self { stop_on_change: true, ..Self::new(asked, slice) }
    }

    pub(super) async fn run(&mut self, pages: &Pages<'_>, feed: &Feed) -> Result<(), SourceError> {
        let next = self.begin(pages, feed).await?;
        self.go_on(next, pages, feed).await
    }

    /// Reads the first page. Answers with the offset to go on from, if there is more.
    pub(super) async fn begin(
        &mut self,
        pages: &Pages<'_>,
        feed: &Feed,
    ) -> Result<Option<u64>, SourceError> {
        let first = pages.get(self.asked, 0).await?;
        let received = first.rows.len() as u64;
        self.reading.first_total = first.total;
        self.stride = self.stride_after(received);
        self.left = (first.total / self.stride).saturating_mul(2).saturating_add(SPARE_PAGES);
        let room = first.total.min(ROOM).max(received);
        self.rows.reserve_exact(usize::try_from(room).unwrap_or_default());
        self.take(0, first, pages, feed).await
    }

    /// Reads the pages from `next` on until the end.
    pub(super) async fn go_on(
        &mut self,
        mut next: Option<u64>,
        pages: &Pages<'_>,
        feed: &Feed,
    ) -> Result<(), SourceError> {
        while let Some(offset) = next {
            next = self.run_from(offset, pages, feed).await?;
        }
        self.reading.distinct = distinct(&mut self.rows);
        self.reading.undated = distinct(&mut self.undated);
        Ok(())
    }

    /// Reads pages from `offset` on, several at a time, until the end or until a page is shorter than planned.
    /// Answers with the offset to go on from, if there is more.
    async fn run_from(
        &mut self,
        offset: u64,
        pages: &Pages<'_>,
        feed: &Feed,
    ) -> Result<Option<u64>, SourceError> {
        let asked = self.asked;
        let mut ahead = offset;
        let mut coming = FuturesOrdered::new();
        loop {
            while coming.len() < pages.width() && ahead < self.reading.last_total {
                let at = ahead;
                coming.push_back(async move { (at, pages.get(asked, at).await) });
                ahead += self.stride;
            }
            let Some((at, page)) = coming.next().await else { return Ok(None) };
            match self.take(at, page?, pages, feed).await? {
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
        pages: &Pages<'_>,
        feed: &Feed,
    ) -> Result<Option<u64>, SourceError> {
        let received = page.rows.len() as u64;
        self.note(offset, &page);
        self.left = self.left.saturating_sub(1);
        let end = offset.saturating_add(received);
        let next = if self.stop_on_change && page.total != self.reading.first_total {
            None
        } else if self.is_last(offset, received, page.total) {
            self.reading.finished = end >= page.total;
            None
        } else {
            Some(offset + self.stride_after(received))
        };
        let notes = std::mem::take(&mut page.notes);
        let event = ScanEvent::Page { slice: Arc::clone(self.slice), page };
        let given = feed.give(event).await && self.give_notes(notes, pages.source, feed).await;
        if given { Ok(next) } else { Err(stopped()) }
    }

    /// Hands on the notes of a page that was handed on, to be saved and for the source to go by.
    async fn give_notes(&self, notes: Vec<Checkpoint>, source: &dyn Source, feed: &Feed) -> bool {
        if notes.is_empty() {
            return true;
        }
        let scope = &self.slice.scope;
        source.restore(scope, &notes);
        feed.give(ScanEvent::Checkpoint { scope: Arc::clone(scope), notes }).await
    }

    fn note(&mut self, offset: u64, page: &Page) {
        let known = self.rows.len();
        let before = &self.before;
        self.rows.extend(page.rows.iter().filter(|row| !before.contains(row)));
        let shared = page.rows.len() - (self.rows.len() - known);
        // Where pages overlap, no row that was there all the time lies between them, however many others came and
        // went.
        self.reading.gap_detected |= offset > 0 && self.asked.overlap > 0 && shared == 0;
        self.empty_pages = if self.rows.len() > known { 0 } else { self.empty_pages + 1 };
        self.before.clone_from(&page.rows);
        self.undated.extend(&page.undated);
        let rejected = |told: fn(Reason) -> bool| {
            page.rejected.iter().filter(|row| told(row.reason)).count() as u64
        };
        self.reading.last_total = page.total;
        self.reading.unreadable += rejected(hides_a_certificate);
        self.reading.unknown += rejected(is_an_unknown_certificate);
        self.reading.outside += rejected(|reason| reason == Reason::OutsideSlice);
    }

    /// Tells whether nothing is to be expected after a page. A full page at the end of the list is no end: a total
    /// that is too low would look like this, and the page after it tells. The overlap keeps that page from being
    /// empty; without one, the total alone is believed.
    fn is_last(&self, offset: u64, received: u64, total: u64) -> bool {
        let reached = offset.saturating_add(received) >= total;
        let full = received >= self.asked.limit && self.asked.overlap > 0;
        let goes_on = full && offset.saturating_add(self.stride) < total;
        received == 0 || self.left == 0 || self.empty_pages >= EMPTY_PAGES || reached && !goes_on
    }

    /// Returns how far to advance after a page: by rows received, less the overlap, and never not at all. A provider
    /// that gives out few rows at once has half of them twice.
    fn stride_after(&self, received: u64) -> u64 {
        (received - self.asked.overlap.min(received / 2)).max(1)
    }
}

fn distinct(digests: &mut Vec<u64>) -> u64 {
    digests.sort_unstable();
    digests.dedup();
    digests.len() as u64
}

/// Tells the reasons that keep a row that a provider counts from becoming known. A file or a device that cannot be
/// read may hold no certificate at all: it is counted, and does not keep a scan from being proven for ever.
const fn is_an_unknown_certificate(reason: Reason) -> bool {
    matches!(reason, Reason::Unidentified | Reason::BadField)
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
