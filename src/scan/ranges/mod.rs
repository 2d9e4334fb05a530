//! Reads a slice by ranges of the ends of its certificates, each proven by itself.
//!
//! A window is a range with so many certificates that a restart loses little, and that a look at what is missing from it
//! costs little. It is cut into parts that one answer holds, by the ends that are known; where more is there than is
//! known, or too many end in the same second, a part is read page by page or cut. What has no end is in no window: it is
//! counted, and known by being asked for one by one, or by the list as a whole.
//!
//! While nothing changes, the list as a whole costs the least and shows what has no end: a scope that one window could hold
//! is tried as one list first, and so is a larger one with much that has no end. It is given up as soon as it turns out
//! to change, or when the provider refuses to go so far into it.
//!
//! Reading order: this file (how a slice is read, and window after window), `planner` (which window is next), `split`
//! (where a range is cut), `fetch` (how the parts of a window are read), `undated` (what has no end).

use std::sync::Arc;

use futures_util::future::join;

use super::checkpoint::{Progress, checkpoint};
use super::confirm::confirm_missing;
use super::event::{Feed, ScanEvent};
use super::page_reader::{self, Attempt, Pages, READINGS};
use super::proof::Reading;
use crate::clock::Clock;
use crate::expiry::{Ends, Timestamp};
use crate::source::{Slice, Source, SourceError, Span};
use undated::{AtZero, Shown};

mod planner;
mod split;
mod fetch;
mod undated;

/// How a slice is cut.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Known certificates of one window, at least.
    window: usize,
    /// Windows of known certificates that a fleet has at most, however large it is: finding where a window ends and what
    /// is missing from it walks over all that is known.
    windows: u64,
    /// Rows of a list that is read as one.
    short: u64,
    /// Rows of a list that is tried as one first: no more than a window has, so that a restart loses no more either.
    listed: u64,
    /// Rows of a part that is read page by page; a larger one is cut.
    long: u64,
    /// Certificates without an end that are asked for one by one, however few there are in all.
    few: u64,
    /// Pages for which one certificate without an end may be asked for by itself, where the list as a whole may do.
    each: u64,
    /// Times that parts of one window are cut, so that a provider that answers anything comes to an end.
    cuts: u64,
}

/// For pages of a hundred rows.
const SIZES: Sizes = Sizes {
    window: 100_000,
    windows: 16,
    short: 1_000,
    listed: 100_000,
    long: 10_000,
    few: 20,
    each: 200,
    cuts: 1_024,
};

/// Rows by which the pages of a list overlap that is given up when it changes: enough to see that it did.
const LEAST_OVERLAP: u64 = 2;

/// From the first second that is no "unknown" to the last of the year 9999, where no certificate ends later.
const EVER: Span = (Timestamp::from_seconds(1), Timestamp::from_seconds(253_402_300_799));

/// Windows that a scope may have for each that it fills, and beyond that: a provider whose totals lie would have one
/// for every second.
const WINDOWS: u64 = 6;
const SPARE_WINDOWS: u64 = 64;

/// Reads one slice.
pub(super) struct Ranges<'a> {
    source: &'a dyn Source,
    pages: Pages<'a>,
    slice: &'a Arc<Slice>,
    feed: &'a Feed,
    clock: &'a dyn Clock,
    sizes: Sizes,
}

/// How a slice is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As one list.
    AsOne,
    /// As one list, and by windows as soon as that turns out to change.
    AsOneFirst,
    ByWindows(AtZero),
}

impl<'a> Ranges<'a> {
    pub(super) fn new(
        source: &'a dyn Source,
        slice: &'a Arc<Slice>,
        feed: &'a Feed,
        clock: &'a dyn Clock,
    ) -> Self {
        Self { source, pages: Pages::of(source), slice, feed, clock, sizes: SIZES }
    }
}

