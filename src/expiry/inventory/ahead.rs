//! What will hurt later, and can be seen now.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::certificate::Timestamp;
use super::super::cliff::{Cliff, EndingInMonths};
use super::{RowId, ScopeId};

/// So many seconds before its end an authority is warned of that ends before what it signed.
const AHEAD: i64 = 400 * 86_400;

/// An authority in use that ends before active certificates that it signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndsFirst {
    /// Its scope.
    pub scope: ScopeId,
    /// Its number; of several that sign as one and end together the first.
    pub row: RowId,
    /// The digest of what it signs as.
    pub signs: u64,
    /// When it ends.
    pub end: Timestamp,
    /// How many active certificates that it signed end after it.
    pub leaves: u64,
}

/// What one state shows of what is ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreseen {
    /// The authorities that end first.
    pub ends_first: Vec<EndsFirst>,
    /// How many active certificates end when, from the present month on.
    pub ending: EndingInMonths,
}

/// What is to be warned of, and is not snoozed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// The authorities that end first.
    pub ends_first: Vec<EndsFirst>,
    /// The months in which far more end than were ever renewed in one.
    pub cliffs: Vec<Cliff>,
    /// The sources of which it is not known yet whether there are any.
    pub unwatched: BTreeSet<Arc<str>>,
}

impl EndsFirst {
    /// Returns from when on it is time to say so, and until when: its end.
    pub const fn turns(&self) -> [Timestamp; 2] {
        [self.end.plus(-AHEAD), self.end]
    }

    /// Returns whether it is time to say so: its end is near, and has not come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let [from, until] = self.turns();
        from <= now && now < until
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{DAY, NOW};
    use super::*;

    #[test]
    fn it_is_time_from_400_days_before_the_end_up_to_it() {
        let (scope, row, signs, leaves) = (ScopeId(1), RowId(0), 7, 1);
        let it = EndsFirst { scope, row, signs, end: Timestamp::from_seconds(NOW), leaves };
        for (seconds, expected) in
            [(-400 * DAY - 1, false), (-400 * DAY, true), (-1, true), (0, false)]
        {
            assert_eq!(it.is_due(Timestamp::from_seconds(NOW + seconds)), expected, "{seconds}");
        }
    }
}
