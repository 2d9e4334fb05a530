//! Builds views and names for tests. The one place in `metrics` and `web` that knows how a view is made.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;

use super::{Names, NamesError, Shown};
use crate::expiry::{
    Facts, Inventory, Kind, RowId, Sighting, Status, StoredParts, StoredRow, Timestamp, View,
};

/// The time that it is in tests: 2026-11-22T00:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_305_600);

/// A certificate that is known.
#[derive(Clone, Debug)]
pub(crate) struct Known(pub(crate) Facts);

impl Known {
    pub(crate) fn new(source: &str, scope: &str, serial: &str) -> Self {
        Self(Facts {
            source: source.to_owned(),
            scope: scope.to_owned(),
            serial: serial.to_owned(),
            not_after: Some(NOW.plus(86_400)),
            ..Facts::bare(Kind::Device, Status::Active)
        })
    }

    pub(crate) fn ends_in(mut self, seconds: i64) -> Self {
        self.0.not_after = Some(NOW.plus(seconds));
        self
    }

    pub(crate) fn undated(mut self) -> Self {
        self.0.not_after = None;
        self.0.status = Status::Undated;
        self
    }

    pub(crate) fn status(mut self, status: Status) -> Self {
        self.0.status = status;
        self
    }

    pub(crate) fn kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(crate) fn issuer(mut self, issuer: &str) -> Self {
        issuer.clone_into(&mut self.0.issuer);
        self
    }

    pub(crate) fn names(mut self, common_name: &str, holder: &str, unit: &str) -> Self {
        common_name.clone_into(&mut self.0.common_name);
        holder.clone_into(&mut self.0.holder);
        unit.clone_into(&mut self.0.unit);
        self
    }
}

/// Makes texts of which many break a careless writer.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), r#"[\"'\n\r\x00\u2028{}=, #a中]{0,12}"#]
}

/// Returns a view of `known` whose version is different for each `version`.
pub(crate) fn view(version: u64, known: &[Known]) -> View {
    let mut inventory = Inventory::new();
    for (row, Known(facts)) in numbers(known).into_iter().zip(known) {
        let (scope, _) = inventory.scope(&facts.source, &facts.scope);
        let parts = StoredParts::<String> {
            issuer: &facts.issuer,
            serial: &facts.serial,
            place: &facts.place,
            fingerprint: facts.fingerprint,
            collides: facts.collides,
            signer: &facts.issuer,
            signs: "",
            holder: &facts.holder,
            names: &[],
            successors: &[],
            kind: facts.kind,
            provider: facts.status,
            status: facts.status,
            not_before: facts.not_before,
            not_after: facts.not_after,
            end_unlisted: false,
            row_digest: row_digest(facts),
        };
        inventory.restore(scope, StoredRow::new(row, parts));
    }
    // Each change makes a new version; far more of them than `known` has rows.
    for _ in 0..version * 1000 {
        if let Some(Known(facts)) = known.first() {
            let (scope, _) = inventory.scope(&facts.source, &facts.scope);
            inventory.restore_scope(scope, &facts.source, &facts.scope);
        }
    }
    inventory.view()
}

/// Returns the numbers that `known` have in every view.
pub(crate) fn numbers(known: &[Known]) -> Vec<RowId> {
    let mut inventory = Inventory::new();
    let number = |Known(facts): &Known| {
        let (scope, _) = inventory.scope(&facts.source, &facts.scope);
        let sighting = Sighting {
            issuer: facts.issuer.clone(),
            serial: facts.serial.clone(),
            place: facts.place.clone(),
            fingerprint: facts.fingerprint,
            collides: facts.collides,
            signer: facts.issuer.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            ..Sighting::bare(facts.kind, facts.status)
        };
        inventory.apply(scope, &sighting).row
    };
    known.iter().map(number).collect()
}

fn row_digest(facts: &Facts) -> u64 {
    // Without the status: the row_digest covers what the provider said, and the core derives the status.
    let Facts { issuer, serial, common_name, holder, unit, not_after, .. } = facts;
    let Facts { place, fingerprint, collides, .. } = facts;
    let kept = format!(
        "{issuer:?}{serial:?}{common_name:?}{holder:?}{unit:?}{not_after:?}{place:?}{fingerprint:?}{collides}"
    );
    xxhash_rust::xxh3::xxh3_64(kept.as_bytes())
}

/// Names from memory, which counts what it is asked and can be made to fail.
#[derive(Default)]
pub(crate) struct Memory {
    facts: Mutex<BTreeMap<RowId, Facts>>,
    pub(crate) asked: AtomicUsize,
    pub(crate) fails: AtomicBool,
    pub(crate) shown: Shown,
}

impl Memory {
    pub(crate) fn of(known: &[Known]) -> Self {
        let memory = Self::default();
        memory.learn(known);
        memory
    }

    /// Replaces what is known.
    pub(crate) fn learn(&self, known: &[Known]) {
        let facts = known.iter().map(|known| known.0.clone());
        *self.facts.lock().unwrap() = numbers(known).into_iter().zip(facts).collect();
    }
}

#[async_trait]
impl Names for Memory {
    async fn facts(&self, rows: &[RowId]) -> Result<Vec<Option<Facts>>, NamesError> {
        self.asked.fetch_add(rows.len(), Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            return Err(NamesError("the disk is gone".to_owned()));
        }
        let facts = self.facts.lock().unwrap();
        Ok(rows.iter().map(|row| facts.get(row).cloned()).collect())
    }

    fn shown(&self) -> Shown {
        self.shown.clone()
    }
}
