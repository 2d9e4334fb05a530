//! Reads a slice that can be cut by windows of ends, each proven by itself.
//!
//! A window is a stretch of ends with so many certificates that a restart loses little, and that a look at what is
//! missing from it costs little. It is cut into parts that one answer holds, by the ends that are known; where more is
//! there than is known, or too many end in the same second, a part is read page by page or cut.
//! What does not say when it ends is in no window: it is counted, and known by being asked for one by one, or by the list
//! as a whole.

use std::sync::Arc;

use futures_util::future::join;

use super::checkpoint::Progress;
use super::confirm::confirm_missing;
use super::page_reader::{self, Attempt, Pages, READINGS, Reading, stopped};
use super::{Ends, Feed, ScanEvent};
use crate::clock::Clock;
use crate::expiry::Timestamp;
use crate::source::{Coverage, Slice, Source, SourceError, Span};

/// How a slice is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Known certificates of one window, at least.
    pub(super) window: usize,
    /// Windows of known certificates that a fleet has at most, however large it is: finding where a window ends and what
    /// is missing from it walks over all that is known.
    pub(super) windows: u64,
    /// Rows of a list that is read as one.
    pub(super) short: u64,
    /// Rows of a part that is read page by page; a larger one is cut.
    pub(super) long: u64,
    /// Certificates that do not say when they end and are asked for one by one, however few there are in all.
    pub(super) few: u64,
    /// Times that parts of one window are cut, so that a provider that answers anything comes to an end.
    pub(super) cuts: u64,
}

/// For pages of a hundred rows.
pub(super) const SIZES: Sizes =
    Sizes { window: 100_000, windows: 16, short: 1_000, long: 10_000, few: 20, cuts: 1_024 };

/// From the first second that is no "unknown" to the last of the year 9999, where no certificate ends later.
pub(super) const EVER: Span =
    (Timestamp::from_seconds(1), Timestamp::from_seconds(253_402_300_799));

/// Windows that a scope may have for each that it fills, and beyond that: a provider whose totals lie would have one
/// for every second.
const WINDOWS: u64 = 6;
const SPARE_WINDOWS: u64 = 64;

/// Reads a slice that can be cut.
pub(super) struct Windows<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) pages: Pages<'a>,
    pub(super) slice: &'a Arc<Slice>,
    pub(super) feed: &'a Feed,
    pub(super) clock: &'a dyn Clock,
    pub(super) sizes: Sizes,
}

/// How a slice is read.
enum Way {
    /// As one list.
    AsOne,
    /// As one list, and by windows as soon as that turns out to change.
    AsOneFirst,
    ByWindows,
}

