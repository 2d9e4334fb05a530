//! What is served at endpoints, held against what is known for the same names.
//!
//! A source that connects to endpoints sees what is served there. Where a newer certificate for every one of its names is
//! known, it was issued and not deployed; where a listed certificate is seen at none of the endpoints that its names lead
//! to, it is served nowhere that is looked at. A provider that deploys what it lists is asked where it uses what another may
//! have replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::bound::Bound;
use super::super::certificate::{Kind, Status, Timestamp};
use super::super::endpoint::Looked;
use super::{Inventory, RowId, ScopeId, Undeployed};

/// Two ends of one certificate may differ by this many seconds, told by a provider and read from the certificate.
const SAME_END: u64 = 86_400;

/// The newest certificate for each list of names, looked for once.
struct Newest<'a> {
    inventory: &'a Inventory,
    found: BTreeMap<&'a [Box<str>], Option<(i64, RowId)>>,
}

impl Inventory {
    /// Says whose places are endpoints: what these sources see is served, and nothing else is known to be.
    pub fn serve<'a>(&mut self, sources: impl Iterator<Item = &'a str>) {
        self.serving = sources.map(Arc::from).collect();
        self.undeployed = None;
    }

    /// Returns whether a certificate is known to be served.
    pub fn is_served(&self, row: RowId) -> bool {
        let scope = self.scope_of(row);
        let source = scope.and_then(|scope| self.names.get(&scope)).map(|(source, _)| source);
        source.is_some_and(|source| self.serving.contains(source))
    }

    /// Returns for each server's certificate the newest one of the same kind, in any source and scope, that is in use, ends
    /// later and covers every one of its names. It supersedes nothing.
    pub fn newer(&self, rows: &[RowId]) -> Vec<Option<RowId>> {
        let mut newest = Newest { inventory: self, found: BTreeMap::new() };
        rows.iter().map(|row| newest.than(*row)).collect()
    }

    /// Returns what is served although a newer one is known. Looked for again only when something with names changed.
    pub fn undeployed(&mut self) -> Arc<Undeployed> {
        let version = self.links.version();
        if let Some((_, known)) = self.undeployed.as_ref().filter(|(seen, _)| *seen == version) {
            return Arc::clone(known);
        }
        let found = Arc::new(self.find_undeployed());
        self.undeployed = Some((version, Arc::clone(&found)));
        found
    }

    /// Returns the servers' certificates of a scope that end between two times and that another one may have replaced.
    pub fn maybe_replaced(&self, scope: ScopeId, within: (Timestamp, Timestamp)) -> Vec<RowId> {
        let rows = self.rows(scope, Some(Kind::Server), Some(within));
        let rows: Vec<RowId> = rows.filter(|row| self.is_active(*row)).collect();
        let newer = self.newer(&rows);
        let has_later = |row: RowId| self.later(row).next().is_some();
        let replaced = rows.into_iter().zip(newer);
        replaced
            .filter(|(row, newer)| newer.is_some() || has_later(*row))
            .map(|(row, _)| row)
            .collect()
    }

    /// Returns where a provider uses a certificate, if it was asked.
    pub fn bound(&self, row: RowId) -> Option<&Bound> {
        self.bound.get(&row)
    }

    /// Returns the certificates about which a provider was asked, with its answers.
    pub fn all_bound(&self) -> impl Iterator<Item = (RowId, &Bound)> {
        self.bound.iter().map(|(row, bound)| (*row, bound))
    }

    /// Takes in where a provider uses a certificate, or forgets it. Returns the status of the certificate, where that changed.
    pub fn bind(&mut self, row: RowId, bound: Option<Bound>) -> Vec<(RowId, Status)> {
        self.undeployed = None;
        match bound {
            Some(bound) if self.chunks.mark(row).is_some() => self.bound.insert(row, bound),
            _ => self.bound.remove(&row),
        };
        self.restate(vec![row])
    }

    fn is_active(&self, row: RowId) -> bool {
        self.provider_status(row) == Some(Status::Active)
    }

    fn find_undeployed(&self) -> Undeployed {
        let served = self.serving.iter().filter_map(|source| self.scopes.get(source));
        let scopes = served.flat_map(BTreeMap::values);
        let served = scopes.flat_map(|scope| self.rows(*scope, Some(Kind::Server), None));
        let bound = self.all_bound().filter(|(_, bound)| bound.is_in_use()).map(|(row, _)| row);
        let rows: Vec<RowId> = served.chain(bound).filter(|row| self.is_active(*row)).collect();
        let newer = self.newer(&rows);
        rows.into_iter().zip(newer).filter_map(|(row, newer)| Some((row, newer?))).collect()
    }

    /// Returns whether a server's certificate is served nowhere that is looked at: an endpoint of one of its names is, each
    /// of them was read, and another certificate was seen. Without an endpoint of its names nothing is known.
    pub fn is_served_nowhere(&self, row: RowId, looked: &Looked) -> bool {
        let is_server = self.row(row).is_some_and(|row| row.kind == Kind::Server);
        if !is_server || self.is_served(row) || !looked.shows(self.links.names(row)) {
            return false;
        }
        let mut served = self.links.sharing_a_name(row).filter(|other| self.is_served(*other));
        !served.any(|other| self.is_the_same(row, other))
    }

    /// Returns the certificates in endpoints that are the same as this one.
    pub fn served_at(&self, row: RowId) -> Vec<RowId> {
        let sharing = self.links.sharing_a_name(row).filter(|other| *other != row);
        let served =
            sharing.filter(|other| self.is_served(*other) && self.is_the_same(row, *other));
        served.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// Returns whether two are the same certificate: by the fingerprint, or where one has none by names and end.
    fn is_the_same(&self, row: RowId, other: RowId) -> bool {
        let fingerprint = |row| self.links.placed(row).and_then(|placed| placed.fingerprint);
        if let Some((one, other)) = fingerprint(row).zip(fingerprint(other)) {
            return one == other;
        }
        let end = |row| self.chunks.record(row).map(|record| record.end);
        end(row).zip(end(other)).is_some_and(|(one, other)| one.abs_diff(other) <= SAME_END)
    }
}

