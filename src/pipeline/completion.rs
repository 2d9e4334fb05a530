//! What an answer left out for a while is taken from what is known: an issuer, an end, a status that we understand.

use std::collections::BTreeMap;

use super::Pipeline;
use crate::expiry::{Facts, RowId, ScopeId, Sighting, Status};
use crate::source::Page;

/// What got lost of the sightings of a page, by the sighting's place in it.
pub(super) type Issuers = BTreeMap<usize, String>;

impl Pipeline {
    /// Returns the issuers that sightings of a page lost on the way: of those whose serial and holder are known in the
    /// scope. `known` are those that say nothing new.
    pub(super) async fn lost_issuers(
        &mut self,
        scope: ScopeId,
        page: &Page,
        known: &[Option<RowId>],
    ) -> anyhow::Result<Issuers> {
        let new = page.sightings.iter().zip(known).enumerate();
        let lost = new.filter(|(_, (seen, known))| known.is_none() && seen.issuer.is_empty());
        let mut candidates = Vec::new();
        for (place, (seen, _)) in lost {
            let rows = self.inventory.without_issuer(scope, &seen);
            candidates.extend(rows.into_iter().map(|row| (place, row)));
        }
        if candidates.is_empty() {
            return Ok(Issuers::new());
        }
        let rows: Vec<RowId> = candidates.iter().map(|(_, row)| *row).collect();
        let facts = self.facts(&rows).await?;
        let sightings: Vec<Sighting<&str>> = page.sightings.iter().collect();
        let named = candidates.iter().zip(facts).filter_map(|((place, _), facts)| {
            let (facts, seen) = (facts?, sightings.get(*place)?);
            is_of(seen, &facts).then_some((*place, facts.issuer))
        });
        Ok(named.collect())
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

fn is_of(seen: &Sighting<&str>, facts: &Facts) -> bool {
    !facts.issuer.is_empty() && *seen.serial == *facts.serial && *seen.holder == *facts.holder
}
