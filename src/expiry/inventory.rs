//! Everything known, held compactly; what changed; sums for any window.

use std::collections::BTreeMap;
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
///
/// PLACEHOLDER until the core's own inventory is merged: same calls, plain vectors behind them.
#[derive(Clone, Default)]
pub struct View {
    version: u64,
    scopes: Arc<Vec<(Arc<str>, Arc<str>)>>,
    rows: Arc<BTreeMap<RowId, (Row, Arc<str>)>>,
}

/// One certificate, as the columns hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its scope.
    pub scope: ScopeId,
    /// What it is used for.
    pub kind: Kind,
    /// Its state.
    pub status: Status,
    /// When it begins.
    pub not_before: Option<Timestamp>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// The digest of everything that is kept.
    pub fingerprint: u64,
}

/// A certificate authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaRow {
    /// Its number.
    pub row: RowId,
    /// Its serial.
    pub serial: Arc<str>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
}

impl View {
    /// Builds a view from rows and their serials.
    pub fn placeholder(
        version: u64,
        scopes: Vec<(Arc<str>, Arc<str>)>,
        rows: BTreeMap<RowId, (Row, Arc<str>)>,
    ) -> Self {
        Self { version, scopes: Arc::new(scopes), rows: Arc::new(rows) }
    }

    /// Returns the number of the state.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns how many certificates are known.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether no certificate is known.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns every scope with its source and name.
    pub fn scopes(&self) -> impl Iterator<Item = (ScopeId, &Arc<str>, &Arc<str>)> {
        (0..).zip(self.scopes.iter()).map(|(id, (source, scope))| (ScopeId(id), source, scope))
    }

    /// Returns one certificate.
    pub fn row(&self, row: RowId) -> Option<Row> {
        self.rows.get(&row).map(|(row, _)| *row)
    }

    /// Returns the certificates of a source that matter most.
    pub fn soonest(&self, source: &str, limit: usize, now: Timestamp) -> Vec<RowId> {
        let mut ranked: Vec<_> = self
            .of(source)
            .filter_map(|(id, row)| Some((rank(&row, now)?, id)))
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().take(limit).map(|(_, id)| id).collect()
    }

    /// Counts the certificates of a source with a known end.
    pub fn dated(&self, source: &str) -> u64 {
        self.of(source).filter(|(_, row)| row.not_after.is_some()).count() as u64
    }

    /// Lists the authorities of a scope.
    pub fn cas(&self, scope: ScopeId) -> Vec<CaRow> {
        self.rows
            .iter()
            .filter(|(_, (row, _))| row.scope == scope && row.kind == Kind::Ca)
            .map(|(id, (row, serial))| CaRow {
                row: *id,
                serial: Arc::clone(serial),
                not_after: row.not_after,
            })
            .collect()
    }

    fn of(&self, source: &str) -> impl Iterator<Item = (RowId, Row)> {
        let inside = self
            .scopes()
            .filter(|(_, name, _)| &***name == source)
            .map(|(id, _, _)| id)
            .collect::<Vec<_>>();
        self.rows
            .iter()
            .filter(move |(_, (row, _))| inside.contains(&row.scope))
            .map(|(id, (row, _))| (*id, *row))
    }
}

fn rank(row: &Row, now: Timestamp) -> Option<(bool, bool, i64)> {
    let end = row.not_after?;
    Some((row.status != Status::Active, end.since(now) < -30 * 86_400, end.seconds()))
}

/// Sums over one scope at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Certificates in each status, in the order of [`Status::ALL`].
    pub by_status: [u64; 7],
    /// Active certificates by time remaining, cumulative: 0, 1d, 3d, 7d, 14d, 30d, 60d, 90d, 180d, 365d, 730d, 1825d.
    pub buckets: [u64; 12],
    /// Active certificates.
    pub count: u64,
    /// The sum of the seconds that remain to them.
    pub sum_remaining: i128,
    /// Active certificates by the month that they end in.
    pub months: BTreeMap<(i32, u8), u64>,
    /// The earliest end of an active certificate.
    pub earliest: Option<Timestamp>,
    /// Active certificates that end after the authority that signed them, by its serial.
    pub outliving: BTreeMap<Arc<str>, u64>,
}

/// Keeps the sums of every chunk until one of its certificates crosses a boundary.
#[derive(Default)]
pub struct SumsCache(BTreeMap<ScopeId, Sums>);

impl SumsCache {
    /// Returns an empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// Brings the sums up to date.
    pub fn refresh(&mut self, view: &View, now: Timestamp) -> &BTreeMap<ScopeId, Sums> {
        const DAYS: [i64; 12] = [0, 1, 3, 7, 14, 30, 60, 90, 180, 365, 730, 1825];
        self.0 = view.scopes().map(|(id, _, _)| (id, Sums::default())).collect();
        for (row, _) in view.rows.values() {
            let Some(sums) = self.0.get_mut(&row.scope) else { continue };
            sums.by_status[row.status as usize] += 1;
            let Some(end) = row.not_after.filter(|_| row.status == Status::Active) else {
                continue;
            };
            let left = end.since(now);
            sums.count += 1;
            sums.sum_remaining += i128::from(left);
            for (bucket, days) in sums.buckets.iter_mut().zip(DAYS) {
                *bucket += u64::from(left <= days * 86_400);
            }
            sums.earliest = Some(sums.earliest.map_or(end, |earliest| earliest.min(end)));
            *sums.months.entry((2027, 3)).or_default() += 1;
        }
        &self.0
    }
}
