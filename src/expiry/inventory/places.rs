//! Which certificate a sighting in a place is of.
//!
//! In a list, issuer and serial name a certificate. In a place they may name two: tools that make certificates of their
//! own number all of them 1. The one that is known first keeps the plain identity; those that come while it is there carry
//! their fingerprint in theirs, for as long as they are known. A single one with another fingerprint has replaced the
//! one before.

use super::super::certificate::{Fingerprint, Sighting, Timestamp};
use super::record::{Found, identity_of, inside};
use super::{Applied, Change, Inventory, RowId, ScopeId};

impl Inventory {
    /// Returns the certificates of a scope that were looked at in a place.
    pub fn at(&self, scope: ScopeId, place: &str) -> impl Iterator<Item = RowId> + '_ {
        self.links.at(scope, place)
    }

    /// Returns the places of a scope that hold certificates, in order.
    pub fn places(&self, scope: ScopeId) -> impl Iterator<Item = &str> {
        self.links.places(scope).map(|place| &**place)
    }

    /// Returns where a certificate was looked at; nothing where its provider lists certificates.
    pub fn place(&self, row: RowId) -> Option<&str> {
        self.links.placed(row).map(|placed| &*placed.place)
    }

    /// Returns the certificate that a sighting in a place is of. `identity` is the digest without the fingerprint.
    pub(super) fn find_placed<T: AsRef<str>>(
        &self,
        scope: ScopeId,
        sighting: &Sighting<T>,
        identity: u128,
    ) -> Found {
        let (issuer, serial) = (sighting.issuer.as_ref(), sighting.serial.as_ref());
        let exact = identity_of(issuer, serial, sighting.place.as_ref(), sighting.fingerprint);
        if let Some(row) = self.find_inside(scope, exact).filter(|_| exact != identity) {
            return Found { collides: true, ..Found::plain(Some(row)) };
        }
        let plain = self.find_inside(scope, identity);
        match plain {
            Some(row) if sighting.collides && self.differs(row, sighting.fingerprint) => {
                Found { collides: true, ..Found::plain(None) }
            }
            Some(_) => Found::plain(plain),
            None => {
                let row = self.without_a_place(scope, issuer, serial, sighting.not_after);
                Found { took_over: row.is_some(), ..Found::plain(row) }
            }
        }
    }

    /// Remembers a certificate that took over what was kept without a place, and returns it for the same one in a place
    /// that is new.
    pub(super) fn inherit(&mut self, found: &Found, applied: &Applied) -> Option<RowId> {
        let (chunk, _) = self.chunks.of(applied.row)?;
        let key = (chunk.scope()?, self.links.placed(applied.row)?.unplaced);
        if found.took_over {
            self.taken_over.insert(key, applied.row);
            return None;
        }
        let other = self.taken_over.get(&key).filter(|_| applied.change == Change::Added)?;
        let end = |row: RowId| self.row(row).map(|row| row.not_after);
        (end(*other) == end(applied.row)).then_some(*other)
    }

    fn find_inside(&self, scope: ScopeId, identity: u128) -> Option<RowId> {
        self.index.find(&self.chunks, inside(scope, identity))
    }

    fn differs(&self, row: RowId, fingerprint: Option<Fingerprint>) -> bool {
        let known = self.links.placed(row).and_then(|placed| placed.fingerprint);
        known.is_some() && known != fingerprint
    }

    /// Returns the certificate that was kept before places were: the first sighting of it takes it over, and with it what
    /// was notified of it.
    fn without_a_place(
        &self,
        scope: ScopeId,
        issuer: &str,
        serial: &str,
        end: Option<Timestamp>,
    ) -> Option<RowId> {
        let row = self.find(scope, issuer, serial)?;
        (self.row(row)?.not_after == end).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::certificate::{Kind, Status};
    use super::super::model::{DAY, NOW, device};
    use super::*;

    fn server(place: &str, fingerprint: u8, end: i64) -> Sighting {
        Sighting {
            kind: Kind::Server,
            place: place.to_owned(),
            fingerprint: Some([fingerprint; 32]),
            names: vec!["a.test".to_owned()],
            ..device("1", "a.test", Some(end))
        }
    }

    fn colliding(place: &str, fingerprint: u8, end: i64) -> Sighting {
        Sighting { collides: true, ..server(place, fingerprint, end) }
    }

    fn inventory() -> (Inventory, ScopeId) {
        let mut inventory = Inventory::new();
        let (scope, _) = inventory.scope("files", "all");
        (inventory, scope)
    }

    #[test]
    fn the_same_certificate_in_two_places_is_two_and_neither_supersedes_the_other() {
        let (mut inventory, scope) = inventory();
        let old = inventory.apply(scope, &server("/a", 1, NOW + DAY));
        let same = inventory.apply(scope, &server("/b", 1, NOW + DAY));
        let renewed = Sighting { serial: "2".into(), ..server("/b", 2, NOW + 90 * DAY) };
        let new = inventory.apply(scope, &renewed);
        assert_eq!(
            (old.change, same.change, new.change),
            (Change::Added, Change::Added, Change::Added)
        );
        for row in [old.row, same.row, new.row] {
            assert_eq!(inventory.row(row).unwrap().status, Status::Active);
            assert_eq!(inventory.successor(row), None);
        }
        assert_eq!(inventory.replacement(old.row), None, "another place never replaces it");
        assert_eq!(inventory.replacement(same.row), Some(new.row));
        assert_eq!(inventory.newer(&[old.row]), [Some(new.row)]);
        assert_eq!(inventory.at(scope, "/b").collect::<Vec<_>>(), [same.row, new.row]);
        assert_eq!(inventory.place(new.row), Some("/b"));
    }

    #[test]
    fn two_with_one_serial_in_a_place_are_told_apart_by_their_fingerprints() {
        let (mut inventory, scope) = inventory();
        let first = inventory.apply(scope, &server("/a", 1, NOW + DAY));
        let mut rows = Vec::new();
        for _ in 0..2 {
            for (fingerprint, end) in [(2, NOW + 2 * DAY), (1, NOW + DAY), (3, NOW + 3 * DAY)] {
                let applied = inventory.apply(scope, &colliding("/a", fingerprint, end));
                assert_eq!(applied.collides, fingerprint != 1);
                rows.push(applied.row);
            }
        }
        assert_eq!(rows[1], first.row, "the one known first keeps its identity");
        assert_eq!(rows[..3], rows[3..]);
        assert_eq!(inventory.at(scope, "/a").count(), 3);
        // For as long as it is known, alone or not.
        let alone = inventory.apply(scope, &server("/a", 2, NOW + 2 * DAY));
        assert_eq!((alone.row, alone.collides), (rows[0], true));
    }

    #[test]
    fn another_with_the_same_serial_that_is_alone_has_replaced_the_one_before() {
        let (mut inventory, scope) = inventory();
        let old = inventory.apply(scope, &server("/a", 1, NOW + DAY));
        let new = inventory.apply(scope, &server("/a", 2, NOW + 90 * DAY));
        assert_eq!(new.row, old.row);
        let renewed_from = Some(Timestamp::from_seconds(NOW + DAY));
        assert_eq!(new.change, Change::Changed { renewed_from });
    }

    #[test]
    fn what_was_kept_before_places_were_is_taken_over_and_inherited() {
        let (mut inventory, scope) = inventory();
        let plain = Sighting { fingerprint: None, ..server("", 1, NOW + DAY) };
        let old = inventory.apply(scope, &plain);
        let ended_otherwise = inventory.apply(scope, &server("/x", 1, NOW + 2 * DAY));
        assert_eq!((ended_otherwise.change, ended_otherwise.inherits), (Change::Added, None));
        let first = inventory.apply(scope, &server("/a", 1, NOW + DAY));
        assert_eq!((first.row, first.inherits), (old.row, None));
        assert_eq!(first.change, Change::Changed { renewed_from: None });
        let further = inventory.apply(scope, &server("/b", 1, NOW + DAY));
        assert_eq!((further.change, further.inherits), (Change::Added, Some(old.row)));
        let again = inventory.apply(scope, &server("/a", 1, NOW + DAY));
        assert_eq!((again.row, again.change), (old.row, Change::Unchanged));
        assert_eq!(inventory.find(scope, "ca1", "1"), None);
    }

    #[test]
    fn an_authority_in_a_file_is_known_by_its_subject_and_key() {
        let (mut inventory, scope) = inventory();
        let ca = Sighting {
            kind: Kind::Ca,
            signs: "CN=root#ab".to_owned(),
            ..server("/ca", 9, NOW + 5 * DAY)
        };
        let ca = inventory.apply(scope, &ca).row;
        assert_eq!(inventory.leaves(ca), None, "what it signed may be elsewhere");
        for (serial, signer) in [("2", "CN=root#ab"), ("3", "CN=root#"), ("4", "CN=root#cd")] {
            let signed = Sighting {
                serial: serial.to_owned(),
                signer: signer.to_owned(),
                ..server("/leaf", 2, NOW + 9 * DAY)
            };
            inventory.apply(scope, &signed);
        }
        assert_eq!(inventory.leaves(ca), Some(2));
    }
}
