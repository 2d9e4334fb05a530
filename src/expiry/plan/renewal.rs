//! Which open alerts ended, and whether that is to be notified.

use std::collections::BTreeMap;

use super::super::certificate::{Status, Timestamp};
use super::super::inventory::{Applied, Change, Inventory, RowId};
use super::Ledger;

/// A certificate that was warned about and needs no warning any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The certificate.
    pub row: RowId,
    /// What took its place; `None` when its own end moved later.
    pub successor: Option<RowId>,
}

/// What becomes of open alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewals {
    /// To be notified.
    pub renewed: Vec<Renewal>,
    /// Entries to drop from the ledger, those of `renewed` included.
    pub forgotten: Vec<RowId>,
}

/// Returns which open alerts ended with these changes.
///
/// `restated` are the certificates whose status changed because others were removed. The inventory is the one that
/// the changes led to: what counts is how things ended, not what they were in between.
pub fn plan_renewed(
    applied: &[Applied],
    restated: &[(RowId, Status)],
    inventory: &Inventory,
    ledger: &Ledger,
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
        renewals.settle(row, fate, inventory);
    }
    renewals
}

impl Renewals {
    fn settle(&mut self, row: RowId, fate: Fate, inventory: &Inventory) {
        let known = inventory.row(row);
        let superseded = known.is_some_and(|known| known.status == Status::Superseded);
        let successor = inventory.successor(row).filter(|_| superseded);
        let in_place = known.is_some_and(|known| {
            matches!(fate, Fate::MovedLater(end) if known.not_after > Some(end))
                && (known.status.alerts() || superseded)
        });
        let renewed = successor.is_some() || in_place;
        if renewed {
            self.renewed.push(Renewal { row, successor });
        }
        if renewed || known.is_none() || fate != Fate::Open {
            self.forgotten.push(row);
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
}
