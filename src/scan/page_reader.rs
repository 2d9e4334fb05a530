//! Reads one slice page by page.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use tokio::sync::Semaphore;

use super::event::{Feed, ScanEvent, stopped};
use super::proof::{Reading, leaves_gap};
use crate::source::{Page, Slice, Source, SourceError};

/// Readings of one slice before it is called partial.
pub(super) const READINGS: u32 = 3;

/// Pages one after another that bring nothing new before a list is given up that never ends.
const EMPTY_PAGES: u32 = 32;

/// Pages that a reading may ask for beyond twice those that the first total stands for.
const SPARE_PAGES: u64 = 64;

/// Rows for which room is made at once, whatever a total states.
const ROOM: u64 = 16 << 20;

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
        if let Err(error) = feed.give(ScanEvent::Begin { slice: Arc::clone(slice) }).await {
            return (Reading::default(), Some(error));
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

/// One reading in progress.
pub(super) struct Attempt<'a> {
    /// What is asked for.
    asked: &'a Slice,
    /// The slice that its pages are handed on for.
    slice: &'a Arc<Slice>,
    pub(super) reading: Reading,
    /// Digests of the rows, each as often as it was seen but for overlaps.
    rows: Vec<u64>,
    /// Those without an end.
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
        self.count(offset, &page);
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
        let checkpoints = std::mem::take(&mut page.checkpoints);
        let unproven = page.places.as_ref().and_then(|places| places.unproven.clone());
        let (slice, offset) = (Arc::clone(self.slice), pages.source.clock_offset());
        feed.give(ScanEvent::Page { slice, page, offset }).await?;
        feed.keep(pages.source, &self.slice.scope, checkpoints).await?;
        // What was seen has been handed on; nothing follows about what was not.
        unproven.map_or(Ok(next), |why| Err(SourceError::Unavailable(why)))
    }

    fn count(&mut self, offset: u64, page: &Page) {
        let known = self.rows.len();
        let before = &self.before;
        self.rows.extend(page.rows.iter().filter(|row| !before.contains(row)));
        let shared = page.rows.len() - (self.rows.len() - known);
        self.reading.gap_detected |= leaves_gap(self.asked, offset, shared);
        self.reading.count(page);
        self.empty_pages = if self.rows.len() > known { 0 } else { self.empty_pages + 1 };
        self.before.clone_from(&page.rows);
        self.undated.extend(&page.undated);
    }

    /// Returns whether nothing is to be expected after a page. A full page at the end of the list is no end: a total
    /// that is too low would look like this, and the page after it shows it. The overlap keeps that page from being
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

#[cfg(test)]
mod tests;
