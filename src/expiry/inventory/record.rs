//! What is kept about one certificate, and how it is computed from texts that are not kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::super::certificate::{Fingerprint, Kind, Sighting, Status, Timestamp};
use super::super::succession::{Linked, Placed};
use super::{RowId, ScopeId};

/// Stands for "no known end" inside a column.
pub(super) const NO_END: i64 = i64::MIN;

/// One certificate as the store hands it back at start: digests, no texts but those that succession needs.
#[derive(Clone, Debug)]
pub struct StoredRow {
    pub(super) row: RowId,
    pub(super) record: Record,
    pub(super) end_unlisted: bool,
    pub(super) linked: Option<Box<Linked>>,
}

/// The texts and times that a [`StoredRow`] is made from.
#[derive(Debug)]
pub struct StoredParts<'a, T = String> {
    /// Who signed it.
    pub issuer: &'a str,
    /// What names it under its issuer.
    pub serial: &'a str,
    /// Where it was looked at; empty where its provider lists certificates.
    pub place: &'a str,
    /// The SHA-256 of its DER, where that is known.
    pub fingerprint: Option<Fingerprint>,
    /// Whether the fingerprint is part of its identity.
    pub collides: bool,
    /// What names the authority that signed it; empty when unknown.
    pub signer: &'a str,
    /// What the certificates that it signed have as their signer; empty: its serial, where it is an authority.
    pub signs: &'a str,
    /// Who presents it; empty when unknown.
    pub holder: &'a str,
    /// Every name it covers.
    pub names: &'a [T],
    /// Serials of the certificates that the provider links as its renewal.
    pub successors: &'a [T],
    /// What it is used for.
    pub kind: Kind,
    /// The provider's status.
    pub provider: Status,
    /// The status after succession.
    pub status: Status,
    /// When it begins.
    pub not_before: Option<Timestamp>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// Whether its provider's list does not say when it ends.
    pub end_unlisted: bool,
    /// The digest of everything that is kept in the store.
    pub row_digest: u64,
}

// Whatever its texts are: they are borrowed.
impl<T> Copy for StoredParts<'_, T> {}

impl<T> Clone for StoredParts<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl StoredRow {
    /// Returns what the inventory keeps of `parts`. Allocates only for authorities and certificates with names or
    /// links.
    pub fn new<T: AsRef<str>>(row: RowId, parts: StoredParts<'_, T>) -> Self {
        let (record, linked) = (Record::of(&parts), parts.linked());
        Self { row, record, end_unlisted: parts.end_unlisted, linked }
    }
}

impl<'a, T: AsRef<str>> StoredParts<'a, T> {
    /// Returns the parts of a sighting whose row digest is known. The status is the one before succession.
    pub fn of(sighting: &'a Sighting<T>, row_digest: u64) -> Self {
        Self {
            issuer: sighting.issuer.as_ref(),
            serial: sighting.serial.as_ref(),
            place: sighting.place.as_ref(),
            fingerprint: sighting.fingerprint,
            collides: sighting.collides,
            signer: sighting.signer.as_ref(),
            signs: sighting.signs.as_ref(),
            holder: sighting.holder.as_ref(),
            names: &sighting.names,
            successors: &sighting.successors,
            kind: sighting.kind,
            provider: sighting.status,
            status: sighting.effective_status(),
            not_before: sighting.not_before,
            not_after: sighting.not_after,
            end_unlisted: sighting.end_unlisted,
            row_digest,
        }
    }

    fn linked(&self) -> Option<Box<Linked>> {
        let texts = self.kind == Kind::Ca
            || !self.names.is_empty()
            || !self.successors.is_empty()
            || !self.place.is_empty();
        texts.then(|| {
            Box::new(Linked {
                kind: self.kind,
                serial: Arc::from(self.serial),
                signs: Arc::from(if self.signs.is_empty() { self.serial } else { self.signs }),
                placed: self.placed(),
                names: self.names.iter().map(|name| name.as_ref().into()).collect(),
                successors: self.successors.iter().map(|serial| serial.as_ref().into()).collect(),
            })
        })
    }
}

impl<T> StoredParts<'_, T> {
    fn placed(&self) -> Option<Placed> {
        (!self.place.is_empty()).then(|| Placed {
            place: Arc::from(self.place),
            fingerprint: self.fingerprint,
            unplaced: joined(&[self.issuer.as_bytes(), self.serial.as_bytes()], xxh3_128),
        })
    }

    fn identity(&self) -> u128 {
        let fingerprint = self.fingerprint.filter(|_| self.collides);
        identity_of(self.issuer, self.serial, self.place, fingerprint)
    }
}

/// Where a sighting leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The certificate, if it is known.
    pub(super) row: Option<RowId>,
    /// Whether its fingerprint is part of its identity.
    pub(super) collides: bool,
    /// Whether it was kept before places were.
    pub(super) took_over: bool,
}

impl Found {
    pub(super) const fn plain(row: Option<RowId>) -> Self {
        Self { row, collides: false, took_over: false }
    }
}

