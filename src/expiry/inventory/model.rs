//! A slow, plain model of the inventory and of the store beside it, to hold the fast one against.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::certificate::{Kind, Sighting, Status, Timestamp};
use super::index::MOST_OF_ONE_HOLDER;
use super::{Applied, BUCKETS, Change, Inventory, RowId, ScopeId, StoredParts, StoredRow, Sums};

pub(in super::super) const DAY: i64 = 86_400;
/// 2027-01-15, some hours into the day.
pub(in super::super) const NOW: i64 = 1_800_000_000;

/// One thing that happens to an inventory.
#[derive(Clone, Debug)]
pub(in super::super) enum Step {
    Apply {
        scope: usize,
        sighting: Box<Sighting>,
    },
    /// Removes the certificate at this place, counted round.
    Remove(usize),
    /// Stops the process and starts it again.
    Restart,
}

/// What the store keeps of one certificate.
#[derive(Clone, Debug)]
pub(in super::super) struct Stored {
    pub(in super::super) scope: ScopeId,
    pub(in super::super) sighting: Sighting,
    pub(in super::super) status: Status,
}

/// An inventory and the store that is fed with nothing but what the inventory says.
#[derive(Default)]
pub(in super::super) struct World {
    pub(in super::super) inventory: Inventory,
    pub(in super::super) stored: BTreeMap<RowId, Stored>,
    scopes: BTreeMap<ScopeId, (String, String)>,
}

