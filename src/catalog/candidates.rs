//! Which certificates may have what is looked for in their names.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::filter::SHORTEST_ID;
use super::{Catalog, CatalogError, Moment, off_the_runtime};
use crate::expiry::{IdPrefix, ScopeId, View};
use crate::store::NameQuery;

/// Letters that the index knows together.
const LETTERS: usize = 3;

/// Certificates that are asked of the index at most: beyond, what is looked for is nearly everywhere.
const MOST: usize = 20_000;

/// Certificates that are looked at to see how common a part is.
const SAMPLE: usize = 128;

/// What is in one of so many names is found sooner by a look through them in order.
const COMMON: usize = 20;

/// Parts that the index is asked for together; each more costs a list, and the rarest tell most.
const PARTS: usize = 4;

/// Certificates whose id is looked for at most.
const IDS: usize = 100;

/// What the index says.
#[derive(Default)]
pub(super) struct Candidates {
    /// Only these may be what is looked for; `None`: any may.
    pub(super) rows: Option<RoaringBitmap>,
    /// Whether the index holds every name.
    pub(super) whole: bool,
}

impl Catalog {
    /// Returns which certificates may have all these parts in their names.
    pub(super) async fn candidates(
        &self,
        moment: &Moment,
        parts: &[String],
    ) -> Result<Candidates, CatalogError> {
        let long = parts.iter().filter(|part| part.chars().count() >= LETTERS);
        let Some(part) = long.max_by_key(|part| part.len()) else {
            return Ok(Candidates { rows: None, whole: true });
        };
        let Some(parts) = self.rarest(moment, part).await? else {
            return Ok(Candidates { rows: None, whole: true });
        };
        let hits = self.store.find_names(&NameQuery { parts, most: MOST }).await?;
        let whole = hits.unindexed.is_none();
        if hits.more {
            return Ok(Candidates { rows: None, whole });
        }
        let mut rows: RoaringBitmap = hits.rows.iter().map(|row| row.0).collect();
        let exact = self.exact(moment, part, whole).await?;
        if let Some(first) = hits.unindexed.filter(|_| exact.is_empty()) {
            rows.insert_range(first.0..moment.view.bound().max(first.0));
        }
        rows |= exact;
        Ok(Candidates { rows: Some(rows), whole })
    }

    /// Returns those whose id begins so and, as long as the index does not hold every name, those that have this serial of
    /// an issuer that is known without names.
    async fn exact(
        &self,
        moment: &Moment,
        part: &str,
        whole: bool,
    ) -> Result<RoaringBitmap, CatalogError> {
        let prefix = IdPrefix::parse(part).filter(|_| part.len() >= SHORTEST_ID);
        if whole && prefix.is_none() {
            return Ok(RoaringBitmap::new());
        }
        let (view, part) = (Arc::clone(&moment.view), part.to_owned());
        off_the_runtime(move || {
            let ids = prefix.map(|prefix| view.find_ids(prefix, IDS)).unwrap_or_default();
            let mut rows: RoaringBitmap = ids.into_iter().map(|row| row.0).collect();
            if !whole {
                rows |= with_serial(&view, &part);
            }
            rows
        })
        .await
    }

    /// Returns the rarest groups of three letters in a part; `None` where it is so common that the index does not help.
    pub(super) async fn rarest(
        &self,
        moment: &Moment,
        part: &str,
    ) -> Result<Option<Vec<String>>, CatalogError> {
        let rows = moment.view.sample(SAMPLE);
        let sample: Vec<_> = self.store.kept(&rows).await?.into_iter().flatten().collect();
        let count = |part: &str| sample.iter().filter(|kept| kept.is_named(part)).count();
        if sample.len() == SAMPLE && count(part) * COMMON > SAMPLE {
            return Ok(None);
        }
        let letters: Vec<char> = part.chars().collect();
        let groups = letters.windows(LETTERS).map(|group| group.iter().collect::<String>());
        // For the index a question ends at a NUL.
        let groups: BTreeSet<String> = groups.filter(|group| !group.contains('\0')).collect();
        if groups.is_empty() {
            return Ok(None);
        }
        let mut groups: Vec<_> = groups.into_iter().map(|group| (count(&group), group)).collect();
        groups.sort_unstable();
        Ok(Some(groups.into_iter().take(PARTS).map(|(_, group)| group).collect()))
    }
}

/// Returns the certificates with this serial, in small or large letters.
fn with_serial(view: &View, serial: &str) -> RoaringBitmap {
    let (issuers, large) = (view.known_issuers(), serial.to_uppercase());
    let scopes: Vec<ScopeId> = view.scopes().map(|(scope, ..)| scope).collect();
    let names: Vec<_> = scopes
        .iter()
        .flat_map(|scope| issuers.iter().map(move |issuer| (*scope, &**issuer)))
        .flat_map(|(scope, issuer)| [serial, &large].map(|serial| (scope, issuer, serial)))
        .collect();
    view.find_listed(&names).into_iter().map(|row| row.0).collect()
}
