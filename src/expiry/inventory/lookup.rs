//! Certificates by what they are known by: an id, issuer and serial, what replaced another one.
//!
//! A view has no table of identities, which would be a second one of the writer's: a look goes over one column, which is a
//! matter of milliseconds for millions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::certificate::Status;
use super::chunk::{Chunk, place, row_at};
use super::record::{NO_END, Record, id_of, identity_of, inside};
use super::view::View;
use super::{RowId, ScopeId};

/// The first digits of an id: the bits, and which of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdPrefix {
    bits: u128,
    mask: u128,
}

impl IdPrefix {
    /// Digits of a whole id.
    const DIGITS: usize = 32;

    /// Returns the prefix of an id that `text` is: 1 to 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let count = text.len();
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !(1..=Self::DIGITS).contains(&count) || !digits {
            return None;
        }
        let left = u32::try_from((Self::DIGITS - count) * 4).ok()?;
        let bits = u128::from_str_radix(text, 16).ok()? << left;
        Some(Self { bits, mask: u128::MAX << left })
    }

    /// Returns whether it is all of an id.
    pub const fn is_whole(self) -> bool {
        self.mask == u128::MAX
    }

    const fn begins(self, id: u128) -> bool {
        id & self.mask == self.bits
    }
}

impl View {
    /// Returns what a certificate is known by outside, in hexadecimal digits.
    pub fn id(&self, row: RowId) -> Option<String> {
        let (number, offset) = place(row);
        let record = self.chunk(number)?.record(offset)?;
        Some(format!(
            "{:032x}",
            record.identity ^ self.part_of_scope(self.chunk(number)?.scope()?)?
        ))
    }

    /// Returns the first `most` certificates whose id begins so.
    pub fn find_ids(&self, prefix: IdPrefix, most: usize) -> Vec<RowId> {
        let parts: BTreeMap<ScopeId, u128> = self
            .scopes()
            .filter_map(|(scope, ..)| Some((scope, self.part_of_scope(scope)?)))
            .collect();
        let found = self.numbered().flat_map(|(number, chunk)| {
            let part = chunk.scope().and_then(|scope| parts.get(&scope)).copied();
            let identities = part.into_iter().flat_map(|part| {
                chunk.identities().filter(move |(_, identity)| prefix.begins(identity ^ part))
            });
            identities
                .filter(|(offset, _)| chunk.mark(*offset as usize).is_some())
                .map(move |(offset, _)| row_at(number, offset))
        });
        found.take(most).collect()
    }

    /// Returns the certificates that these name by scope, issuer and serial, in no order. Only what was listed is found, and
    /// not what was looked at in a place.
    pub fn find_listed(&self, names: &[(ScopeId, &str, &str)]) -> Vec<RowId> {
        let mut wanted = BTreeMap::<ScopeId, BTreeSet<u128>>::new();
        for (scope, issuer, serial) in names {
            let identity = inside(*scope, identity_of(issuer, serial, "", None));
            wanted.entry(*scope).or_default().insert(identity);
        }
        self.numbered()
            .filter_map(|(number, chunk)| Some((number, chunk, wanted.get(&chunk.scope()?)?)))
            .flat_map(|(number, chunk, wanted)| {
                let found = chunk.identities().filter(|(_, identity)| wanted.contains(identity));
                found.map(move |(offset, _)| row_at(number, offset))
            })
            .collect()
    }

    /// Returns what certificates are known to be issued by without a look into the store: nobody, and every authority.
    pub fn known_issuers(&self) -> BTreeSet<Arc<str>> {
        let scopes: Vec<ScopeId> = self.scopes().map(|(scope, ..)| scope).collect();
        let authorities = scopes.into_iter().flat_map(|scope| self.cas(scope));
        let names = authorities.flat_map(|ca| [ca.serial, ca.signs]);
        names.chain([Arc::from("")]).collect()
    }

    /// Returns which certificates took the place of these among those of one holder, each the one that ends last.
    pub fn successors(&self, rows: &[RowId]) -> BTreeMap<RowId, RowId> {
        let old: Vec<(ScopeId, RowId, Record)> = rows
            .iter()
            .filter_map(|row| {
                let (number, offset) = place(*row);
                let chunk = self.chunk(number)?;
                Some((chunk.scope()?, *row, chunk.record(offset)?))
            })
            .filter(|(.., record)| record.group != 0 && record.end != NO_END)
            .filter(|(.., record)| record.mark.status() == Some(Status::Superseded))
            .collect();
        if old.is_empty() {
            return BTreeMap::new();
        }
        let groups: BTreeSet<u64> = old.iter().map(|(.., record)| record.group).collect();
        let kin: Vec<_> = self.numbered().flat_map(|it| of_groups(it, &groups)).collect();
        let newest = |(scope, row, old): (ScopeId, RowId, Record)| {
            let newer = kin.iter().filter(|(of, other, new)| {
                *of == scope && *other != row && new.group == old.group && new.follows(&old)
            });
            let last = newer.max_by_key(|(_, other, new)| (new.end, Reverse(*other)));
            last.map(|(_, other, _)| (row, *other))
        };
        old.into_iter().filter_map(newest).collect()
    }

