//! Which certificate replaced which.
//!
//! A certificate is *superseded* while another one takes its place: active for the provider, with a known end that is
//! strictly later, in the same scope and of the same kind, and either of the same device, or linked by the provider as its
//! renewal and covering every one of its names. Two that end in the same second do not replace each other. What was looked
//! at in a place is never superseded: as long as it is there, it is in use. Once a certificate is gone, what covers its
//! names has replaced it: in a place only what is in the same one.
//!
//! The inventory finds those of one device by itself; this module keeps names, links and places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::certificate::{Fingerprint, Kind};
use super::inventory::{RowId, ScopeId};

/// The texts of a certificate that succession and authorities need. Most device certificates have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Linked {
    /// What it is used for.
    pub(super) kind: Kind,
    /// What names it under its issuer.
    pub(super) serial: Arc<str>,
    /// What the certificates that it signed have as their signer.
    pub(super) signs: Arc<str>,
    /// Where it was looked at.
    pub(super) placed: Option<Placed>,
    /// Every name it covers.
    pub(super) names: Box<[Box<str>]>,
    /// Serials that the provider links as its renewal.
    pub(super) successors: Box<[Box<str>]>,
}

/// Where a certificate was looked at, and what tells it from others there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) place: Arc<str>,
    pub(super) fingerprint: Option<Fingerprint>,
    /// The digest of its identity without the place, the same in every scope.
    pub(super) unplaced: u128,
}

impl Linked {
    /// Returns whether it takes any part in succession. Names alone do: others may link to it.
    fn matters(&self) -> bool {
        self.placed.is_some() || !self.names.is_empty() || !self.successors.is_empty()
    }
}

/// Certificates by the serials that they have and that they link to, by their names and by their places. A link may come
/// before its target is known.
#[derive(Debug, Default)]
pub(super) struct Links {
    rows: BTreeMap<RowId, (ScopeId, Box<Linked>)>,
    by_serial: BTreeMap<(ScopeId, u64), Vec<RowId>>,
    wanted: BTreeMap<(ScopeId, u64), Vec<RowId>>,
    by_name: BTreeMap<Box<str>, BTreeSet<RowId>>,
    by_place: BTreeMap<(ScopeId, Arc<str>), BTreeSet<RowId>>,
    /// Grows with every change of a certificate that has names, links or a place.
    version: u64,
}

impl Links {
    /// Replaces what is known about the links of one certificate.
    pub(super) fn put(&mut self, scope: ScopeId, row: RowId, linked: Option<Box<Linked>>) {
        self.remove(row);
        let Some(linked) = linked.filter(|linked| linked.matters()) else { return };
        self.version += 1;
        self.by_serial.entry((scope, digest(&linked.serial))).or_default().push(row);
        for serial in &linked.successors {
            self.wanted.entry((scope, digest(serial))).or_default().push(row);
        }
        for name in &linked.names {
            self.by_name.entry(name.to_lowercase().into()).or_default().insert(row);
        }
        if let Some(placed) = &linked.placed {
            self.by_place.entry((scope, Arc::clone(&placed.place))).or_default().insert(row);
        }
        self.rows.insert(row, (scope, linked));
    }

    /// Forgets one certificate.
    pub(super) fn remove(&mut self, row: RowId) {
        let Some((scope, linked)) = self.rows.remove(&row) else { return };
        self.version += 1;
        drop_from(&mut self.by_serial, (scope, digest(&linked.serial)), row);
        for serial in &linked.successors {
            drop_from(&mut self.wanted, (scope, digest(serial)), row);
        }
        for name in &linked.names {
            drop_one(&mut self.by_name, &name.to_lowercase().into(), row);
        }
        if let Some(placed) = linked.placed {
            drop_one(&mut self.by_place, &(scope, placed.place), row);
        }
    }

    /// Returns where a certificate was looked at, if it was looked at in a place.
    pub(super) fn placed(&self, row: RowId) -> Option<&Placed> {
        self.rows.get(&row)?.1.placed.as_ref()
    }