impl Newest<'_> {
    fn than(&mut self, row: RowId) -> Option<RowId> {
        let old = self.inventory.chunks.record(row)?;
        let old = Some(old).filter(|old| old.mark.kind() == Kind::Server)?;
        let found = self.found.entry(self.inventory.links.names(row));
        let (end, newest) = (*found.or_insert_with(|| self.inventory.newest_for(row)))?;
        (end > old.end).then_some(newest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::certificate::Sighting;
    use super::super::model::{DAY, NOW, Step, Stored, World, device, steps};
    use super::*;

    fn server(serial: &str, place: &str, names: &[&str], end: i64) -> Sighting {
        Sighting {
            kind: Kind::Server,
            place: place.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..device(serial, "", Some(NOW + end * DAY))
        }
    }

    /// An inventory in which a certificate for `www.a.test` and `a.test` is served, and another one is known.
    fn served_and(source: &str, other: &Sighting) -> (Inventory, RowId, RowId) {
        let mut inventory = Inventory::new();
        inventory.serve(["web"].into_iter());
        let (web, _) = inventory.scope("web", "all");
        let served = server("1", "a.test:443/a.test", &["www.a.test", "a.test"], 20);
        let served = inventory.apply(web, &served).row;
        let (scope, _) = inventory.scope(source, "x");
        let other = inventory.apply(scope, other).row;
        (inventory, served, other)
    }

    #[test]
    fn a_newer_one_that_covers_every_name_and_is_in_use_should_be_served() {
        let both = ["A.test", "*.a.test"];
        for (source, other, expected) in [
            ("ssl", server("2", "", &both, 90), true),
            ("files", server("2", "/b", &both, 21), true),
            ("web", server("2", "b.test:443/b.test", &both, 90), true),
            ("web", server("2", "a.test:443/a.test", &both, 90), true),
            ("ssl", server("2", "", &both, 20), false),
            ("ssl", server("2", "", &["a.test"], 90), false),
            ("ssl", server("2", "", &[], 90), false),
            ("ssl", Sighting { kind: Kind::Client, ..server("2", "", &both, 90) }, false),
            ("ssl", Sighting { status: Status::Pending, ..server("2", "", &both, 90) }, false),
            ("ssl", Sighting { status: Status::Revoked, ..server("2", "", &both, 90) }, false),
            ("ssl", Sighting { not_after: None, ..server("2", "", &both, 90) }, false),
        ] {
            let (mut inventory, served, newer) = served_and(source, &other);
            let undeployed = expected.then_some((served, newer));
            assert_eq!(*inventory.undeployed(), undeployed.into_iter().collect(), "{other:?}");
            assert!(inventory.is_served(served));
            assert_eq!(inventory.is_served(newer), source == "web");
        }
    }

    #[test]
    fn it_is_over_when_the_newer_one_goes_or_nothing_is_known_to_be_served() {
        let (mut inventory, _, newer) =
            served_and("ssl", &server("2", "", &["*.a.test", "a.test"], 90));
        assert_eq!(inventory.undeployed().len(), 1);
        inventory.serve(std::iter::empty());
        assert_eq!(inventory.undeployed().len(), 0);
        inventory.serve(["web"].into_iter());
        assert_eq!(inventory.undeployed().len(), 1);
        inventory.remove(newer);
        assert_eq!(inventory.undeployed().len(), 0);
    }

    #[test]
    fn a_listed_certificate_is_served_nowhere_where_its_names_lead_to_others() {
        let listed = server("cert-1", "", &["www.a.test"], 5);
        let at = |place: &'static str, was_read| vec![(place, was_read)];
        let here = "a.test:443/www.a.test";
        for (other, looked, expected) in [
            (&listed, at(here, true), true),
            (&listed, at("1.2.3.4:443/WWW.a.test", true), true),
            (&listed, vec![(here, true), ("b:443/www.a.test", false)], false),
            (&listed, at(here, false), false),
            (&listed, at("a.test:443/a.test", true), false),
            (&listed, vec![], false),
            (&Sighting { kind: Kind::Client, ..listed.clone() }, at(here, true), false),
            // It ends when the served one does, told from the provider's local time perhaps.
            (&server("cert-1", "", &["www.a.test"], 20), at(here, true), false),
            (&server("cert-1", "", &["www.a.test"], 19), at(here, true), false),
            (&server("cert-1", "", &["*.a.test"], 21), at(here, true), true),
        ] {
            let (inventory, served, other) = served_and("ssl", other);
            let mut shown = Looked::default();
            shown.replace("web", looked.clone().into_iter());
            assert_eq!(inventory.is_served_nowhere(other, &shown), expected, "{looked:?}");
            assert!(!inventory.is_served_nowhere(served, &shown), "it is served");
        }
    }

    #[test]
    fn a_file_is_told_from_what_is_served_by_its_fingerprint() {
        let served = Some([1; 32]);
        for (fingerprint, expected) in [(served, false), (Some([2; 32]), true)] {
            let mut inventory = Inventory::new();
            inventory.serve(["web"].into_iter());
            let (web, _) = inventory.scope("web", "all");
            let (files, _) = inventory.scope("files", "all");
            let at =
                |place, fingerprint| Sighting { fingerprint, ..server("1", place, &["a.test"], 9) };
            inventory.apply(web, &at("a.test:443/a.test", served));
            let file = inventory.apply(files, &at("/a", fingerprint)).row;
            let mut looked = Looked::default();
            looked.replace("web", [("a.test:443/a.test", true)].into_iter());
            assert_eq!(inventory.is_served_nowhere(file, &looked), expected);
        }
    }

    /// Finds the same by a look at every pair. Scopes of `b` are served.
    fn plainly(world: &World) -> Undeployed {
        let sources: BTreeMap<_, _> =
            world.inventory.scopes().map(|(id, source, _)| (id, source.to_string())).collect();
        let in_use = |stored: &Stored| {
            stored.sighting.kind == Kind::Server && stored.sighting.status == Status::Active
        };
        let served = world.stored.iter().filter(|(_, old)| sources[&old.scope] == "b");
        let newest = |old: &Stored| {
            let newer = world.stored.iter().filter(|(_, new)| in_use(new) && is_newer(new, old));
            newer.max_by_key(|(row, new)| (end(new), std::cmp::Reverse(**row))).map(|(row, _)| *row)
        };
        served
            .filter(|(_, old)| in_use(old))
            .filter_map(|(row, old)| Some((*row, newest(old)?)))
            .collect()
    }

    fn end(stored: &Stored) -> Option<Timestamp> {
        stored.sighting.not_after
    }

    fn is_newer(new: &Stored, old: &Stored) -> bool {
        let has = |name: &str| new.sighting.names.iter().any(|other| other == name);
        let covered = |name: &String| has(name) || (name == "a.x" && has("*.x"));
        let names = &old.sighting.names;
        end(new) > end(old) && !names.is_empty() && names.iter().all(covered)
    }

    proptest! {
        #![proptest_config(crate::property::cases(300))]

        #[test]
        fn what_should_be_served_is_found_as_by_a_look_at_every_pair(steps in steps(40)) {
            let mut world = World::default();
            world.inventory.serve(["b"].into_iter());
            for step in &steps {
                world.step(step);
                if matches!(step, Step::Restart) {
                    world.inventory.serve(["b"].into_iter());
                }
                let expected = plainly(&world);
                prop_assert_eq!(&*world.inventory.undeployed(), &expected, "after {:?}", step);
            }
        }
    }
}