impl World {
    pub(in super::super) fn play(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
        }
    }

    pub(in super::super) fn step(&mut self, step: &Step) -> (Vec<Applied>, Vec<(RowId, Status)>) {
        match step {
            Step::Apply { scope, sighting } => (vec![self.apply(*scope, sighting)], Vec::new()),
            Step::Remove(place) => (Vec::new(), self.remove_at(*place)),
            Step::Restart => {
                self.restart();
                (Vec::new(), Vec::new())
            }
        }
    }

    pub(in super::super) fn apply(&mut self, scope: usize, sighting: &Sighting) -> Applied {
        let (source, name) = (["a", "a", "b"][scope], ["all", "x", "all"][scope]);
        let (id, new) = self.inventory.scope(source, name);
        assert_eq!(new, self.scopes.insert(id, (source.into(), name.into())).is_none());
        let applied = self.inventory.apply(id, sighting);
        let known = self.stored.get(&applied.row).map(|stored| &stored.sighting);
        assert_eq!(applied.change, change(known, sighting), "of {known:?} by {sighting:?}");
        if applied.change == Change::Unchanged {
            assert_eq!(applied.restated, []);
        } else {
            let (sighting, status) = (sighting.clone(), applied.status);
            self.stored.insert(applied.row, Stored { scope: id, sighting, status });
        }
        self.restate(&applied.restated);
        applied
    }

    pub(in super::super) fn remove_at(&mut self, place: usize) -> Vec<(RowId, Status)> {
        let Some(row) = self.stored.keys().nth(place % self.stored.len().max(1)).copied() else {
            return Vec::new();
        };
        self.stored.remove(&row);
        let restated = self.inventory.remove(row);
        self.restate(&restated);
        restated
    }

    /// Builds the inventory anew from what the store has, the last first.
    pub(in super::super) fn restart(&mut self) {
        self.inventory = Inventory::new();
        for (row, stored) in self.stored.iter().rev() {
            let sighting = &stored.sighting;
            let parts = StoredParts {
                status: stored.status,
                ..StoredParts::of(sighting, sighting.row_digest())
            };
            assert!(self.inventory.restore(stored.scope, StoredRow::new(*row, parts)));
        }
        for (id, (source, scope)) in &self.scopes {
            self.inventory.restore_scope(*id, source, scope);
        }
    }

    /// Holds the inventory against the model: every certificate is there, with the status that it should have.
    pub(in super::super) fn check(&mut self) {
        let view = self.inventory.view();
        assert_eq!(view.len(), self.stored.len());
        assert_eq!(view.is_empty(), self.stored.is_empty());
        let rows: BTreeMap<_, _> = view.rows().collect();
        assert_eq!(rows.keys().collect::<Vec<_>>(), self.stored.keys().collect::<Vec<_>>());
        for (id, stored) in &self.stored {
            let row = rows[id];
            assert_eq!(row.status, self.status(*id), "of {id:?} in the inventory");
            assert_eq!(stored.status, row.status, "of {id:?} in the store");
            assert_eq!(
                (row.scope, row.kind, row.not_after, row.row_digest),
                (
                    stored.scope,
                    stored.sighting.kind,
                    stored.sighting.not_after,
                    stored.sighting.row_digest()
                )
            );
            assert_eq!(self.inventory.row(*id), Some(row));
            assert_eq!(self.inventory.successor(*id), self.best_successor(*id), "of {id:?}");
        }
    }

    /// Returns source and name of every scope.
    pub(in super::super) fn names(&self) -> &BTreeMap<ScopeId, (String, String)> {
        &self.scopes
    }

    pub(in super::super) fn status(&self, id: RowId) -> Status {
        match self.stored[&id].sighting.effective_status() {
            Status::Active if self.successors(id).next().is_some() => Status::Superseded,
            other => other,
        }
    }

    /// Returns the sums of one scope, by a fold over its certificates.
    pub(in super::super) fn sums(&self, scope: ScopeId, now: Timestamp) -> Sums {
        let mut sums = Sums::default();
        let inside = |stored: &&Stored| stored.scope == scope;
        for stored in self.stored.values().filter(inside) {
            let kind = &mut sums.kinds[stored.sighting.kind as usize];
            kind.by_status[stored.status as usize] += 1;
            let Some(end) = stored.sighting.not_after else { continue };
            if stored.status == Status::Active {
                self.add(&mut sums, stored, end, now);
            }
        }
        sums
    }

    fn add(&self, sums: &mut Sums, stored: &Stored, end: Timestamp, now: Timestamp) {
        let remaining = end.since(now);
        let kind = &mut sums.kinds[stored.sighting.kind as usize];
        kind.count += 1;
        kind.sum_remaining += i128::from(remaining);
        for (bucket, bound) in kind.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(remaining <= bound);
        }
        if remaining >= -30 * 86_400 {
            kind.earliest = Some(kind.earliest.map_or(end, |earliest| earliest.min(end)));
        }
        *sums.months.entry(month(end)).or_default() += 1;
        let signers = self.stored.iter().filter(|(_, ca)| {
            ca.scope == stored.scope
                && ca.sighting.kind == Kind::Ca
                && ca.sighting.serial == stored.sighting.issuer
        });
        let ends = signers.filter_map(|(row, ca)| Some((ca.sighting.not_after?, *row)));
        let last = ends.max_by_key(|(end, row)| (*end, std::cmp::Reverse(*row)));
        let leaf = stored.sighting.kind != Kind::Ca && !stored.sighting.issuer.is_empty();
        if let Some((_, row)) = last.filter(|(until, _)| leaf && end > *until) {
            *sums.outliving.entry(row).or_default() += 1;
        }
    }

    fn restate(&mut self, restated: &[(RowId, Status)]) {
        for (row, status) in restated {
            let stored = self.stored.get_mut(row).expect("only what is known is restated");
            assert_ne!(stored.status, *status, "only changes are restated");
            stored.status = *status;
        }
    }

    fn best_successor(&self, id: RowId) -> Option<RowId> {
        let status = self.stored[&id].sighting.status;
        let end = |id: &RowId| self.stored[id].sighting.not_after;
        self.successors(id)
            .filter(|_| matches!(status, Status::Active | Status::Superseded))
            .max_by_key(|other| (end(other), std::cmp::Reverse(*other)))
    }

    fn successors(&self, id: RowId) -> impl Iterator<Item = RowId> + '_ {
        let old = &self.stored[&id];
        let crowd = self.stored.values().filter(|other| one_holder(old, other)).count();
        self.stored.iter().filter(move |(other, _)| **other != id).filter_map(
            move |(other, new)| {
                let later = new.sighting.not_after > old.sighting.not_after
                    && old.sighting.not_after.is_some()
                    && old.sighting.place.is_empty();
                let began_later = new.sighting.not_before > old.sighting.not_before;
                let same = one_holder(old, new)
                    && crowd <= MOST_OF_ONE_HOLDER
                    && (new.sighting.signer == old.sighting.signer || began_later);
                let active = new.sighting.effective_status() == Status::Active;
                (later && active && (same || linked(old, new))).then_some(*other)
            },
        )
    }
}

