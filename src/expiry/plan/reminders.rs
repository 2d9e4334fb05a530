//! When something is said again of a certificate whose rung was said before.

use std::collections::BTreeSet;

use super::super::certificate::Timestamp;
use super::super::inventory::RowId;
use super::super::ladder::Rung;
use super::Notified;

/// Reminders that are due within this many seconds go in one message.
pub(super) const TOGETHER: i64 = 3600;

/// After the end it is said again so many times at the usual interval,
const OFTEN_AFTER_THE_END: u16 = 7;

/// then weekly,
const WEEK: i64 = 7 * 86_400;

/// and after this many seconds never.
pub(super) const LAST_AFTER_THE_END: i64 = 30 * 86_400;

/// Which rungs are said again, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminding {
    /// Rungs of at most so many seconds.
    pub from: u32,
    /// Seconds between two of them.
    pub every: u32,
}

impl Default for Reminding {
    fn default() -> Self {
        Self { from: 3 * 86_400, every: 86_400 }
    }
}

impl Reminding {
    /// Returns when a certificate that ends at `end` is due again after this was said of it.
    pub(super) fn next(self, notified: Notified, end: Timestamp) -> Option<Timestamp> {
        if notified.mild || notified.rung.seconds() > self.from {
            return None;
        }
        let every = i64::from(self.every);
        if notified.rung != Rung::Expired {
            return Some(notified.at.plus(every));
        }
        let often = notified.count < OFTEN_AFTER_THE_END;
        let next = notified.at.plus(if often { every } else { every.max(WEEK) });
        (next <= end.plus(LAST_AFTER_THE_END)).then_some(next)
    }
}

/// The certificates of which something is to be said again, and when. What became of them meanwhile is looked up when it is
/// time.
#[derive(Debug, Default)]
pub struct Reminders {
    rule: Option<Reminding>,
    due: BTreeSet<(Timestamp, RowId)>,
}

impl Reminders {
    /// Returns none yet, by a rule; without one there never are any.
    pub fn new(rule: Option<Reminding>) -> Self {
        Self { rule, due: BTreeSet::new() }
    }

    /// Something was said of a certificate that ends at `end`.
    pub fn note(&mut self, row: RowId, notified: Notified, end: Timestamp) {
        if let Some(next) = self.rule.and_then(|rule| rule.next(notified, end)) {
            self.due.insert((next, row));
        }
    }

    /// Looks at a certificate again in an hour: nothing is said of it for now.
    pub fn put_off(&mut self, row: RowId, now: Timestamp) {
        self.put_off_until(row, now.plus(TOGETHER));
    }

    /// Looks at a certificate again then: nothing is said of it before.
    pub fn put_off_until(&mut self, row: RowId, at: Timestamp) {
        self.due.insert((at, row));
    }

    /// Returns which rungs are said again, and how often, if any are.
    pub const fn rule(&self) -> Option<Reminding> {
        self.rule
    }

    /// Returns when the next is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes out those that are due, and with them those that are soon; none when none is due.
    pub fn take(&mut self, now: Timestamp) -> BTreeSet<RowId> {
        if self.next().is_none_or(|next| next > now) {
            return BTreeSet::new();
        }
        let later = self.due.split_off(&(now.plus(TOGETHER + 1), RowId(0)));
        std::mem::replace(&mut self.due, later).into_iter().map(|(_, row)| row).collect()
    }

    /// Returns whether a certificate is due, or within the hour, after this was said of it.
    pub fn is_due(&self, notified: Notified, end: Timestamp, now: Timestamp) -> bool {
        let next = self.rule.and_then(|rule| rule.next(notified, end));
        next.is_some_and(|next| next <= now.plus(TOGETHER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DAY: i64 = 86_400;

    /// Says a rung, and says it again for as long as the rule wants: when, in days after the first time.
    fn days(rule: Option<Reminding>, rung: Rung, first: Timestamp) -> Vec<i64> {
        let mut reminders = Reminders::new(rule);
        let row = RowId(7);
        let mut notified = Notified { rung, at: first, mild: false, count: 0 };
        let mut said = Vec::new();
        reminders.note(row, notified, END);
        while let Some(next) = reminders.next().filter(|_| said.len() < 20) {
            assert!(reminders.take(next.plus(-1)).is_empty());
            assert!(reminders.is_due(notified, END, next));
            assert_eq!(reminders.take(next), [row].into());
            said.push(next.since(first) / DAY);
            notified = Notified { at: next, count: notified.count + 1, ..notified };
            reminders.note(row, notified, END);
        }
        said
    }

    #[test]
    fn a_rung_is_said_again_every_day_and_after_the_end_less_and_less() {
        let rule = Some(Reminding::default());
        let three = Rung::Before(3 * 86_400);
        assert_eq!(days(rule, three, END.plus(-3 * DAY)), (1..=20).collect::<Vec<_>>());
        let never: [i64; 0] = [];
        assert_eq!(days(rule, Rung::Before(7 * 86_400), END.plus(-7 * DAY)), never);
        assert_eq!(days(rule, Rung::Expired, END), [1, 2, 3, 4, 5, 6, 7, 14, 21, 28]);
        assert_eq!(days(None, three, END), never);
        let weekly = Some(Reminding { from: 0, every: 10 * 86_400 });
        assert_eq!(days(weekly, Rung::Expired, END), [10, 20, 30]);
        assert_eq!(days(rule, Rung::Expired, END.plus(40 * DAY)), never, "long ended");
    }

    #[test]
    fn those_of_one_hour_go_together_and_what_was_said_mildly_is_not_said_again() {
        let mut reminders = Reminders::new(Some(Reminding::default()));
        let said = |seconds| Notified {
            rung: Rung::Expired,
            at: END.plus(seconds),
            mild: false,
            count: 0,
        };
        for (row, seconds) in [(1, 0), (2, 3600), (3, 3601)] {
            reminders.note(RowId(row), said(seconds), END);
        }
        reminders.note(RowId(4), Notified { mild: true, ..said(0) }, END);
        assert!(reminders.take(END.plus(DAY - 1)).is_empty());
        assert_eq!(reminders.take(END.plus(DAY)), [RowId(1), RowId(2)].into());
        assert_eq!(reminders.next(), Some(END.plus(DAY + 3601)));
        reminders.put_off(RowId(2), END.plus(DAY));
        assert_eq!(reminders.next(), Some(END.plus(DAY + 3600)));
    }
}
