//! Which open alerts something new may have ended, and which are about something else now.

use std::collections::BTreeMap;

use super::super::certificate::{Status, Timestamp};
use super::super::inventory::{Applied, Change, Inventory, RowId};
use super::Ledger;
use super::renewing::{Renewing, is_renewed};

/// What becomes of open alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewals {
    /// Something has taken the place of these, as things stand: each with the end that its alert is about.
    pub renewed: Vec<(RowId, Timestamp)>,
    /// These looked renewed, and stand again where their alert found them.
    pub returned: Vec<RowId>,
    /// Entries to drop from the ledger: they are about something that is not there any more.
    pub over: Vec<RowId>,
}

/// Returns what these changes do to open alerts.
///
/// `restated` are the certificates whose status changed because others were removed, `renewing` those that looked renewed
/// before. The inventory is the one that the changes led to: what counts is how things ended, not what they were in
/// between.
pub fn plan_renewed(
    applied: &[Applied],
    restated: &[(RowId, Status)],
    inventory: &Inventory,
    ledger: &Ledger,
    renewing: &Renewing,
) -> Renewals {
    let mut touched = BTreeMap::new();
    let mut note = |row: RowId, fate: Fate| {
        if ledger.contains(row) {
            touched
                .entry(row)
                .and_modify(|known: &mut Fate| *known = fate.after(*known))
                .or_insert(fate);
        }
    };
    for change in applied {
        note(change.row, Fate::of(change));
        change.restated.iter().for_each(|(row, _)| note(*row, Fate::Open));
    }
    for (row, _) in restated {
        note(*row, Fate::Open);
    }
    let mut renewals = Renewals::default();
    for (row, fate) in touched {
        renewals.settle(row, fate, inventory, renewing);
    }
    renewals
}

impl Renewals {
    fn settle(&mut self, row: RowId, fate: Fate, inventory: &Inventory, renewing: &Renewing) {
        let end = inventory.row(row).and_then(|known| known.not_after);
        let looked_renewed = renewing.from(row);
        let from = looked_renewed.or(fate.moved_from()).or(end);
        let is_back = end == from && (looked_renewed.is_some() || fate.moved_from().is_some());
        if let Some(from) = from.filter(|from| is_renewed(inventory, row, *from)) {
            self.renewed.push((row, from));
        } else if is_back {
            self.returned.extend(looked_renewed.map(|_| row));
        } else if inventory.row(row).is_none() || fate != Fate::Open {
            self.over.push(row);
        }
    }
}

/// What the changes did to the end that an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing.
    Open,
    /// The alert is about something else: another certificate, another end.
    Over,
    /// The end moved later, from this one.
    MovedLater(Timestamp),
}

impl Fate {
    fn of(applied: &Applied) -> Self {
        match applied.change {
            // Its number was another's before; an alert under it is about that one.
            Change::Added => Self::Over,
            Change::Changed { renewed_from: Some(end) } => Self::MovedLater(end),
            Change::Changed { renewed_from: None } if applied.end_moved => Self::Over,
            Change::Changed { renewed_from: None } | Change::Unchanged => Self::Open,
        }
    }

    /// Returns what both come to: an end that moved twice is held against the first.
    fn after(self, known: Self) -> Self {
        match (known, self) {
            (Self::MovedLater(end), _) | (_, Self::MovedLater(end)) => Self::MovedLater(end),
            (Self::Open, Self::Open) => Self::Open,
            _ => Self::Over,
        }
    }

    const fn moved_from(self) -> Option<Timestamp> {
        match self {
            Self::MovedLater(end) => Some(end),
            Self::Open | Self::Over => None,
        }
    }
}
