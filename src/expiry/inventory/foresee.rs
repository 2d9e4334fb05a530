//! What the sums of one state show of what is ahead.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::certificate::{Status, Timestamp};
use super::super::cliff::EndingInMonths;
use super::super::month::Month;
use super::ahead::{EndsFirst, Foreseen};
use super::record::signer;
use super::view::{CaRow, View};
use super::{ScopeId, Sums};

/// So many months are counted of what ends: a state may be the newest for a while.
const MONTHS: i32 = 25;

impl View {
    /// Returns what the sums of this state show of what is ahead.
    pub fn foresee(&self, sums: &BTreeMap<ScopeId, Sums>, now: Timestamp) -> Foreseen {
        let mut ending = EndingInMonths::new();
        let Some(this) = Month::of(now) else { return Foreseen::default() };
        for (scope, source, _) in self.scopes() {
            let Some(months) = sums.get(&scope).map(|sums| &sums.months) else { continue };
            let later = months.range(this.year_and_number()..this.plus(MONTHS).year_and_number());
            let total = ending.entry(Arc::clone(source)).or_default();
            for ((year, number), count) in later {
                *total.entry(Month::new(*year, *number)).or_default() += count;
            }
        }
        Foreseen { ends_first: self.ends_first(sums), ending }
    }

    /// Returns the authorities in use that end before active certificates that they signed, by the sums of this state. One that
    /// another follows, which signs as the same, is not among them; neither is one that is revoked or superseded.
    fn ends_first(&self, sums: &BTreeMap<ScopeId, Sums>) -> Vec<EndsFirst> {
        let outlived = sums.iter().flat_map(|(scope, sums)| {
            sums.outliving.iter().map(move |(row, leaves)| (*scope, *row, *leaves))
        });
        let found = outlived.filter_map(|(scope, row, leaves)| {
            let known = self.row(row).filter(|known| known.status == Status::Active)?;
            let signs = signer(&self.signers(scope)?.known.get(&row)?.signs);
            Some(EndsFirst { scope, row, signs, end: known.not_after?, leaves })
        });
        found.collect()
    }

    /// Returns whether a scope has an authority that signs as this and ends then.
    pub fn has_authority(&self, scope: ScopeId, signs: u64, end: Timestamp) -> bool {
        let is_it = |ca: &CaRow| ca.not_after == Some(end) && signer(&ca.signs) == signs;
        self.cas(scope).iter().any(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::certificate::{Kind, Sighting};
    use super::super::model::{DAY, NOW, World, device};
    use super::super::{RowId, SumsCache};
    use super::*;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_seconds(NOW + days * DAY)
    }

    fn ca(serial: &str, days: i64) -> Sighting {
        let (issuer, signer) = ("root".to_owned(), "root".to_owned());
        let end = Some(NOW + days * DAY);
        Sighting { kind: Kind::Ca, issuer, signer, ..device(serial, "", end) }
    }

    /// Returns which certificates these CAs end before, and how many: the number of the CA in the list, and of its leaves.
    fn found(cas: &[Sighting], leaves: &[i64]) -> Vec<(usize, u64)> {
        let mut world = World::default();
        let rows: Vec<RowId> = cas.iter().map(|ca| world.apply(0, ca).row).collect();
        for (number, days) in leaves.iter().enumerate() {
            world.apply(0, &device(&format!("leaf {number}"), "", Some(NOW + days * DAY)));
        }
        let view = world.inventory.view();
        let mut cache = SumsCache::new();
        let found = view.ends_first(cache.refresh(&view, at(0)));
        let place = |it: &EndsFirst| rows.iter().position(|row| *row == it.row).unwrap();
        assert!(found.iter().all(|it| view.has_authority(it.scope, it.signs, it.end)));
        found.iter().map(|it| (place(it), it.leaves)).collect()
    }

    #[test]
    fn an_authority_in_use_that_ends_before_what_it_signed_is_found_with_their_number() {
        let revoked = Sighting { status: Status::Revoked, ..ca("ca1", 100) };
        let inactive = Sighting { status: Status::Inactive, ..ca("ca1", 100) };
        let renewed = Sighting { issuer: "other".to_owned(), ..ca("ca1", 900) };
        let signs = Sighting { signs: "CN=A#1".to_owned(), ..ca("x", 100) };
        for (cas, leaves, expected) in [
            (vec![ca("ca1", 100)], vec![99, 100, 101, 500], vec![(0, 2)]),
            (vec![ca("ca1", 100)], vec![100], vec![]),
            (vec![revoked], vec![500], vec![]),
            (vec![inactive], vec![500], vec![]),
            (vec![ca("ca1", 100), renewed.clone()], vec![500], vec![]),
            (vec![ca("ca1", 100), renewed], vec![500, 901], vec![(1, 1)]),
            (vec![ca("another", 100)], vec![500], vec![]),
            (vec![signs], vec![500], vec![]),
        ] {
            assert_eq!(found(&cas, &leaves), expected, "{cas:?} {leaves:?}");
        }
    }
}
