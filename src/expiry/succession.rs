//! Which certificate replaced which.
//!
//! A certificate is *superseded* while another one takes its place: active for the provider, with a known end that is
//! strictly later, in the same scope, and either of the same holder under the same issuer, or linked by the provider
//! as its renewal and covering every one of its names. Two that end in the same second do not replace each other.
//! The inventory finds those of one holder by itself; this module keeps the links.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::inventory::{RowId, ScopeId};

/// What has to be known about a certificate to follow its links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Linked {
    /// What names it under its issuer.
    pub(super) serial: Arc<str>,
    /// Every name it covers.
    pub(super) names: Box<[Box<str>]>,
    /// Serials that the provider links as its renewal.
    pub(super) successors: Box<[Box<str>]>,
}

impl Linked {
    /// Returns whether it takes any part in links. Names alone do: others may link to it.
    fn matters(&self) -> bool {
        !self.names.is_empty() || !self.successors.is_empty()
    }
}

/// Certificates by the serials that they have and that they link to. A link may come before its target is known.
#[derive(Debug, Default)]
pub(super) struct Links {
    rows: BTreeMap<RowId, (ScopeId, Box<Linked>)>,
    named: BTreeMap<(ScopeId, u64), Vec<RowId>>,
    wanted: BTreeMap<(ScopeId, u64), Vec<RowId>>,
}

impl Links {
    /// Replaces what is known about the links of one certificate.
    pub(super) fn put(&mut self, scope: ScopeId, row: RowId, linked: Option<Box<Linked>>) {
        self.remove(row);
        let Some(linked) = linked.filter(|linked| linked.matters()) else { return };
        self.named.entry((scope, digest(&linked.serial))).or_default().push(row);
        for serial in &linked.successors {
            self.wanted.entry((scope, digest(serial))).or_default().push(row);
        }
        self.rows.insert(row, (scope, linked));
    }

    /// Forgets one certificate.
    pub(super) fn remove(&mut self, row: RowId) {
        let Some((scope, linked)) = self.rows.remove(&row) else { return };
        drop_from(&mut self.named, (scope, digest(&linked.serial)), row);
        for serial in &linked.successors {
            drop_from(&mut self.wanted, (scope, digest(serial)), row);
        }
    }

    /// Returns the known certificates that the provider links as the renewal of `row` and that cover its names.
    pub(super) fn successors(&self, row: RowId) -> impl Iterator<Item = RowId> + '_ {
        self.rows.get(&row).into_iter().flat_map(move |(scope, old)| {
            old.successors
                .iter()
                .flat_map(|serial| self.named.get(&(*scope, digest(serial))).into_iter().flatten())
                .copied()
                .filter(move |target| *target != row && self.covers(*target, old))
        })
    }

    /// Returns the certificates that link to `row`.
    pub(super) fn wanting(&self, row: RowId) -> impl Iterator<Item = RowId> + '_ {
        let key = self.rows.get(&row).map(|(scope, linked)| (*scope, digest(&linked.serial)));
        key.and_then(|key| self.wanted.get(&key)).into_iter().flatten().copied()
    }

    fn covers(&self, target: RowId, old: &Linked) -> bool {
        self.rows.get(&target).is_some_and(|(_, new)| covers(&new.names, &old.names))
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
        Linked { serial: serial.into(), names: boxed(names), successors: boxed(successors) }
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
        assert!(links.rows.is_empty() && links.named.is_empty() && links.wanted.is_empty());
    }
}