impl Ranges<'_> {
    /// Reads the slice, by ranges where that pays. What was read whole has been reported by then.
    pub(super) async fn read(&self) -> Result<Reading, SourceError> {
        if let Some(progress) = self.feed.unfinished.of(self.slice, self.clock.now()) {
            let all = self.count(None).await?;
            let undated = self.undated_count(all).await?.undated;
            let at_zero = self.at_zero(undated).await?;
            let shown = self.read_at_zero(at_zero).await?;
            return self.go_on(progress, all, shown).await;
        }
        self.feed.give(ScanEvent::Begin { slice: Arc::clone(self.slice) }).await?;
        let overlap = self.slice.overlap.min(LEAST_OVERLAP);
        let asked = Slice { overlap, ..Slice::clone(self.slice) };
        let mut one = Attempt::stop_on_change(&asked, self.slice);
        let next = one.begin(&self.pages, self.feed).await?;
        let all = one.reading.first_total;
        let way = self.way(all).await?;
        if let Way::ByWindows(at_zero) = way {
            let shown = self.read_at_zero(at_zero).await?;
            return self.go_on(self.beginning(), all, shown).await;
        }
        let refused = self.refuses(one.go_on(next, &self.pages, self.feed).await)?;
        if one.reading.complete() {
            return self.as_whole(one.reading).await;
        }
        if way == Way::AsOne && !refused {
            return self.as_one(READINGS - 1).await;
        }
        self.feed.give(ScanEvent::Begin { slice: Arc::clone(self.slice) }).await?;
        let shown = if one.reading.finished { Shown::ByList(one.reading) } else { Shown::Nothing };
        self.go_on(self.beginning(), all, shown).await
    }

    /// Returns whether a provider that gave the first page of a list refuses the others: it lets nobody go so far into it.
    fn refuses(&self, went_on: Result<(), SourceError>) -> Result<bool, SourceError> {
        match went_on {
            Ok(()) => Ok(false),
            Err(SourceError::BadRequest(why)) => {
                let scope = &*self.slice.scope;
                tracing::debug!(scope, why, "the list is refused from some row on");
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Decides how a slice with so many rows is best read.
    async fn way(&self, all: u64) -> Result<Way, SourceError> {
        if all <= self.sizes.short {
            return Ok(Way::AsOne);
        }
        if all <= self.sizes.listed && self.slice.within.is_none() {
            return Ok(Way::AsOneFirst);
        }
        let undated = self.undated_count(all).await?.undated;
        if undated == Some(0) {
            return Ok(Way::ByWindows(AtZero::NotFound));
        }
        if self.known_in_scope() < all / 2 {
            return Ok(Way::AsOneFirst);
        }
        let at_zero = self.at_zero(undated).await?;
        // What would cost many questions, the list itself may show.
        let are_dear = undated.is_some_and(|undated| self.are_dear(undated, all));
        let by_list = are_dear && at_zero == AtZero::NotFound;
        Ok(if by_list { Way::AsOneFirst } else { Way::ByWindows(at_zero) })
    }

    fn beginning(&self) -> Progress {
        Progress::beginning(self.clock.now(), self.span().0)
    }

    fn span(&self) -> Span {
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
        if reading.list_shows_absence(self.slice) {
            let ends = self.slice.within.map_or(Ends::All, Ends::Within);
            confirm_missing(self.source, self.slice, ends, self.feed).await?;
        }
        Ok(reading)
    }

    /// Reads window after window from where `progress` has come to. `shown` is what was read of the certificates without an
    /// end.
    async fn go_on(
        &self,
        mut progress: Progress,
        all: u64,
        shown: Shown,
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
                self.keep(None).await?;
                return Ok(Reading { finished: false, ..reading });
            }
            progress.kept += self.missing_from(&reading, Ends::Within(span)).await?;
            progress.reading.add(&reading);
            progress.next = span.1.plus(1);
            self.keep(Some(progress)).await?;
            ahead = following?;
        }
        let reading = self.finish(progress, shown).await?;
        self.keep(None).await?;
        Ok(reading)
    }

    /// Asks for what is known and was not listed, if what was read was read whole. Answers with how much is there.
    async fn missing_from(&self, reading: &Reading, ends: Ends) -> Result<u64, SourceError> {
        if !reading.shows_absence() {
            return Ok(0);
        }
        confirm_missing(self.source, self.slice, ends, self.feed).await
    }

    /// Keeps how far the reading has come; `None`: it is at its end.
    async fn keep(&self, progress: Option<Progress>) -> Result<(), SourceError> {
        if self.slice.within.is_some() {
            return Ok(());
        }
        let checkpoints = vec![checkpoint(self.slice, progress)];
        self.feed.keep(self.source, &self.slice.scope, checkpoints).await
    }
}

#[cfg(test)]
mod tests;
