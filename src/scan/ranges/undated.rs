//! Reads what has no end, so that nothing is there but what the windows held: it is counted, and asked for or listed.

use super::super::checkpoint::Progress;
use super::super::page_reader::Attempt;
use super::super::proof::{Reading, UndatedCount};
use super::{EVER, Ranges};
use crate::expiry::{Ends, Timestamp};
use crate::source::{Slice, SourceError, Span};

/// Times that a list is counted when it changes while it is being counted.
const COUNTS: u32 = 5;

/// Of a large fleet, one in so many certificates may have no end and be asked for by itself.
const SHARE: u64 = 100;

/// Where a filter by time finds what has no end, if it does: a provider may take it to end at 0.
const ZERO: Span = (Timestamp::from_seconds(0), Timestamp::from_seconds(0));

/// Whether the filter finds everything that has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtZero {
    Found,
    NotFound,
}

/// What was read of the certificates without an end before the windows.
pub(super) enum Shown {
    Nothing,
    /// A list that was read as one.
    ByList(Reading),
    /// A window of their own.
    AtZero(Reading),
}

/// Whether the provider was asked, in this scan, for those that are known to have no end: once is enough, or one scan would
/// count as two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unknown {
    Asked,
    NotAsked,
}

impl Ranges<'_> {
    /// Makes sure that nothing is there but what the windows held and what has no end. That much is known
    /// when as many are known and there as the provider counts; else, or where asking for each would take too long, the
    /// list as a whole shows it.
    pub(super) async fn finish(
        &self,
        mut progress: Progress,
        shown: Shown,
    ) -> Result<Reading, SourceError> {
        let reading = Reading { finished: true, by_windows: true, ..progress.reading };
        if self.slice.within.is_some() {
            return Ok(reading);
        }
        if let Shown::AtZero(undated) = shown {
            return self.finish_at_zero(reading, undated).await;
        }
        let all = self.count(None).await?;
        let undated = all.saturating_sub(self.count(Some(EVER)).await?);
        if self.are_many(undated, all) {
            // Read anew: what an earlier list showed is forgotten, and would seem to be missing.
            return self.finish_by_list(reading, None, Unknown::NotAsked).await;
        }
        progress.kept += self.missing_from(&reading, Ends::Unknown).await?;
        let undated_count = self.undated_count(self.count(None).await?).await?;
        if undated_count.is(progress.kept) {
            return Ok(reading.with_undated(progress.kept, undated_count.all));
        }
        let listed = if let Shown::ByList(listed) = shown { Some(listed) } else { None };
        self.finish_by_list(reading, listed, Unknown::Asked).await
    }

    /// Makes sure of the same where what has no end was read as a window: as many are counted now as it held.
    async fn finish_at_zero(
        &self,
        reading: Reading,
        undated: Reading,
    ) -> Result<Reading, SourceError> {
        self.missing_from(&undated, Ends::Unknown).await?;
        let counted = self.undated_count(self.count(None).await?).await?;
        if counted.undated == Some(undated.distinct) {
            return Ok(reading.with_undated(undated.distinct, counted.all));
        }
        self.finish_by_list(reading, None, Unknown::Asked).await
    }

    /// Finds out whether the filter finds everything that has no end, of which there is so much.
    pub(super) async fn at_zero(&self, undated: Option<u64>) -> Result<AtZero, SourceError> {
        let Some(undated) = undated.filter(|undated| *undated > 0) else {
            return Ok(AtZero::NotFound);
        };
        let found = self.count(Some(ZERO)).await?;
        Ok(if found == undated { AtZero::Found } else { AtZero::NotFound })
    }

    /// Reads what has no end as a window, where the filter finds it. Before the other windows: the certificates may have
    /// ends that only they themselves state, and would be missing from those.
    pub(super) async fn read_at_zero(&self, at_zero: AtZero) -> Result<Shown, SourceError> {
        if at_zero == AtZero::NotFound {
            return Ok(Shown::Nothing);
        }
        let reading = self.window(vec![ZERO]).await?;
        let is_whole = !reading.gap_detected && reading.outside == 0 && reading.unknown == 0;
        Ok(if is_whole { Shown::AtZero(reading) } else { Shown::Nothing })
    }

    /// Returns whether certificates without an end are too many to be asked for one by one.
    pub(super) fn are_many(&self, undated: u64, all: u64) -> bool {
        undated > self.sizes.few.max(all / SHARE)
    }

    /// Returns whether questions about so many make a scan notably dearer than the list as a whole, which changes seldom
    /// perhaps.
    pub(super) fn are_dear(&self, undated: u64, all: u64) -> bool {
        undated > all / self.slice.limit.max(1) / self.sizes.each
    }

    async fn finish_by_list(
        &self,
        mut reading: Reading,
        listed: Option<Reading>,
        unknown: Unknown,
    ) -> Result<Reading, SourceError> {
        let listed = match listed {
            Some(listed) => listed,
            None => self.listed().await?,
        };
        if unknown == Unknown::NotAsked && listed.finished {
            self.missing_from(&listed, Ends::Unknown).await?;
        }
        if listed.complete() {
            return Ok(listed);
        }
        let undated_count = self.undated_count(self.count(None).await?).await?;
        reading.gap_detected |= !listed.shows_undated(undated_count);
        Ok(reading.with_undated(listed.undated, undated_count.all))
    }

    /// Reads the list once as one, beside the windows.
    async fn listed(&self) -> Result<Reading, SourceError> {
        let mut one = Attempt::new(self.slice, self.slice);
        let next = one.begin(&self.pages, self.feed).await?;
        one.go_on(next, &self.pages, self.feed).await?;
        Ok(one.reading)
    }

    /// Counts what there is, and what of it has an end, by turns, until the counts are of one moment.
    pub(super) async fn undated_count(&self, mut all: u64) -> Result<UndatedCount, SourceError> {
        if self.slice.within.is_some() {
            return Ok(UndatedCount { all, undated: Some(0) });
        }
        let mut before = None;
        for _ in 0..COUNTS {
            let dated = self.count(Some(EVER)).await?;
            if let Some(counted) = UndatedCount::of_one_moment(before, (all, dated)) {
                return Ok(counted);
            }
            let last = std::mem::replace(&mut all, self.count(None).await?);
            before = (last == all).then_some((all, dated));
        }
        Ok(UndatedCount { all, undated: None })
    }

    pub(super) async fn count(&self, within: Option<Span>) -> Result<u64, SourceError> {
        let asked = Slice { within, ..Slice::clone(self.slice) };
        Ok(self.pages.get(&asked, 0).await?.total)
    }
}
