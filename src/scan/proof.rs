//! When a reading is proven: every rule by which what was not listed counts as not there.
//!
//! A list is read by pages, each of which overlaps the one before it. It was read whole when every two pages shared a
//! row, so that nothing lies between them, and when there are as many distinct rows as the provider counts at its first
//! page and at its last. A slice that is cut is whole when each of its windows is, and when as many certificates without
//! an end are known as the counts leave over.

use std::sync::Arc;

use crate::expiry::{Reason, Timestamp};
use crate::source::{Coverage, Page, Slice};

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
    /// Distinct rows without an end.
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

    /// Counts what a page shows of itself: the total that it states, and the rows that were rejected.
    pub(super) fn count(&mut self, page: &Page) {
        let rejected = |counts: fn(Reason) -> bool| {
            page.rejected.iter().filter(|row| counts(row.reason)).count() as u64
        };
        self.last_total = page.total;
        // A place that was not seen hides what is in it and nothing else: the page says which.
        if page.places.is_none() {
            self.unreadable += rejected(hides_a_certificate);
        }
        self.unknown += rejected(is_an_unknown_certificate);
        self.outside += rejected(|reason| reason == Reason::OutsideSlice);
    }

    /// Returns whether what is known and was not listed may be gone: a window, or a list, was read whole and no broken
    /// row of it may be one of them.
    pub(super) const fn shows_absence(&self) -> bool {
        !self.gap_detected && self.unreadable == 0
    }

    /// Returns whether a slice that was read as one list shows what is gone from it.
    pub(super) fn list_shows_absence(&self, slice: &Slice) -> bool {
        slice.coverage != Coverage::Skimmed && self.proven() && self.shows_absence()
    }

    /// Returns whether a list that was read beside the windows shows every certificate without an end. Nothing that was
    /// there all the time lies between pages that overlap, however much came and went; and there are no more than it
    /// shows.
    pub(super) fn shows_undated(&self, counted: UndatedCount) -> bool {
        self.finished && !self.gap_detected && self.unknown == 0 && counted.is(self.undated)
    }
}

/// How many certificates there are, as a provider counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UndatedCount {
    pub(super) all: u64,
    /// Those without an end; `None` when the list changes too fast to count them.
    pub(super) undated: Option<u64>,
}

impl UndatedCount {
    /// Compares two rounds of counts, of all and of those with an end. They are of one moment when they are the same:
    /// what comes and goes between two of them would have to do so twice to go unnoticed.
    pub(super) fn of_one_moment(before: Option<(u64, u64)>, after: (u64, u64)) -> Option<Self> {
        let (all, dated) = after;
        (before == Some(after)).then_some(Self { all, undated: Some(all.saturating_sub(dated)) })
    }

    /// Returns whether exactly so many have no end. Where as many are known and there, no other can be.
    pub(super) fn is(self, undated: u64) -> bool {
        self.undated == Some(undated)
    }
}

/// How the scan of one slice went.
#[derive(Clone, Debug)]
pub struct Report {
    /// The slice.
    pub slice: Arc<Slice>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What was read.
    pub reading: Reading,
    /// Why it broke off, if it did. Never a secret.
    pub error: Option<String>,
}

impl Report {
    /// Returns whether the proof holds, so that what was not listed is not there.
    pub const fn proven(&self) -> bool {
        self.error.is_none() && self.reading.proven()
    }

    /// Returns whether what was not listed may be gone: a row that was not understood could be any certificate.
    pub const fn shows_absence(&self) -> bool {
        self.proven() && self.reading.shows_absence()
    }

    /// Returns what keeps the proof from holding, for people; `None` when it holds.
    pub fn problem(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(error.clone());
        }
        let Reading { distinct, last_total, unknown, .. } = self.reading;
        let scope = &self.slice.scope;
        if self.proven() {
            None
        } else if unknown > 0 {
            Some(format!("{scope}: {unknown} of {last_total} rows could not be understood"))
        } else if self.reading.outside > 0 {
            Some(format!(
                "{scope}: the provider lists certificates that end at other times than asked for"
            ))
        } else {
            Some(format!(
                "{scope}: {distinct} of {last_total} rows after three readings that do not add up; \
                 the list changes faster than it can be read, or its total is wrong"
            ))
        }
    }
}

/// Returns whether a page at `offset` that shares so many rows with the page before it leaves a gap. Where pages overlap,
/// no row that was there all the time lies between them, however many others came and went.
pub(super) const fn leaves_gap(asked: &Slice, offset: u64, shared: usize) -> bool {
    offset > 0 && asked.overlap > 0 && shared == 0
}

/// Returns whether a reason keeps a row that a provider counts from becoming known. A file or a device that cannot be
/// read may hold no certificate at all: it is counted, and does not keep a scan from being proven for ever.
const fn is_an_unknown_certificate(reason: Reason) -> bool {
    matches!(reason, Reason::Unidentified | Reason::BadField)
}

/// Returns whether a reason leaves a row unidentified, so that an absent certificate and a broken row look the same.
fn hides_a_certificate(reason: Reason) -> bool {
    match reason {
        Reason::Unidentified | Reason::BadField | Reason::BadCertificate | Reason::Unreadable => {
            true
        }
        Reason::BadTime | Reason::UnknownStatus | Reason::Missing | Reason::OutsideSlice => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Window;

    #[test]
    fn the_problem_is_written_for_people() {
        let at = Timestamp::from_seconds(0);
        let problem = |reading: Reading, error: Option<&str>| {
            let slice = Arc::new(Slice::whole(&"all".into(), Window::All, 20, 0));
            let error = error.map(str::to_owned);
            Report { slice, started: at, ended: at, reading, error }.problem()
        };
        let whole = Reading {
            finished: true,
            distinct: 5,
            first_total: 5,
            last_total: 5,
            ..Reading::default()
        };
        assert_eq!(problem(whole, None), None);
        assert_eq!(problem(whole, Some("all: no")).as_deref(), Some("all: no"));
        let unknown = Reading { unknown: 2, unreadable: 2, ..whole };
        insta::assert_snapshot!(problem(unknown, None).unwrap(), @"all: 2 of 5 rows could not be understood");
        let short = Reading { distinct: 4, ..whole };
        insta::assert_snapshot!(problem(short, None).unwrap(), @"all: 4 of 5 rows after three readings that do not add up; the list changes faster than it can be read, or its total is wrong");
    }
}
