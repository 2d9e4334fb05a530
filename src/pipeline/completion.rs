//! What an answer left out for a while is taken from what is known: an issuer, a holder, names, an end, a status that we
//! understand.

use std::collections::BTreeMap;

use super::Pipeline;
use crate::expiry::{Facts, Kind, RowId, ScopeId, Sighting, Status};
use crate::source::Page;
use crate::store::Kept;

/// What is known of certificates of which a page lacks something, by the sighting's place in it.
pub(super) type Lacking = BTreeMap<usize, Kept>;

impl Pipeline {
    /// Returns what is known of those of which sightings of a page lost something on the way that they had before. Of one
    /// without its issuer it is known which it is by serial and holder. `known` are those that say nothing new.
    pub(super) async fn lacking(
        &mut self,
        scope: ScopeId,
        page: &Page,
        known: &[Option<RowId>],
    ) -> anyhow::Result<Lacking> {
        let mut candidates = Vec::new();
        let seen = page.sightings.seen().zip(known).enumerate();
        for (place, (seen, _)) in seen.filter(|(_, (_, known))| known.is_none()) {
            let seen = seen.sighting();
            candidates.extend(self.that_had_more(scope, &seen).into_iter().map(|row| (place, row)));
        }
        if candidates.is_empty() {
            return Ok(Lacking::new());
        }
        let rows: Vec<RowId> = candidates.iter().map(|(_, row)| *row).collect();
        let kept = self.kept(&rows).await?;
        let sightings: Vec<Sighting<&str>> = page.sightings.iter().collect();
        let mut lacking: BTreeMap<usize, Vec<Kept>> = BTreeMap::new();
        for ((place, _), kept) in candidates.iter().zip(kept) {
            if let (Some(kept), Some(seen)) = (kept, sightings.get(*place))
                && is_of(seen, &kept.facts)
            {
                lacking.entry(*place).or_default().push(kept);
            }
        }
        // Where it may be one or another, it is none of them.
        let one = |(place, mut kept): (usize, Vec<Kept>)| {
            (kept.len() == 1).then(|| kept.pop()).flatten().map(|kept| (place, kept))
        };
        Ok(lacking.into_iter().filter_map(one).collect())
    }

    /// Looks up certificates with their names and links: their texts as they are drafted.
    async fn kept(&mut self, rows: &[RowId]) -> anyhow::Result<Vec<Option<Kept>>> {
        let facts = self.facts(rows).await?;
        let kept = self.parts.store.kept(rows).await?;
        let newest = kept.into_iter().zip(facts).map(|(kept, facts)| match (kept, facts) {
            (Some(kept), Some(facts)) => Some(Kept { facts, ..kept }),
            (kept, _) => kept,
        });
        Ok(newest.collect())
    }

    /// Returns the certificates that a sighting may be of, if it lacks something that they may have had.
    fn that_had_more(&self, scope: ScopeId, seen: &Sighting<&str>) -> Vec<RowId> {
        if !seen.place.is_empty() {
            // It was read from the certificate itself.
            return Vec::new();
        }
        if seen.issuer.is_empty() {
            return self.inventory.without_issuer(scope, seen);
        }
        let lacks = lacks_a_text(seen) || (seen.kind != Kind::Device && lacks_a_list(seen));
        let known = lacks.then(|| self.inventory.find(scope, seen.issuer, seen.serial)).flatten();
        known.into_iter().collect()
    }

    /// Gives a sighting what is known and was not said. A certificate never loses its end: an answer without one says
    /// nothing new, and must not silence an alert. Only an order that waits to be issued, again perhaps, truly has none.
    /// Nor does a word that we do not know change its state.
    pub(super) fn with_known(
        &self,
        scope: ScopeId,
        sighting: Sighting,
        knows_status: bool,
    ) -> Sighting {
        let row = self.inventory.find(scope, &sighting.issuer, &sighting.serial);
        let Some((row, known)) = row.and_then(|row| Some((row, self.inventory.row(row)?))) else {
            return sighting;
        };
        let status = self.inventory.provider_status(row).filter(|_| !knows_status);
        let status = status.unwrap_or(sighting.status);
        let sighting = Sighting { status, ..sighting };
        if sighting.not_after.is_some() || status == Status::Pending {
            return sighting;
        }
        let not_before = sighting.not_before.or(known.not_before);
        Sighting { not_after: known.not_after, not_before, ..sighting }
    }
}

/// Returns whether a certificate is the one that a sighting is of, as far as the sighting says who presents it.
fn is_of(seen: &Sighting<&str>, facts: &Facts) -> bool {
    let is_same_holder = seen.holder.is_empty() || *seen.holder == *facts.holder;
    let names_nobody = seen.issuer.is_empty() && seen.holder.is_empty();
    // Where neither is said, only the end tells certificates of one serial apart.
    let is_same_end =
        !names_nobody || seen.not_after.is_none() || seen.not_after == facts.not_after;
    !facts.issuer.is_empty() && *seen.serial == *facts.serial && is_same_holder && is_same_end
}

fn lacks_a_text(seen: &Sighting<&str>) -> bool {
    [seen.holder, seen.unit, seen.common_name].iter().any(|text| text.is_empty())
}

fn lacks_a_list(seen: &Sighting<&str>) -> bool {
    seen.names.is_empty() || seen.successors.is_empty()
}

/// Gives a sighting what its certificate is known with.
pub(super) fn complete(sighting: &mut Sighting, known: Kept) {
    if sighting.issuer.is_empty() {
        sighting.signer.clone_from(&known.facts.issuer);
    }
    let Facts { issuer, holder, unit, common_name, .. } = known.facts;
    for (text, known) in [
        (&mut sighting.issuer, issuer),
        (&mut sighting.holder, holder),
        (&mut sighting.unit, unit),
        (&mut sighting.common_name, common_name),
    ] {
        if text.is_empty() {
            *text = known;
        }
    }
    for (list, known) in
        [(&mut sighting.names, known.names), (&mut sighting.successors, known.successors)]
    {
        if list.is_empty() {
            *list = known;
        }
    }
}
