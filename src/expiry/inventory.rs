//! Everything known, held compactly; what changed; sums for any window.

use std::sync::Arc;

use super::certificate::{Kind, Sighting, Status, Timestamp};

/// The number of a certificate: its place in the inventory and its key in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u32);

/// The number of a (source, scope).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub u32);

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
}

/// One certificate as the store hands it back at start.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "a placeholder: the inventory's own type replaces it")]
pub struct StoredRow {
    row: RowId,
    texts: [Box<str>; 3],
    lists: [Box<[String]>; 2],
    states: (Kind, Status, Status),
    times: [Option<Timestamp>; 2],
    fingerprint: u64,
}

impl StoredRow {
    /// Takes a certificate as it is stored.
    pub fn new(row: RowId, parts: StoredParts<'_>) -> Self {
        Self {
            row,
            texts: [parts.issuer, parts.serial, parts.holder].map(Box::from),
            lists: [parts.names, parts.successors].map(Box::from),
            states: (parts.kind, parts.provider, parts.status),
            times: [parts.not_before, parts.not_after],
            fingerprint: parts.fingerprint,
        }
    }
}

/// The columns of a certificate that the inventory keeps.
#[derive(Clone, Copy, Debug)]
pub struct StoredParts<'a> {
    /// The issuer, in the provider's words.
    pub issuer: &'a str,
    /// The serial.
    pub serial: &'a str,
    /// Who presents it.
    pub holder: &'a str,
    /// Every name it covers.
    pub names: &'a [String],
    /// Serials of the certificates that the provider links as its renewal.
    pub successors: &'a [String],
    /// What it is used for.
    pub kind: Kind,
    /// The provider's status.
    pub provider: Status,
    /// The status after succession.
    pub status: Status,
    /// When it begins to be valid.
    pub not_before: Option<Timestamp>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// The digest of everything that is kept.
    pub fingerprint: u64,
}

/// Everything known. Owned by the pipeline, which is the only writer.
pub struct Inventory;

/// An immutable state of the inventory. Cloning shares every chunk.
pub struct View;

/// Sums over one scope at one moment.
#[derive(Clone, Debug)]
pub struct Sums;

/// Keeps the sums of every chunk until one of its certificates crosses a boundary.
pub struct SumsCache;
