//! What will be notified of one certificate if nothing changes: the planner, played forward.

use super::super::certificate::{Status, Timestamp};
use super::super::event::Severity;
use super::super::ladder::{Ladder, Rung};
use super::{DecisionReason, Notified, Reminding, reason_of, severity};

/// No certificate is said of more often than this in one forecast.
const MOST: usize = 500;

/// A certificate, what was said of it, and the rules that it stands under.
#[derive(Clone, Copy, Debug)]
pub struct Prospect<'a> {
    /// Its ladder.
    pub ladder: &'a Ladder,
    /// When it ends.
    pub not_after: Timestamp,
    /// How long it is valid in all, in seconds, where that is known.
    pub lifetime: Option<u32>,
    /// Its status.
    pub status: Status,
    /// What was last notified of it.
    pub notified: Option<Notified>,
    /// What is said again, and how often.
    pub reminding: Option<Reminding>,
}

/// Something that will be notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// When it will be decided.
    pub at: Timestamp,
    /// The rung.
    pub rung: Rung,
    /// Why.
    pub reason: DecisionReason,
}

impl Prospect<'_> {
    /// Returns what will be notified from now on, up to a time, in its order.
    pub fn forecast(&self, now: Timestamp, until: Timestamp) -> Vec<Forecast> {
        let mut found = Vec::new();
        if !self.status.alerts() {
            return found;
        }
        let (mut said, mut at) = (self.notified, now);
        while at <= until && found.len() < MOST {
            if let Some(next) = self.due(said, at) {
                said = Some(self.saying(next));
                found.push(next);
            }
            let crossing = self.ladder.next_crossing(self.not_after, self.lifetime, at);
            let reminder = self.reminder(said).map(|reminder| reminder.max(at.plus(1)));
            match crossing.into_iter().chain(reminder).min() {
                Some(next) => at = next,
                None => break,
            }
        }
        found
    }

    /// Returns what is notified at a moment.
    fn due(&self, said: Option<Notified>, at: Timestamp) -> Option<Forecast> {
        let (rung, crossed) = self.ladder.standing(self.not_after, self.lifetime, at)?;
        let last = said.map(|said| (said.rung, said.at, said.mild));
        let reason =
            reason_of((rung, crossed), (self.not_after, self.lifetime, self.status), at, last);
        if reason.notifies() {
            return Some(Forecast { at, rung, reason });
        }
        let said = said.filter(|_| self.reminder(said).is_some_and(|due| due <= at))?;
        let reason = DecisionReason::Reminder(said.count.saturating_add(1));
        Some(Forecast { at, rung: said.rung, reason })
    }

    fn saying(&self, next: Forecast) -> Notified {
        let mild = severity(self.status, next.rung) == Severity::Info;
        let count = match next.reason {
            DecisionReason::Reminder(count) => count,
            _ => 0,
        };
        Notified { rung: next.rung, at: next.at, mild, count }
    }

    fn reminder(&self, said: Option<Notified>) -> Option<Timestamp> {
        let rule = self.reminding.filter(|_| self.status == Status::Active)?;
        rule.next(said?, self.not_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const DAY: i64 = 86_400;

    fn days(prospect: &Prospect<'_>, days: i64) -> Vec<(i64, String, &'static str)> {
        let found = prospect.forecast(NOW, NOW.plus(days * DAY));
        let day = |it: &Forecast| (it.at.since(NOW) / DAY, it.rung.as_label(), it.reason.as_str());
        found.iter().map(day).collect()
    }

    fn prospect(ladder: &Ladder, end: i64) -> Prospect<'_> {
        Prospect {
            ladder,
            not_after: NOW.plus(end * DAY),
            lifetime: None,
            status: Status::Active,
            notified: None,
            reminding: Some(Reminding::default()),
        }
    }

    #[test]
    fn each_rung_once_and_from_three_days_on_every_day() {
        let ladder = Ladder::default();
        let it = |day, rung: &str, reason| (day, rung.to_owned(), reason);
        let expected = [
            it(0, "14d", "first_sight"),
            it(3, "7d", "tighter_rung"),
            it(7, "3d", "tighter_rung"),
            it(8, "3d", "reminder"),
            it(9, "1d", "tighter_rung"),
            it(10, "expired", "tighter_rung"),
            it(11, "expired", "reminder"),
        ];
        assert_eq!(days(&prospect(&ladder, 10), 11), expected);
        let said =
            Notified { rung: Rung::Before(14 * 86_400), at: NOW.plus(-DAY), mild: false, count: 0 };
        let told = Prospect { notified: Some(said), ..prospect(&ladder, 10) };
        assert_eq!(days(&told, 11), expected[1..]);
        assert_eq!(days(&prospect(&ladder, 100), 30), []);
    }

    #[test]
    fn what_is_not_in_use_is_said_mildly_and_never_again() {
        let ladder = Ladder::default();
        let inactive = Prospect { status: Status::Inactive, ..prospect(&ladder, 2) };
        let rungs: Vec<_> = days(&inactive, 30).into_iter().map(|(_, rung, _)| rung).collect();
        assert_eq!(rungs, ["3d", "1d", "expired"]);
        let revoked = Prospect { status: Status::Revoked, ..prospect(&ladder, 2) };
        assert_eq!(days(&revoked, 30), []);
        let long = prospect(&ladder, -40);
        assert_eq!(days(&long, 30), [(0, "expired".to_owned(), "long_ended")]);
    }
}
