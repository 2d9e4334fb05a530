//! Which certificate a sighting is of whose issuer got lost on the way.

use super::super::certificate::{Kind, Sighting};
use super::record::{Record, StoredParts};
use super::{Inventory, RowId, ScopeId};

impl Inventory {
    /// Returns the certificates that a listed sighting without an issuer may be of: those that an authority of the scope
    /// has signed under its serial, and those of its holder. Empty where it is known without an issuer, or could have none.
    ///
    /// Their texts are in the store, and tell which of them it is. Nothing is kept for this: it is looked for when an
    /// answer lacks what it always had.
    pub fn without_issuer<T>(&self, scope: ScopeId, sighting: &Sighting<T>) -> Vec<RowId>
    where
        T: AsRef<str>,
    {
        let (issuer, serial) = (sighting.issuer.as_ref(), sighting.serial.as_ref());
        let lost = issuer.is_empty() && sighting.place.as_ref().is_empty();
        if !lost || self.find(scope, issuer, serial).is_some() {
            return Vec::new();
        }
        let mut rows = if sighting.kind == Kind::Ca {
            self.authorities_named(scope, serial)
        } else {
            self.signed_in(scope, serial)
        };
        let group = Record::of(&StoredParts::of(sighting, 0)).inside(scope).group;
        rows.extend(self.index.members(&self.chunks, group));
        rows.retain(|row| self.chunks.mark(*row).is_some_and(|mark| mark.kind() == sighting.kind));
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    fn authorities_named(&self, scope: ScopeId, serial: &str) -> Vec<RowId> {
        let known = self.authorities.of(scope).into_iter().flat_map(|signers| &signers.known);
        known.filter(|(_, one)| *one.serial == *serial).map(|(row, _)| *row).collect()
    }

    fn signed_in(&self, scope: ScopeId, serial: &str) -> Vec<RowId> {
        let known =
            self.authorities.of(scope).into_iter().flat_map(|signers| signers.known.values());
        known.filter_map(|authority| self.find(scope, &authority.serial, serial)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{NOW, device};
    use super::*;

    #[test]
    fn a_sighting_that_lost_its_issuer_leads_to_what_has_its_holder_or_its_signer() {
        let mut inventory = Inventory::new();
        let (scope, _) = inventory.scope("iot", "mqtt-1");
        let signed = |issuer: &str, serial: &str, holder: &str| Sighting {
            issuer: issuer.to_owned(),
            ..device(serial, holder, Some(NOW))
        };
        let ca = Sighting { kind: Kind::Ca, ..signed("root", "ca1", "") };
        let ca = inventory.apply(scope, &ca).row;
        let held = inventory.apply(scope, &signed("ca9", "01", "pump")).row;
        let alone = inventory.apply(scope, &signed("ca1", "02", "")).row;
        let plain = inventory.apply(scope, &signed("", "03", "lamp")).row;
        assert_ne!(plain, alone);
        let candidates = |kind, serial: &str, holder: &str| {
            inventory.without_issuer(scope, &Sighting { kind, ..signed("", serial, holder) })
        };
        let device = Kind::Device;
        assert_eq!(candidates(device, "01", "pump"), [held]);
        assert_eq!(candidates(device, "02", "any"), [alone], "its authority is known");
        assert_eq!(candidates(device, "03", "lamp"), [], "it is known without an issuer");
        assert_eq!(candidates(device, "04", "else"), [], "it is new");
        assert_eq!(candidates(Kind::Ca, "ca1", ""), [ca]);
        let named = signed("ca1", "04", "pump");
        assert_eq!(inventory.without_issuer(scope, &named), [], "it has its issuer");
    }
}