    /// Returns the certificates of a scope that were looked at in a place.
    pub(super) fn at(&self, scope: ScopeId, place: &str) -> impl Iterator<Item = RowId> + '_ {
        self.by_place.get(&(scope, Arc::from(place))).into_iter().flatten().copied()
    }

    /// Returns the places of a scope that hold certificates.
    pub(super) fn places(&self, scope: ScopeId) -> impl Iterator<Item = &Arc<str>> {
        let from = (scope, Arc::from(""));
        self.by_place
            .range(from..)
            .take_while(move |((of, _), _)| *of == scope)
            .map(|((_, place), _)| place)
    }

    /// Returns the known certificates that the provider links as the renewal of `row` and that cover its names.
    pub(super) fn successors(&self, row: RowId) -> impl Iterator<Item = RowId> + '_ {
        self.rows.get(&row).into_iter().flat_map(move |(scope, old)| {
            old.successors
                .iter()
                .flat_map(|serial| {
                    self.by_serial.get(&(*scope, digest(serial))).into_iter().flatten()
                })
                .copied()
                .filter(move |target| *target != row && self.covers(*target, old))
        })
    }

    /// Returns the certificates that link to `row`.
    pub(super) fn wanting(&self, row: RowId) -> impl Iterator<Item = RowId> + '_ {
        let key = self.rows.get(&row).map(|(scope, linked)| (*scope, digest(&linked.serial)));
        key.and_then(|key| self.wanted.get(&key)).into_iter().flatten().copied()
    }

    /// Returns the number of the state of everything that has names, links or a place.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Returns every known name of a certificate.
    pub(super) fn names(&self, row: RowId) -> &[Box<str>] {
        self.rows.get(&row).map_or(&[], |(_, linked)| &linked.names)
    }

    /// Returns the certificates that have one of the names of `row`, itself among them; some of them more than once.
    pub(super) fn sharing_a_name(&self, row: RowId) -> impl Iterator<Item = RowId> + '_ {
        let names = self.names(row).iter().map(|name| name.to_lowercase());
        names.filter_map(|name| self.by_name.get(name.as_str())).flatten().copied()
    }

    /// Returns the other certificates of the same kind, in any source and scope, that cover every known name of `row`.
    pub(super) fn covering(&self, row: RowId) -> impl Iterator<Item = RowId> + '_ {
        self.all_covering(row).filter(move |other| *other != row)
    }

    /// Returns the certificates of the same kind, in any source and scope, that cover every known name of `row`, itself
    /// among them.
    pub(super) fn all_covering(&self, row: RowId) -> impl Iterator<Item = RowId> + '_ {
        let old = self.rows.get(&row).map(|(_, old)| old);
        old.into_iter().flat_map(move |old| {
            let first = old.names.first().map(|name| name.to_lowercase()).unwrap_or_default();
            let wildcard = first.split_once('.').map(|(_, parent)| format!("*.{parent}"));
            [Some(first), wildcard]
                .into_iter()
                .flatten()
                .filter_map(|name| self.by_name.get(name.as_str()))
                .flatten()
                .copied()
                .filter(move |other| self.covers(*other, old))
        })
    }

    /// Returns whether two certificates were looked at in the same place of one scope, or both in none.
    pub(super) fn share_a_place(&self, one: RowId, other: RowId) -> bool {
        let place = |row| self.placed(row).map(|placed| &placed.place);
        let scope = |row| self.rows.get(&row).map(|(scope, _)| *scope);
        place(one) == place(other) && scope(one) == scope(other)
    }

    fn covers(&self, target: RowId, old: &Linked) -> bool {
        self.rows
            .get(&target)
            .is_some_and(|(_, new)| new.kind == old.kind && covers(&new.names, &old.names))
    }
}

/// Returns whether `new` covers every name in `old`, exactly or by a wildcard.
///
/// A certificate whose names are not known is covered by nothing: unknown is never "the same".
fn covers(new: &[Box<str>], old: &[Box<str>]) -> bool {
    !old.is_empty() && old.iter().all(|name| new.iter().any(|pattern| matches(pattern, name)))
}

/// Returns whether `pattern` stands for `name`. A wildcard stands for exactly one label (RFC 6125 §6.4.3).
fn matches(pattern: &str, name: &str) -> bool {
    if pattern.eq_ignore_ascii_case(name) {
        return true;
    }
    let parent = name.split_once('.').filter(|(label, _)| !label.is_empty() && *label != "*");
    pattern
        .strip_prefix("*.")
        .zip(parent)
        .is_some_and(|(covered, (_, parent))| covered.eq_ignore_ascii_case(parent))
}

fn digest(serial: &str) -> u64 {
    xxh3_64(serial.as_bytes())
}

fn drop_one<K: Ord>(map: &mut BTreeMap<K, BTreeSet<RowId>>, key: &K, row: RowId) {
    if let Some(rows) = map.get_mut(key) {
        rows.remove(&row);
        if rows.is_empty() {
            map.remove(key);
        }
    }
}