fn change(known: Option<&Sighting>, sighting: &Sighting) -> Change {
    let Some(known) = known else { return Change::Added };
    let effective = |sighting: &Sighting| {
        let status = sighting.effective_status();
        Sighting { status, ..sighting.clone() }
    };
    if effective(known) == effective(sighting) {
        return Change::Unchanged;
    }
    let renewed = known.not_after.is_some() && sighting.not_after > known.not_after;
    Change::Changed { renewed_from: known.not_after.filter(|_| renewed) }
}

fn one_holder(old: &Stored, new: &Stored) -> bool {
    let key = |stored: &Stored| {
        let sighting = &stored.sighting;
        (stored.scope, sighting.holder.clone())
    };
    let presented = |stored: &Stored| {
        let Sighting { kind, holder, place, .. } = &stored.sighting;
        *kind == Kind::Device && !holder.is_empty() && place.is_empty()
    };
    presented(old) && presented(new) && key(old) == key(new)
}

/// Returns whether a link leads from one to the other. The names that the tests use make covering plain.
fn linked(old: &Stored, new: &Stored) -> bool {
    let wildcard = |name: &str| name.contains(".x") && new.sighting.names.contains(&"*.x".into());
    old.scope == new.scope
        && old.sighting.kind == new.sighting.kind
        && old.sighting.successors.contains(&new.sighting.serial)
        && !old.sighting.names.is_empty()
        && old.sighting.names.iter().all(|name| new.sighting.names.contains(name) || wildcard(name))
}

/// Counts months by walking through them, unlike the code that is tested.
fn month(end: Timestamp) -> (i32, u8) {
    let (mut year, mut month, mut days) = (1970, 1, end.seconds().div_euclid(DAY));
    let length = |year: i32, month: u8| match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    while days >= length(year, month) {
        days -= length(year, month);
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    (year, month)
}

/// Returns a plain active device certificate.
pub(in super::super) fn device(serial: &str, holder: &str, end: Option<i64>) -> Sighting {
    Sighting {
        issuer: "ca1".to_owned(),
        serial: serial.to_owned(),
        signer: "ca1".to_owned(),
        not_before: end.map(|end| Timestamp::from_seconds(end - 365 * DAY)),
        not_after: end.map(Timestamp::from_seconds),
        holder: holder.to_owned(),
        ..Sighting::bare(Kind::Device, Status::Active)
    }
}

/// Generates steps that meet each other often: few serials, holders, names and ends.
pub(in super::super) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..3_usize, sighting()).prop_map(|(scope, sighting)| Step::Apply { scope, sighting: sighting.into() }),
        3 => any::<usize>().prop_map(Step::Remove),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..most)
}

pub(in super::super) fn sighting() -> impl Strategy<Value = Sighting> {
    let who = (
        prop_oneof![4 => Just("ca1"), 1 => Just("")],
        prop_oneof![8 => (0..10).prop_map(|n| format!("s{n}")), 1 => Just("ca1".to_owned())],
        prop_oneof![4 => Just(Kind::Device), 3 => Just(Kind::Server), 1 => Just(Kind::Ca)],
        prop_oneof![Just(""), Just("h0"), Just("h1")],
        prop_oneof![8 => Just(""), 1 => Just("/p0"), 1 => Just("/p1")],
    );
    let state = (
        prop_oneof![4 => Just(Status::Active), 1 => proptest::sample::select(&Status::ALL[..])],
        prop_oneof![1 => Just(None), 6 => (-40..60_i64).prop_map(|n| Some(NOW + n * n * n * 900))],
    );
    let texts = (
        proptest::sample::subsequence(vec!["a.x", "*.x", "b.y"], 0..=3),
        proptest::sample::subsequence(vec!["s0", "s1", "s2", "s3"], 0..=2),
    );
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
    (who, state, texts).prop_map(
        move |((issuer, serial, kind, holder, place), (status, end), (names, successors))| {
            Sighting {
                issuer: issuer.to_owned(),
                signer: issuer.to_owned(),
                place: place.to_owned(),
                kind,
                status,
                names: owned(names),
                successors: owned(successors),
                ..device(&serial, holder, end)
            }
        },
    )
}
