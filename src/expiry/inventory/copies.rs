//! One authority in many places: what a thousand endpoints send beside their own certificates is the same CA.

use std::collections::BTreeSet;

use super::super::certificate::{Fingerprint, Kind};
use super::{Inventory, RowId, ScopeId};

impl Inventory {
    /// Returns what the copies of a CA have in common that was looked at in a place.
    pub fn authority(&self, row: RowId) -> Option<(ScopeId, Fingerprint)> {
        let is_authority = self.row(row)?.kind == Kind::Ca;
        let fingerprint = self.links.placed(row)?.fingerprint?;
        is_authority.then_some((self.scope_of(row)?, fingerprint))
    }

    /// Returns a CA in every place of its scope, itself among them; nothing for what is no CA in a place.
    pub fn copies(&self, row: RowId) -> BTreeSet<RowId> {
        let Some(authority) = self.authority(row) else { return BTreeSet::new() };
        let is_copy = |other: &RowId| self.authority(*other) == Some(authority);
        self.links.sharing_a_name(row).filter(is_copy).chain([row]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::certificate::Sighting;
    use super::super::model::{DAY, NOW, device};
    use super::*;

    fn ca(place: &str, fingerprint: u8) -> Sighting {
        Sighting {
            kind: Kind::Ca,
            place: place.to_owned(),
            fingerprint: Some([fingerprint; 32]),
            names: vec!["CN=R10".to_owned()],
            ..device("1", "", Some(NOW + DAY))
        }
    }

    #[test]
    fn copies_are_the_same_certificate_in_one_scope() {
        let mut inventory = Inventory::new();
        let (web, _) = inventory.scope("web", "all");
        let (files, _) = inventory.scope("files", "all");
        let mut add = |scope, sighting: &Sighting| inventory.apply(scope, sighting).row;
        let (a, b) = (add(web, &ca("a:443", 1)), add(web, &ca("b:443", 1)));
        let cross_signed = add(web, &ca("c:443", 2));
        let file = add(files, &ca("/a", 1));
        let leaf = add(web, &Sighting { kind: Kind::Server, ..ca("d:443", 3) });
        let nameless = add(web, &Sighting { names: Vec::new(), ..ca("e:443", 4) });
        let listed = add(web, &Sighting { fingerprint: None, ..ca("", 0) });
        for (row, copies) in [
            (a, vec![a, b]),
            (b, vec![a, b]),
            (cross_signed, vec![cross_signed]),
            (file, vec![file]),
            (leaf, vec![]),
            (nameless, vec![nameless]),
            (listed, vec![]),
        ] {
            assert_eq!(inventory.copies(row), copies.into_iter().collect(), "{row:?}");
        }
    }
}