fn drop_from(map: &mut BTreeMap<(ScopeId, u64), Vec<RowId>>, key: (ScopeId, u64), row: RowId) {
    if let Some(rows) = map.get_mut(&key) {
        rows.retain(|other| *other != row);
        if rows.is_empty() {
            map.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked(serial: &str, names: &[&str], successors: &[&str]) -> Linked {
        let boxed = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
        Linked {
            kind: Kind::Server,
            serial: serial.into(),
            signs: "".into(),
            placed: None,
            names: boxed(names),
            successors: boxed(successors),
        }
    }

    #[test]
    fn a_wildcard_stands_for_exactly_one_label() {
        for (pattern, name, expected) in [
            ("a.example.com", "A.Example.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.Example.com", "a.example.COM", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "*.example.com", true),
            ("a.example.com", "*.example.com", false),
            ("*.b.example.com", "*.example.com", false),
            ("*", "com", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} for {name}");
        }
    }

    #[test]
    fn every_name_has_to_be_covered() {
        let boxed =
            |texts: &[&str]| texts.iter().map(|text| Box::from(*text)).collect::<Vec<Box<str>>>();
        let new = boxed(&["example.com", "*.example.com"]);
        assert!(covers(&new, &boxed(&["example.com", "www.example.com"])));
        assert!(!covers(&new, &boxed(&["example.com", "example.net"])));
        assert!(!covers(&new, &[]), "unknown names are covered by nothing");
    }

    #[test]
    fn a_link_finds_its_target_in_its_scope_whichever_comes_first() {
        let mut links = Links::default();
        let successors = |links: &Links| links.successors(RowId(1)).collect::<Vec<_>>();
        links.put(ScopeId(1), RowId(1), Some(Box::new(linked("old", &["a.test"], &["new"]))));
        links.put(ScopeId(2), RowId(2), Some(Box::new(linked("new", &["a.test"], &[]))));
        assert_eq!(successors(&links), []);
        links.put(ScopeId(1), RowId(3), Some(Box::new(linked("new", &["b.test"], &[]))));
        assert_eq!(successors(&links), [], "it does not cover the name");
        assert_eq!(links.wanting(RowId(3)).collect::<Vec<_>>(), [RowId(1)]);
        links.put(ScopeId(1), RowId(3), Some(Box::new(linked("new", &["*.test"], &[]))));
        assert_eq!(successors(&links), [RowId(3)]);
        links.remove(RowId(3));
        assert_eq!(successors(&links), []);
        links.put(ScopeId(1), RowId(1), Some(Box::new(linked("old", &["a.test"], &["old"]))));
        assert_eq!(successors(&links), [], "nothing succeeds itself");
        links.remove(RowId(1));
        links.remove(RowId(2));
        assert!(
            links.rows.is_empty()
                && links.by_serial.is_empty()
                && links.wanted.is_empty()
                && links.by_name.is_empty()
        );
    }

    fn placed(place: &str, names: &[&str]) -> Box<Linked> {
        let placed = Placed { place: place.into(), fingerprint: None, unplaced: 0 };
        Box::new(Linked { placed: Some(placed), ..linked("s", names, &[]) })
    }

    #[test]
    fn what_covers_every_name_is_found_by_the_first_one_in_any_scope() {
        let mut links = Links::default();
        links.put(ScopeId(1), RowId(1), Some(placed("/a", &["www.a.test", "a.test"])));
        links.put(ScopeId(1), RowId(2), Some(placed("/b", &["www.a.test"])));
        links.put(ScopeId(2), RowId(3), Some(placed("/a", &["*.a.test", "A.test"])));
        links.put(ScopeId(1), RowId(4), Some(placed("/a", &["a.test", "www.a.test", "b.test"])));
        let client = Linked { kind: Kind::Client, ..linked("c", &["a.test", "www.a.test"], &[]) };
        links.put(ScopeId(1), RowId(5), Some(Box::new(client)));
        let covering: BTreeSet<_> = links.covering(RowId(1)).collect();
        assert_eq!(covering, [RowId(3), RowId(4)].into());
        assert!(links.share_a_place(RowId(1), RowId(4)));
        assert!(!links.share_a_place(RowId(1), RowId(2)), "another place");
        assert!(!links.share_a_place(RowId(1), RowId(3)), "another scope");
        assert_eq!(links.at(ScopeId(1), "/a").collect::<Vec<_>>(), [RowId(1), RowId(4)]);
        let places: Vec<_> = links.places(ScopeId(1)).map(|place| &**place).collect();
        assert_eq!(places, ["/a", "/b"]);
        for row in 1..=5 {
            links.remove(RowId(row));
        }
        assert!(links.by_place.is_empty() && links.by_name.is_empty());
    }
}
