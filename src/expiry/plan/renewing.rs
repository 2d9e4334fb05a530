//! Alerts that something new may have ended: it is believed when two readings in a row show it.
//!
//! A file may swing between two certificates, and a list may show a successor by mistake. Until it is sure, nothing is said
//! of the old one; where it comes back, its alert is open as before.

use std::collections::BTreeMap;

use super::super::certificate::{Status, Timestamp};
use super::super::inventory::{Inventory, RowId};
use super::Ledger;

/// Before the number of a certificate in the key under which it is stored that it looks renewed.
const KEY: &str = "renewing\u{1f}";

/// The certificates that look renewed, and about which an alert is open.
#[derive(Debug, Default)]
pub struct Renewing {
    rows: BTreeMap<RowId, Doubt>,
}

#[derive(Debug)]
struct Doubt {
    /// The end that the alert is about.
    from: Timestamp,
    shown: Shown,
}

/// What the readings since then showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// None of them has ended.
    Nothing,
    Once,
    Twice,
    /// The old state is back.
    Returned,
}

/// Returns whether something has taken the place of a certificate whose alert is about the end `from`: a successor, or a
/// later end of its own.
pub fn is_renewed(inventory: &Inventory, row: RowId, from: Timestamp) -> bool {
    let Some(known) = inventory.row(row) else { return false };
    let superseded = known.status == Status::Superseded;
    let in_place = known.not_after > Some(from) && (known.status.alerts() || superseded);
    in_place || superseded && inventory.successor(row).is_some()
}

impl Renewing {
    /// Takes back what was stored, of alerts that are open. What came before a restart was one reading.
    pub fn restored<'a>(
        stored: impl IntoIterator<Item = (&'a str, Timestamp)>,
        inventory: &Inventory,
        ledger: &Ledger,
    ) -> Self {
        let doubt = |(key, from)| {
            let row = row_of(key).filter(|row| ledger.contains(*row))?;
            let renewed = is_renewed(inventory, row, from);
            let shown = if renewed { Shown::Once } else { Shown::Returned };
            Some((row, Doubt { from, shown }))
        };
        Self { rows: stored.into_iter().filter_map(doubt).collect() }
    }

    /// Returns the key under which it is stored that a certificate looks renewed; what is stored is the end that its alert
    /// is about.
    pub fn key(row: RowId) -> String {
        format!("{KEY}{}", row.0)
    }

    /// Returns whether something is stored here under a key.
    pub fn is_key(key: &str) -> bool {
        row_of(key).is_some()
    }

    /// A certificate looks renewed. Answers whether it did not before.
    pub fn note(&mut self, row: RowId, from: Timestamp) -> bool {
        let doubt = self.rows.entry(row).or_insert(Doubt { from, shown: Shown::Returned });
        let is_new = doubt.shown == Shown::Returned;
        if is_new {
            doubt.shown = Shown::Nothing;
        }
        is_new
    }

    /// The old state of a certificate is back.
    pub fn take_back(&mut self, row: RowId) {
        if let Some(doubt) = self.rows.get_mut(&row) {
            doubt.shown = Shown::Returned;
        }
    }

    /// A reading ended that showed what took the place of a certificate.
    pub fn see(&mut self, row: RowId) {
        if let Some(doubt) = self.rows.get_mut(&row) {
            doubt.shown = match doubt.shown {
                Shown::Nothing => Shown::Once,
                Shown::Once | Shown::Twice => Shown::Twice,
                Shown::Returned => Shown::Returned,
            };
        }
    }

    /// Forgets a certificate. Answers whether there was something to forget.
    pub fn remove(&mut self, row: RowId) -> bool {
        self.rows.remove(&row).is_some()
    }

    /// Returns the end that the alert is about of a certificate that looks renewed, or did.
    pub fn from(&self, row: RowId) -> Option<Timestamp> {
        self.rows.get(&row).map(|doubt| doubt.from)
    }

    /// Returns whether nothing is said of a certificate for now.
    pub fn holds(&self, row: RowId) -> bool {
        self.rows.get(&row).is_some_and(|doubt| doubt.shown != Shown::Returned)
    }

    /// Returns every certificate that is not decided yet.
    pub fn rows(&self) -> Vec<RowId> {
        self.that(|shown| shown != Shown::Returned)
    }

    /// Returns those that are renewed: two readings in a row showed it.
    pub fn confirmed(&self) -> Vec<RowId> {
        self.that(|shown| shown == Shown::Twice)
    }

    /// Returns those whose alert is open as before.
    pub fn returned(&self) -> Vec<RowId> {
        self.that(|shown| shown == Shown::Returned)
    }

    fn that(&self, which: impl Fn(Shown) -> bool) -> Vec<RowId> {
        let those = self.rows.iter().filter(|(_, doubt)| which(doubt.shown));
        those.map(|(row, _)| *row).collect()
    }
}

fn row_of(key: &str) -> Option<RowId> {
    key.strip_prefix(KEY)?.parse().ok().map(RowId)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: RowId = RowId(7);
    const END: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn two_readings_confirm_and_a_return_begins_anew() {
        let mut renewing = Renewing::default();
        renewing.see(ROW);
        assert!(renewing.note(ROW, END) && !renewing.note(ROW, END));
        for confirmed in [false, true] {
            assert!(renewing.confirmed().is_empty());
            renewing.see(ROW);
            assert_eq!(renewing.confirmed() == [ROW], confirmed);
        }
        renewing.take_back(ROW);
        assert!(!renewing.holds(ROW) && renewing.rows().is_empty());
        renewing.see(ROW);
        assert_eq!((renewing.returned(), renewing.from(ROW)), (vec![ROW], Some(END)));
        assert!(renewing.note(ROW, END.plus(9)), "it looks renewed once more");
        assert_eq!((renewing.confirmed(), renewing.from(ROW)), (vec![], Some(END)));
        assert!(renewing.remove(ROW) && !renewing.remove(ROW));
    }

    #[test]
    fn a_key_says_which_certificate_and_nothing_else_is_one() {
        assert_eq!(row_of(&Renewing::key(ROW)), Some(ROW));
        for other in ["clock", "renewing", "renewing\u{1f}", "renewing\u{1f}x"] {
            assert!(!Renewing::is_key(other), "{other}");
        }
    }
}