/// What was kept before places were and has been found in one since the start: by scope and identity without a place, the
/// certificate that took it over.
pub(super) type TakenOver = BTreeMap<(ScopeId, u128), RowId>;

/// One row of the columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) identity: u128,
    pub(super) end: i64,
    pub(super) lifetime: u32,
    pub(super) row_digest: u64,
    pub(super) group: u64,
    pub(super) issuer: u64,
    pub(super) mark: Mark,
}

impl Record {
    /// Fills a slot that nothing occupies.
    pub(super) const VACANT: Self = Self {
        identity: 0,
        end: NO_END,
        lifetime: 0,
        row_digest: 0,
        group: 0,
        issuer: 0,
        mark: Mark::VACANT,
    };

    /// Returns the row with the digests that hold inside `scope`, so that scopes never share one.
    pub(super) fn inside(self, scope: ScopeId) -> Self {
        let group = if self.group == 0 { 0 } else { (self.group ^ spread(scope).1).max(1) };
        Self { identity: inside(scope, self.identity), group, ..self }
    }

    /// Returns when it begins, where that is known.
    pub(super) fn begin(&self) -> Option<i64> {
        // A lifetime beyond 136 years does not fit the column.
        let known = self.end != NO_END && !matches!(self.lifetime, 0 | u32::MAX);
        known.then(|| self.end.saturating_sub(i64::from(self.lifetime)))
    }

    /// Returns whether a device's certificate may have replaced an older one of the same holder: in use, ending later, and
    /// under another authority only where it began later, since two authorities may serve two purposes.
    pub(super) fn follows(&self, old: &Self) -> bool {
        let in_use = self.mark.provider() == Some(Status::Active);
        in_use && self.end > old.end && self.may_follow(old)
    }

    /// Returns whether it was signed as an older one was, or began later.
    pub(super) fn may_follow(&self, old: &Self) -> bool {
        let began_later = || self.begin().zip(old.begin()).is_some_and(|(new, old)| new > old);
        self.issuer == old.issuer || began_later()
    }

    pub(super) fn of<T>(parts: &StoredParts<'_, T>) -> Self {
        // The lowest value stands for "no end" in the column; no certificate ended 292 billion years ago.
        let end = parts.not_after.map_or(NO_END, |end| end.seconds().max(NO_END + 1));
        let status = if end == NO_END { Status::Undated } else { parts.status };
        Self {
            identity: parts.identity(),
            end,
            lifetime: lifetime(parts.not_before, parts.not_after),
            row_digest: parts.row_digest,
            group: group(parts),
            issuer: signer(parts.signer),
            mark: Mark::new(parts.kind, parts.provider, status),
        }
    }
}

/// Returns the digest of an identity: of issuer and serial, of the place where there is one, and of the fingerprint where
/// a place needs it.
pub(in super::super) fn identity_of(
    issuer: &str,
    serial: &str,
    place: &str,
    fingerprint: Option<Fingerprint>,
) -> u128 {
    let (issuer, serial, place) = (issuer.as_bytes(), serial.as_bytes(), place.as_bytes());
    match fingerprint {
        _ if place.is_empty() => joined(&[issuer, serial], xxh3_128),
        None => joined(&[issuer, serial, place], xxh3_128),
        Some(fingerprint) => joined(&[issuer, serial, place, &fingerprint], xxh3_128),
    }
}

/// Returns what a certificate is known by outside: the digest of its identity, with that of its source and scope.
///
/// A certificate is found by it in any scope, whose part is taken off first.
pub(in super::super) fn id_of(scope: (&str, &str), identity: u128) -> u128 {
    joined(&[scope.0.as_bytes(), scope.1.as_bytes()], xxh3_128) ^ identity
}

/// Returns the digest inside a scope of an identity whose digest is known.
pub(super) fn inside(scope: ScopeId, identity: u128) -> u128 {
    identity ^ spread(scope).0
}

/// Returns the digest that ties a certificate to its authority: of what a leaf has as its signer, which is what the
/// authority signs as. 0 when the signer is not known.
pub(super) fn signer(name: &str) -> u64 {
    if name.is_empty() { 0 } else { xxh3_64(name.as_bytes()).max(1) }
}

/// Returns what the leaves of an authority may have as their signer: its subject and key, or its subject alone where they
/// do not say which key. Providers that know one name of an authority have no `#` in it.
pub(super) fn signers(signs: &str) -> impl Iterator<Item = u64> {
    let by_subject = signs.find('#').and_then(|at| signs.get(..=at)).filter(|part| *part != signs);
    std::iter::once(signs).chain(by_subject).map(signer)
}

/// Returns the digest that the devices of one holder share; 0 for those that share with none.
///
/// Of servers and clients one holder is not enough: two certificates for a domain may cover different names, and only
/// the provider's links or the names tell which replaces which. An authority is presented by nobody: what an old one
/// signed ends with it even when a new one has the same name. In a place nothing replaces what is still there.
fn group<T>(parts: &StoredParts<'_, T>) -> u64 {
    let alone = parts.holder.is_empty() || !parts.place.is_empty();
    if alone || parts.kind != Kind::Device {
        return 0;
    }
    xxh3_64(parts.holder.as_bytes()).max(1)
}

