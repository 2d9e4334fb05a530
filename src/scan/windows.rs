//! Reads a slice that can be cut by windows of ends, each proven by itself.
//!
//! A window is a stretch of ends with so many certificates that a restart loses little, and that a look at what is
//! missing from it costs little. It is cut into parts that one answer holds, by the ends that are known, and by lots
//! where too many end in the same second; where more is there than is known, a part is read page by page or cut.
//! What does not say when it ends is in no window: it is counted, and known by being asked for one by one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::StreamExt as _;
use futures_util::future::join;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;

use super::ask::ask;
use super::cut::{cut, divide, halve, landmarks};
use super::lots::choose;
use super::passes::Pass;
use super::slice::{self, Attempt, Pages, READINGS, Reading, stopped};
use super::{Ends, Feed, Known, Step};
use crate::clock::Clock;
use crate::expiry::{Batch, Timestamp};
use crate::source::{Coverage, Lot, Slice, Source, SourceError, Span};

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
    /// Times that parts of one window are cut, so that a provider that answers anything comes to an end.
    pub(super) cuts: u64,
}

/// For pages of a hundred rows.
pub(super) const SIZES: Sizes =
    Sizes { window: 100_000, windows: 16, short: 1_000, long: 10_000, cuts: 1_024 };

/// From the first second that is no "unknown" to the last of the year 9999, where no certificate ends later.
const EVER: Span = (Timestamp::from_seconds(1), Timestamp::from_seconds(253_402_300_799));

/// A part that is too long is cut into so many at the most: where all end in one of them, the others are asked in vain.
const MOST_PARTS: u64 = 8;

/// So many certificates that do not say when they end are asked for one by one, however few there are in all.
const FEW: u64 = 20;

/// Of a large fleet, one in so many.
const SHARE: u64 = 100;

/// Windows that a scope may have for each that it fills, and beyond that: a provider whose totals lie would have one
/// for every second.
const WINDOWS: u64 = 6;
const SPARE_WINDOWS: u64 = 64;

/// Times that a list is counted when it changes while it is being counted.
const COUNTS: u32 = 5;

/// Reads a slice that can be cut.
pub(super) struct Windows<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) pages: Pages<'a>,
    pub(super) slice: &'a Arc<Slice>,
    pub(super) feed: &'a Feed,
    pub(super) clock: &'a dyn Clock,
    pub(super) sizes: Sizes,
    /// Whether the provider's filters tell lots apart; believed until it is seen that they do not.
    pub(super) lots_work: AtomicBool,
}

/// How many certificates there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Census {
    all: u64,
    /// Those that do not say when they end; `None` when the list changes too fast to tell.
    undated: Option<u64>,
}

/// How a slice is read.
enum Way {
    /// As one list.
    AsOne,
    /// As one list, and by windows as soon as that turns out to change.
    AsOneFirst,
    ByWindows,
}

/// What is asked for at a time.
enum Work {
    Span(Span),
    /// Certificates that as far as is known end together, lot by lot.
    Lots(Span, Vec<Lot>),
}

/// How a part of a window was read.
pub(super) enum Part {
    Read(Reading),
    /// It is too long for one reading.
    Cut(Vec<Span>),
}

