//! Which certificates may take each other's place: of one device, or linked as a renewal. Looked up, since a scene may have
//! twenty thousand.

use std::collections::BTreeMap;

use notafter::facade::expiry::Kind;

use super::super::truth::Certificate;

pub(super) struct Kin(Vec<Vec<usize>>);

impl Kin {
    pub(super) fn of(all: &[Certificate]) -> Self {
        let mut kin = Self(vec![Vec::new(); all.len()]);
        let (mut by_holder, mut by_serial) = (BTreeMap::new(), BTreeMap::new());
        for (place, one) in all.iter().enumerate() {
            by_serial.insert((one.source, one.serial.as_str()), place);
            if one.kind == Kind::Device {
                let holder = (one.source, one.holder.as_str());
                by_holder.entry(holder).or_insert_with(Vec::new).push(place);
            }
        }
        for places in by_holder.values() {
            for place in places {
                kin.0[*place].extend(places.iter().copied().filter(|other| other != place));
            }
        }
        for (place, one) in all.iter().enumerate().filter(|(_, one)| one.kind == Kind::Server) {
            let linked = one.linked.as_ref().map(|(_, serial)| (one.source, serial.as_str()));
            if let Some(other) = linked.and_then(|key| by_serial.get(&key).copied()) {
                kin.0[place].push(other);
                kin.0[other].push(place);
            }
        }
        kin
    }

    pub(super) fn at(&self, place: usize) -> &[usize] {
        &self.0[place]
    }
}