impl Windows<'_> {
    /// Reads the slice. What was read whole has been told to the feed by then.
    pub(super) async fn read(&self) -> Result<Reading, SourceError> {
        if let Some(progress) = self.feed.checkpoints.of(self.slice, self.clock.now()) {
            let all = self.count(None).await?;
            return self.go_on(progress, all, None).await;
        }
        self.give(ScanEvent::Begin { slice: Arc::clone(self.slice) }).await?;
        let mut one = Attempt::stop_on_change(self.slice, self.slice);
        let next = one.begin(&self.pages, self.feed).await?;
        let all = one.reading.first_total;
        match self.way(all).await? {
            Way::AsOne => {
                one.go_on(next, &self.pages, self.feed).await?;
                if one.reading.complete() {
                    return self.as_whole(one.reading).await;
                }
                self.as_one(READINGS - 1).await
            }
            Way::AsOneFirst => {
                one.go_on(next, &self.pages, self.feed).await?;
                if one.reading.complete() {
                    return self.as_whole(one.reading).await;
                }
                self.give(ScanEvent::Begin { slice: Arc::clone(self.slice) }).await?;
                let listed = Some(one.reading).filter(|listed| listed.finished);
                self.go_on(self.beginning(), all, listed).await
            }
            Way::ByWindows => self.go_on(self.beginning(), all, None).await,
        }
    }

    /// Decides how a slice with so many rows is best read.
    async fn way(&self, all: u64) -> Result<Way, SourceError> {
        if all <= self.sizes.short {
            return Ok(Way::AsOne);
        }
        match self.undated_count(all).await?.undated {
            Some(0) => Ok(Way::ByWindows),
            // What cannot be asked for, being too many or not known yet, the list itself has to show.
            Some(undated) if self.are_many(undated, all) => Ok(Way::AsOneFirst),
            _ if self.known_in_scope() < all / 2 => Ok(Way::AsOneFirst),
            _ => Ok(Way::ByWindows),
        }
    }

    fn beginning(&self) -> Progress {
        Progress::beginning(self.clock.now(), self.span().0)
    }

    pub(super) fn span(&self) -> Span {
        self.slice.within.unwrap_or(EVER)
    }

    /// Reads it as one list.
    pub(super) async fn as_one(&self, times: u32) -> Result<Reading, SourceError> {
        let (reading, error) = page_reader::read(&self.pages, self.slice, self.feed, times).await;
        match error {
            Some(error) => Err(error),
            None => self.as_whole(reading).await,
        }
    }

    /// Asks for what is missing from a list that was read as one, if it was read whole.
    async fn as_whole(&self, reading: Reading) -> Result<Reading, SourceError> {
        let skimmed = self.slice.coverage == Coverage::Skimmed;
        if !skimmed && reading.proven() && reading.unreadable == 0 {
            let ends = self.slice.within.map_or(Ends::All, Ends::Within);
            confirm_missing(self.source, self.slice, ends, self.feed).await?;
        }
        Ok(reading)
    }

    /// Reads window after window from where `progress` has come to. `listed` is what a reading of the list as one saw.
    async fn go_on(
        &self,
        mut progress: Progress,
        all: u64,
        listed: Option<Reading>,
    ) -> Result<Reading, SourceError> {
        let share = usize::try_from(all / self.sizes.windows).unwrap_or(usize::MAX);
        let size = self.sizes.window.max(share);
        let mut windows = SPARE_WINDOWS + WINDOWS * (all / size as u64);
        let mut ahead = self.next(progress.next, size).await?;
        while let Some((span, parts)) = ahead {
            // Where the next window ends is found while this one is read: that may take many answers, one by one.
            let following = self.next(span.1.plus(1), size);
            let (reading, following) = join(self.window(parts), following).await;
            let reading = reading?;
            windows = windows.saturating_sub(1);
            if reading.outside > 0 || windows == 0 {
                // The filter or the totals are not what they were; the filter is tried out again before the next poll.
                self.note(None).await?;
                return Ok(Reading { finished: false, ..reading });
            }
            progress.kept += self.missing_from(&reading, Ends::Within(span)).await?;
            progress.reading.add(&reading);
            progress.next = span.1.plus(1);
            self.note(Some(progress)).await?;
            ahead = following?;
        }
        let reading = self.finish(progress, listed).await?;
        self.note(None).await?;
        Ok(reading)
    }

    /// Asks for what is known and was not listed, if what was read was read whole. Answers with how much is there.
    pub(super) async fn missing_from(
        &self,
        reading: &Reading,
        ends: Ends,
    ) -> Result<u64, SourceError> {
        if reading.gap_detected || reading.unreadable > 0 {
            return Ok(0);
        }
        confirm_missing(self.source, self.slice, ends, self.feed).await
    }

    async fn note(&self, progress: Option<Progress>) -> Result<(), SourceError> {
        if self.slice.within.is_some() {
            return Ok(());
        }
        let note = self.feed.checkpoints.keep(self.slice, progress);
        let scope = Arc::clone(&self.slice.scope);
        self.give(ScanEvent::Checkpoint { scope, notes: vec![note] }).await
    }

    pub(super) async fn give(&self, event: ScanEvent) -> Result<(), SourceError> {
        if self.feed.give(event).await { Ok(()) } else { Err(stopped()) }
    }
}

#[cfg(test)]
mod tests;