    /// Returns up to `most` certificates from all over the inventory.
    pub fn sample(&self, most: usize) -> Vec<RowId> {
        let chunks: Vec<_> = self.numbered().filter(|(_, chunk)| chunk.occupied() > 0).collect();
        let step = chunks.len().div_ceil(most.max(1)).max(1);
        let each = most.div_ceil(chunks.len().div_ceil(step).max(1)).max(1);
        let taken = chunks.into_iter().step_by(step).flat_map(|(number, chunk)| {
            let stride = (chunk.occupied() as usize).div_ceil(each).max(1);
            chunk.iter().step_by(stride).map(move |slot| row_at(number, slot.offset))
        });
        taken.take(most).collect()
    }

    /// Returns the part of an id that is that of the scope, and of its number inside.
    fn part_of_scope(&self, scope: ScopeId) -> Option<u128> {
        let (_, source, name) = self.scopes().find(|(id, ..)| *id == scope)?;
        Some(inside(scope, id_of((source, name), 0)))
    }
}

/// Returns the certificates of a chunk that belong to one of these groups.
fn of_groups<'a>(
    (number, chunk): (u32, &'a Chunk),
    groups: &'a BTreeSet<u64>,
) -> impl Iterator<Item = (ScopeId, RowId, Record)> + 'a {
    let of_group = chunk.groups().filter(|(_, group)| *group != 0 && groups.contains(group));
    of_group.filter_map(move |(offset, _)| {
        Some((chunk.scope()?, row_at(number, offset), chunk.record(offset as usize)?))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::certificate::Kind;
    use super::super::model::{NOW, World, device, steps};
    use super::*;
    use crate::expiry::{Facts, Inventory};

    fn id(world: &World, row: RowId) -> String {
        let stored = &world.stored[&row];
        let (source, scope) = &world.names()[&stored.scope];
        Facts::of(source.clone(), scope.clone(), stored.sighting.clone(), stored.status).id()
    }

    proptest! {
        #![proptest_config(crate::property::cases(100))]

        #[test]
        fn an_id_finds_its_certificate_and_the_successor_is_the_writers(steps in steps(40)) {
            let mut world = World::default();
            for step in &steps {
                world.step(step);
            }
            let view = world.inventory.view();
            // Which of two in one place has its fingerprint in its id is for the inventory to say.
            let plain = |row: &RowId| world.stored[row].sighting.fingerprint.is_none();
            for row in world.stored.keys().copied().filter(plain) {
                let id = id(&world, row);
                prop_assert_eq!(view.id(row), Some(id.clone()));
                let whole = IdPrefix::parse(&id).unwrap();
                prop_assert_eq!(view.find_ids(whole, 9), vec![row]);
                let half = IdPrefix::parse(id.split_at(16).0).unwrap();
                prop_assert_eq!(view.find_ids(half, 9), vec![row]);
                let by_holder = view.successors(&[row]).remove(&row);
                if world.stored[&row].sighting.kind == Kind::Device
                    && world.stored[&row].sighting.successors.is_empty()
                {
                    let superseded = world.status(row) == Status::Superseded;
                    prop_assert_eq!(by_holder, world.inventory.successor(row).filter(|_| superseded));
                }
            }
        }
    }

    #[test]
    fn a_prefix_is_a_few_digits() {
        for (text, expected) in [
            ("", false),
            ("0", true),
            ("AbCdEf01", true),
            ("0123456789abcdef0123456789abcdef", true),
            ("0123456789abcdef0123456789abcdef0", false),
            ("g", false),
            ("+1", false),
        ] {
            assert_eq!(IdPrefix::parse(text).is_some(), expected, "{text}");
        }
        assert!(IdPrefix::parse(&"f".repeat(32)).unwrap().is_whole());
        assert!(!IdPrefix::parse(&"f".repeat(31)).unwrap().is_whole());
    }

    #[test]
    fn a_serial_is_found_in_every_scope_under_the_issuers_that_are_known() {
        let mut inventory = Inventory::new();
        let [a, b] = ["a", "b"].map(|name| inventory.scope("iot", name).0);
        let ca = crate::expiry::Sighting {
            kind: Kind::Ca,
            issuer: "root".to_owned(),
            ..device("ca-1", "", Some(NOW))
        };
        inventory.apply(a, &ca);
        let of = |issuer: &str| crate::expiry::Sighting {
            issuer: issuer.to_owned(),
            ..device("s-1", "", Some(NOW))
        };
        let rows = [(a, "ca-1"), (b, "ca-1"), (b, "")]
            .map(|(scope, issuer)| inventory.apply(scope, &of(issuer)).row);
        inventory.apply(b, &of("nobody knows"));
        let view = inventory.view();
        let find = |serial: &str| {
            let issuers = view.known_issuers();
            let of = |scope| issuers.iter().map(move |issuer| (scope, &**issuer, serial));
            let mut found = view.find_listed(&[a, b].into_iter().flat_map(of).collect::<Vec<_>>());
            found.sort_unstable();
            found
        };
        assert_eq!(find("s-1"), rows);
        assert_eq!(find("s-2"), []);
    }
}