impl Windows<'_> {
    /// Reads the slice. What was read whole has been told to the feed by then.
    pub(super) async fn read(&self) -> Result<Reading, SourceError> {
        if let Some(pass) = self.feed.passes.of(self.slice, self.clock.now()) {
            let all = self.count(None).await?;
            return self.go_on(pass, all, None).await;
        }
        self.give(Step::Begin { slice: Arc::clone(self.slice) }).await?;
        let mut one = Attempt::at_rest(self.slice, self.slice);
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
                self.give(Step::Begin { slice: Arc::clone(self.slice) }).await?;
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
        match self.census(all).await?.undated {
            Some(0) => Ok(Way::ByWindows),
            Some(undated) if undated > FEW.max(all / SHARE) => Ok(Way::AsOne),
            // What is not known yet cannot be asked for: the list itself has to show it.
            _ if self.known(self.span().0, 0).await?.in_scope < all / 2 => Ok(Way::AsOneFirst),
            _ => Ok(Way::ByWindows),
        }
    }

    fn beginning(&self) -> Pass {
        Pass::beginning(self.clock.now(), self.span().0)
    }

    fn span(&self) -> Span {
        self.slice.within.unwrap_or(EVER)
    }

    /// Reads it as one list.
    pub(super) async fn as_one(&self, times: u32) -> Result<Reading, SourceError> {
        let (reading, error) = slice::read(&self.pages, self.slice, self.feed, times).await;
        match error {
            Some(error) => Err(error),
            None => self.as_whole(reading).await,
        }
    }

    /// Reads the list once as one, beside the windows.
    async fn listed(&self) -> Result<Reading, SourceError> {
        let mut one = Attempt::new(self.slice, self.slice);
        let next = one.begin(&self.pages, self.feed).await?;
        one.go_on(next, &self.pages, self.feed).await?;
        Ok(one.reading)
    }

    /// Asks for what is missing from a list that was read as one, if it was read whole.
    async fn as_whole(&self, reading: Reading) -> Result<Reading, SourceError> {
        let skimmed = self.slice.coverage == Coverage::Skimmed;
        if !skimmed && reading.proven() && reading.unreadable == 0 {
            let ends = self.slice.within.map_or(Ends::All, Ends::Within);
            ask(self.source, self.slice, ends, self.feed).await?;
        }
        Ok(reading)
    }

    /// Reads window after window from where `pass` has come to. `listed` is what a reading of the list as one saw.
    async fn go_on(
        &self,
        mut pass: Pass,
        all: u64,
        listed: Option<Reading>,
    ) -> Result<Reading, SourceError> {
        let share = usize::try_from(all / self.sizes.windows).unwrap_or(usize::MAX);
        let size = self.sizes.window.max(share);
        let mut windows = SPARE_WINDOWS + WINDOWS * (all / size as u64);
        let mut ahead = self.next(pass.next, size).await?;
        while let Some((span, work)) = ahead {
            // Where the next window ends is found while this one is read: that may take many answers, one by one.
            let following = self.next(span.1.plus(1), size);
            let (reading, following) = join(self.window(work), following).await;
            let reading = reading?;
            windows = windows.saturating_sub(1);
            if reading.outside > 0 || windows == 0 {
                // The filter or the totals are not what they were; the filter is tried out again before the next poll.
                self.note(None).await?;
                return Ok(Reading { finished: false, ..reading });
            }
            pass.kept += self.missing_from(&reading, Ends::Within(span)).await?;
            pass.reading.add(&reading);
            pass.next = span.1.plus(1);
            self.note(Some(pass)).await?;
            ahead = following?;
        }
        let reading = self.finish(pass, listed).await?;
        self.note(None).await?;
        Ok(reading)
    }

    /// Proves that nothing is there but what the windows held and what does not say when it ends. That much is known
    /// when as many are known and there as the provider counts; else the list as a whole shows it.
    async fn finish(
        &self,
        mut pass: Pass,
        listed: Option<Reading>,
    ) -> Result<Reading, SourceError> {
        let mut reading = Reading { finished: true, by_windows: true, ..pass.reading };
        if self.slice.within.is_some() {
            return Ok(reading);
        }
        pass.kept += self.missing_from(&reading, Ends::Unknown).await?;
        let all = self.count(None).await?;
        let mut census = self.census(all).await?;
        if census.undated == Some(pass.kept) {
            reading.undated = pass.kept;
        } else {
            let listed = match listed {
                Some(listed) => listed,
                None => self.listed().await?,
            };
            if listed.complete() {
                return Ok(listed);
            }
            census = self.census(self.count(None).await?).await?;
            // Nothing that was there all the time lies between pages that overlap, however much came and went.
            let whole = listed.finished && !listed.torn && listed.unknown == 0;
            reading.torn |= !whole || census.undated != Some(listed.undated);
            reading.undated = listed.undated;
        }
        reading.distinct += reading.undated;
        reading.last_total = census.all;
        Ok(reading)
    }

    /// Asks for what is known and was not listed, if what was read was read whole. Answers with how much is there.
    async fn missing_from(&self, reading: &Reading, ends: Ends) -> Result<u64, SourceError> {
        if reading.torn || reading.unreadable > 0 {
            return Ok(0);
        }
        ask(self.source, self.slice, ends, self.feed).await
    }

    async fn note(&self, pass: Option<Pass>) -> Result<(), SourceError> {
        if self.slice.within.is_some() {
            return Ok(());
        }
        let note = self.feed.passes.keep(self.slice, pass);
        let scope = Arc::clone(&self.slice.scope);
        self.give(Step::Noted { scope, notes: vec![note] }).await
    }

    async fn give(&self, step: Step) -> Result<(), SourceError> {
        if self.feed.give(step).await { Ok(()) } else { Err(stopped()) }
    }

    /// Chooses the window that begins at `from` and has so many known certificates, and cuts it. `None` after the last.
    async fn next(
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
            [] => landmarks((from, to), self.clock.now()),
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

    /// Cuts those parts by lots that the ends cannot cut.
    async fn work(&self, parts: Vec<Span>, ends: &[Timestamp]) -> Result<Vec<Work>, SourceError> {
        let most = self.most();
        let full: Vec<Timestamp> =
            parts.iter().filter_map(|part| full(*part, ends, most)).collect();
        let batches = if full.is_empty() { BTreeMap::new() } else { self.batches(full).await? };
        let work = parts.into_iter().map(|part| {
            let batch = self::full(part, ends, most).and_then(|end| batches.get(&end));
            match batch.and_then(|batch| choose(batch, most as u64)) {
                Some(lots) => Work::Lots(part, lots),
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

    /// Reads every part of a window, a few at a time.
    async fn window(&self, mut waiting: Vec<Work>) -> Result<Reading, SourceError> {
        waiting.reverse();
        let cuts = AtomicU64::new(self.sizes.cuts);
        let mut reading = Reading::default();
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.pages.width()
                && let Some(work) = waiting.pop()
            {
                under_way.push(self.piece(work, &cuts));
            }
            let Some(part) = under_way.next().await else { break };
            match part? {
                Part::Read(one) => reading.add(&one),
                Part::Cut(spans) => waiting.extend(spans.into_iter().rev().map(Work::Span)),
            }
            if reading.outside > 0 {
                break;
            }
        }
        Ok(Reading { finished: true, by_windows: true, ..reading })
    }

    async fn piece(&self, work: Work, cuts: &AtomicU64) -> Result<Part, SourceError> {
        match work {
            Work::Span(span) => self.part(span, cuts).await,
            Work::Lots(span, lots) => self.batch(span, lots, cuts).await,
        }
    }

    pub(super) async fn part(&self, span: Span, cuts: &AtomicU64) -> Result<Part, SourceError> {
        let asked = self.slice.part(span);
        let mut reading = Reading::default();
        for _ in 0..READINGS {
            let mut attempt = Attempt::new(&asked, self.slice);
            let next = attempt.begin(&self.pages, self.feed).await?;
            let too_long = attempt.reading.first_total > self.sizes.long;
            if attempt.reading.outside > 0 {
                return Ok(Part::Read(attempt.reading));
            }
            if too_long && let Some(parts) = self.shorter(span, attempt.reading.first_total, cuts) {
                return Ok(Part::Cut(parts));
            }
            attempt.go_on(next, &self.pages, self.feed).await?;
            reading = attempt.reading;
            if reading.complete() {
                break;
            }
        }
        Ok(Part::Read(reading))
    }

    /// Cuts a part that has so many rows, unless it is of one second or too much was cut already.
    fn shorter(&self, span: Span, rows: u64, cuts: &AtomicU64) -> Option<Vec<Span>> {
        let wanted = rows.div_ceil(self.sizes.long).clamp(2, MOST_PARTS);
        let parts = divide(span, i64::try_from(wanted).unwrap_or(i64::MAX));
        (parts.len() > 1 && may(cuts)).then_some(parts)
    }

    /// Counts what there is, and what of it has an end, by turns. The counts are of one moment when they stay the same:
    /// what comes and goes between two of them would have to do so twice to go unnoticed.
    async fn census(&self, mut all: u64) -> Result<Census, SourceError> {
        if self.slice.within.is_some() {
            return Ok(Census { all, undated: Some(0) });
        }
        let mut before = None;
        for _ in 0..COUNTS {
            let dated = self.count(Some(EVER)).await?;
            if before == Some((all, dated)) {
                return Ok(Census { all, undated: Some(all.saturating_sub(dated)) });
            }
            let last = std::mem::replace(&mut all, self.count(None).await?);
            before = (last == all).then_some((all, dated));
        }
        Ok(Census { all, undated: None })
    }

    pub(super) async fn count(&self, within: Option<Span>) -> Result<u64, SourceError> {
        let asked = Slice { within, ..Slice::clone(self.slice) };
        Ok(self.pages.get(&asked, 0).await?.total)
    }

    /// Returns what the certificates are made up of that end at these times.
    async fn batches(
        &self,
        ends: Vec<Timestamp>,
    ) -> Result<BTreeMap<Timestamp, Batch>, SourceError> {
        let (batches, answer) = oneshot::channel();
        self.give(Step::Batches { slice: Arc::clone(self.slice), ends, batches }).await?;
        answer.await.map_err(|_| stopped())
    }

    /// Returns what is known, with the first of the ends from a time on.
    async fn known(&self, from: Timestamp, most: usize) -> Result<Known, SourceError> {
        let (known, answer) = oneshot::channel();
        self.give(Step::Known { slice: Arc::clone(self.slice), from, most, known }).await?;
        answer.await.map_err(|_| stopped())
    }
}

/// Returns the end of a batch that fills a part alone, and more than it.
fn full((from, to): Span, ends: &[Timestamp], most: usize) -> Option<Timestamp> {
    let first = ends.partition_point(|end| *end < from);
    let last = ends.partition_point(|end| *end <= to);
    (last - first > most).then(|| ends.get(first).copied())?
}

fn may(cuts: &AtomicU64) -> bool {
    cuts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

#[cfg(test)]
mod tests;