fn lifetime(not_before: Option<Timestamp>, not_after: Option<Timestamp>) -> u32 {
    let (Some(begin), Some(end)) = (not_before, not_after) else { return 0 };
    u32::try_from(end.since(begin).max(0)).unwrap_or(u32::MAX)
}

/// Hashes texts with 0xFF between them, a byte that no UTF-8 text contains. Those of a row fit on the stack: a start makes
/// ten million of these digests.
fn joined<T>(parts: &[&[u8]], hash: impl Fn(&[u8]) -> T) -> T {
    let mut buffer = [0_u8; 256];
    let length = parts.iter().map(|part| part.len() + 1).sum::<usize>().saturating_sub(1);
    let Some(bytes) = buffer.get_mut(..length) else { return hash(&parts.join(&0xFF)) };
    let mut rest = &mut *bytes;
    for (number, part) in parts.iter().enumerate() {
        let start = usize::from(number > 0);
        let (place, after) = rest.split_at_mut(start + part.len());
        let (separator, text) = place.split_at_mut(start);
        separator.fill(0xFF);
        text.copy_from_slice(part);
        rest = after;
    }
    hash(bytes)
}

/// Returns what tells the digests of one scope from those of another: odd multiples, so no two scopes share one.
fn spread(scope: ScopeId) -> (u128, u64) {
    const WIDE: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    const NARROW: u64 = 0x9E37_79B9_7F4A_7C15;
    (u128::from(scope.0).wrapping_mul(WIDE), u64::from(scope.0).wrapping_mul(NARROW))
}

/// Kind, provider status and status after succession, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u8);

impl Mark {
    /// No status has the number 7, so no certificate has this mark.
    pub(super) const VACANT: Self = Self(u8::MAX);

    pub(super) const fn new(kind: Kind, provider: Status, status: Status) -> Self {
        Self((kind as u8) << 6 | (provider as u8) << 3 | status as u8)
    }

    pub(super) const fn is_vacant(self) -> bool {
        self.0 == Self::VACANT.0
    }

    pub(super) const fn is_active(self) -> bool {
        self.0 & 7 == Status::Active as u8
    }

    pub(super) fn status(self) -> Option<Status> {
        Status::ALL.get(usize::from(self.0 & 7)).copied()
    }

    pub(super) fn provider(self) -> Option<Status> {
        Status::ALL.get(usize::from(self.0 >> 3 & 7)).copied()
    }

    pub(super) const fn kind(self) -> Kind {
        Kind::ALL[(self.0 >> 6) as usize]
    }

    #[must_use]
    pub(super) const fn with_status(self, status: Status) -> Self {
        Self(self.0 & !7 | status as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_gives_back_what_it_was_made_of() {
        for kind in Kind::ALL {
            for provider in Status::ALL {
                for status in Status::ALL {
                    let mark = Mark::new(kind, provider, Status::Active).with_status(status);
                    assert_eq!(
                        (mark.kind(), mark.provider(), mark.status(), mark.is_vacant()),
                        (kind, Some(provider), Some(status), false)
                    );
                    assert_eq!(mark.is_active(), status == Status::Active);
                }
            }
        }
        assert_eq!((Mark::VACANT.status(), Mark::VACANT.is_active()), (None, false));
    }

    #[test]
    fn identities_do_not_run_into_each_other() {
        let id =
            |scope, issuer, serial| inside(ScopeId(scope), identity_of(issuer, serial, "", None));
        assert_ne!(id(1, "ab", "c"), id(1, "a", "bc"));
        assert_ne!(id(1, "a", "b"), id(2, "a", "b"));
        assert_ne!(id(0, "a", "b"), id(1, "a", "b"));
        let long = "x".repeat(300);
        let whole = [long.as_bytes(), b"\xFF", b"y"].concat();
        assert_eq!(id(3, &long, "y"), xxh3_128(&whole) ^ spread(ScopeId(3)).0);
        assert_ne!(id(3, &long, "y"), id(3, &long, "z"));
        let at = |place, fingerprint| identity_of("a", "b", place, fingerprint);
        assert_eq!(at("", None), xxh3_128(b"a\xFFb"));
        assert_eq!(at("/x", None), xxh3_128(b"a\xFFb\xFF/x"));
        assert_eq!(
            at("/x", Some([7; 32])),
            xxh3_128(&[&b"a\xFFb\xFF/x\xFF"[..], &[7; 32]].concat())
        );
    }

    #[test]
    fn a_lifetime_is_known_only_when_both_ends_are() {
        let at = |seconds| Some(Timestamp::from_seconds(seconds));
        for (begin, end, seconds) in [
            (None, at(5), 0),
            (at(5), None, 0),
            (at(5), at(3), 0),
            (at(5), at(15), 10),
            (at(0), at(253_402_300_799), u32::MAX),
            (at(i64::MIN), at(i64::MAX), u32::MAX),
        ] {
            assert_eq!(lifetime(begin, end), seconds, "{begin:?} {end:?}");
        }
    }
}
