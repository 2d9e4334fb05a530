//! Reads one slice and proves that it was read whole.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;

use super::{Feed, Step, WIDTH};
use crate::expiry::Reason;
use crate::source::{Page, Slice, Source, SourceError};

/// Readings of one slice before it is called partial.
const READINGS: u32 = 3;

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
    /// Rows that could not be understood, so that a known certificate may be among them.
    pub unreadable: u64,
}

impl Reading {
    /// Returns whether the slice was read whole: as many distinct rows as the provider counted, before and after.
    pub const fn proven(&self) -> bool {
        self.finished && self.distinct == self.first_total && self.distinct == self.last_total
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
        if error.is_some() || reading.proven() {
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
    /// Rows from one page to the next.
    stride: u64,
}

impl<'a> Attempt<'a> {
    fn new(slice: &'a Arc<Slice>) -> Self {
        Self { slice, reading: Reading::default(), rows: HashSet::default(), stride: 0 }
    }

    async fn run(&mut self, source: &dyn Source, feed: &Feed) -> Result<(), SourceError> {
        let first = source.page(self.slice, 0).await?;
        self.reading.first_total = first.total;
        self.stride = self.stride_after(first.rows.len() as u64);
        let mut next = self.take(0, first, feed).await?;
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
            match self.take(at, page?, feed).await? {
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
        page: Page,
        feed: &Feed,
    ) -> Result<Option<u64>, SourceError> {
        let received = page.rows.len() as u64;
        self.rows.extend(page.rows.iter().copied());
        self.reading.distinct = self.rows.len() as u64;
        self.reading.last_total = page.total;
        self.reading.unreadable +=
            page.rejected.iter().filter(|row| hides_a_certificate(row.reason)).count() as u64;
        let end = offset.saturating_add(received);
        let next = if end >= page.total {
            self.reading.finished = true;
            None
        } else if received == 0 {
            None
        } else {
            Some(offset + self.stride_after(received))
        };
        let step = Step::Page { slice: Arc::clone(self.slice), page };
        if feed.give(step).await { Ok(next) } else { Err(stopped()) }
    }

    /// Returns how far to advance after a page: by rows received, less the overlap, and never not at all.
    fn stride_after(&self, received: u64) -> u64 {
        if received > self.slice.overlap { received - self.slice.overlap } else { received.max(1) }
    }
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
