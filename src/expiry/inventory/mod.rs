//! Everything known, held compactly; what changed; sums for any window.
//!
//! Reading order: `record` (what is kept about one certificate), `chunk` (4096 of them in columns), `slots` (which
//! numbers belong to which scope), `index` (finding by identity and by holder), `authorities`, `top_k`, `writer` (the
//! [`Inventory`]), `places` (which certificate a sighting in a place is of), `lost` (or one whose issuer got lost),
//! `restate` (succession applied), `deployment` (what is served, and what should be), `copies` (one CA in many places), `view`
//! (what readers get), `select` (which of them, in which order), `lookup` (or by what they are known by), `overview`,
//! `ahead` with `foresee`, `chunk_sums` and `sums`.
//!
//! # Memory
//!
//! A certificate costs 53 bytes of columns and 7 to 8 bytes in each of two hash tables. Names, holders and other
//! texts are in the store; only certificates with provider links or names, and authorities, keep some text here.
//! Publishing a [`View`] shares every chunk; the writer copies a chunk (217 KB) when it changes one that a view still
//! holds, so views should not be kept for longer than they are looked at.

mod record;
mod chunk;
mod slots;
mod index;
mod authorities;
mod top_k;
mod writer;
mod places;
mod lost;
mod restate;
mod shares;
mod deployment;
mod copies;
mod ahead;
mod view;
mod select;
mod lookup;
mod overview;
mod foresee;
mod stand;
mod chunk_sums;
mod sums;

#[cfg(test)]
pub(super) mod model;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::certificate::{Kind, Status, Timestamp};

pub use ahead::{Ahead, EndsFirst, Foreseen};
pub(super) use chunk::{Chunk, row_at};
pub use lookup::IdPrefix;
pub use overview::Overview;
pub use record::{StoredParts, StoredRow};
pub(super) use record::{id_of, identity_of};
pub use select::{Order, Position, Selected, Selection, SortBy};
pub use stand::{Asked, Stand};
pub use sums::{BUCKETS, KindSums, Sums, SumsCache};
pub use view::View;
pub use writer::Inventory;

/// The number of a certificate: its place in the inventory and its key in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u32);

/// The number of a (source, scope).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub u32);

/// Served certificates of which a newer one is known, with that one.
pub type Undeployed = BTreeMap<RowId, RowId>;

/// One certificate, as the columns hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its scope.
    pub scope: ScopeId,
    /// What it is used for.
    pub kind: Kind,
    /// Its status after succession.
    pub status: Status,
    /// When it begins; known only together with its end, and for lifetimes below 136 years.
    pub not_before: Option<Timestamp>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// The digest of everything that the store keeps about it.
    #[expect(
        clippy::struct_field_names,
        reason = "it is the digest of the row, and called so everywhere"
    )]
    pub row_digest: u64,
}

/// What a sighting did to the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The certificate was not known.
    Added,
    /// Something about it differs and is to be written.
    Changed {
        /// The end before, when the end of the same certificate moved later: a renewal in place.
        renewed_from: Option<Timestamp>,
    },
    /// Nothing differs; nothing is to be written.
    Unchanged,
}

/// The result of applying one sighting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The certificate's number.
    pub row: RowId,
    /// What the sighting did.
    pub change: Change,
    /// The status after succession.
    pub status: Status,
    /// Other certificates whose derived status changed with it.
    pub restated: Vec<(RowId, Status)>,
    /// Whether one known end was replaced by another, in either direction.
    pub end_moved: bool,
    /// Whether its fingerprint is part of its identity, being all that tells it from another in its place.
    pub collides: bool,
    /// The same certificate in another place, which was kept before places were: what was notified of it was of this one.
    pub inherits: Option<RowId>,
}

impl Applied {
    const fn unchanged(row: RowId, status: Status) -> Self {
        Self {
            row,
            change: Change::Unchanged,
            status,
            restated: Vec::new(),
            end_moved: false,
            collides: false,
            inherits: None,
        }
    }
}
