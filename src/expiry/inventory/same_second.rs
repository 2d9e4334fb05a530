//! What batches of certificates that end in the same second are made up of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::certificate::{Kind, Status, Timestamp};
use super::chunk::{Chunk, Slot};
use super::record::signer;
use super::{Inventory, ScopeId};

/// How many certificates of a batch an authority has signed, by its serial and the provider's state. Every authority of the
/// scope is in it: those that have signed none with a zero.
pub type SameSecond = BTreeMap<IssuerGroup, u64>;

/// The serial of an authority, and the provider's state.
type IssuerGroup = (Arc<str>, Status);

/// The authorities of a scope by the digest that their leaves carry.
type Signers<'a> = BTreeMap<u64, &'a Arc<str>>;

impl Inventory {
    /// Returns what the certificates of a scope are made up of that end at one of `ends`, which ascend. A time at which
    /// one ends that no known authority has signed is left out. Walks over the scope, but for chunks that hold none.
    pub fn same_seconds(
        &self,
        scope: ScopeId,
        kind: Option<Kind>,
        ends: &[Timestamp],
    ) -> BTreeMap<Timestamp, SameSecond> {
        let (mut batches, mut unclear) = (BTreeMap::<_, SameSecond>::new(), BTreeSet::new());
        let Some((first, last)) = ends.first().zip(ends.last()) else { return batches };
        let signers = self.signers(scope);
        for (_, chunk) in self.chunks_of(scope) {
            if chunk.may_end_within(*first, *last) {
                let slots = chunk.iter().filter(|slot| kind.is_none_or(|kind| slot.kind() == kind));
                for (end, group) in slots.filter_map(|slot| group(chunk, slot, ends, &signers)) {
                    match group {
                        Some(group) => {
                            *batches.entry(end).or_default().entry(group).or_default() += 1
                        }
                        None => _ = unclear.insert(end),
                    }
                }
            }
        }
        batches.retain(|end, _| !unclear.contains(end));
        for batch in batches.values_mut() {
            for serial in signers.values() {
                batch.entry((Arc::clone(serial), Status::Active)).or_default();
            }
        }
        batches
    }

    fn signers(&self, scope: ScopeId) -> Signers<'_> {
        let known = self.authorities.of(scope).into_iter().flat_map(|signers| &signers.serials);
        known.map(|(_, serial)| (signer(serial), serial)).collect()
    }
}

/// Returns the end of a certificate, if it is one of `ends`, and its group, if its authority is known.
fn group(
    chunk: &Chunk,
    slot: Slot,
    ends: &[Timestamp],
    signers: &Signers<'_>,
) -> Option<(Timestamp, Option<IssuerGroup>)> {
    let end = slot.not_after().filter(|end| ends.binary_search(end).is_ok())?;
    let serial = chunk.issuer(slot.offset).and_then(|issuer| signers.get(&issuer));
    let group = serial.zip(slot.mark.provider());
    Some((end, group.map(|(serial, status)| (Arc::clone(serial), status))))
}
