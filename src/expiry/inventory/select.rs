//! Which certificates a reader asks for, as far as the columns tell, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;

use super::super::certificate::{Kind, Status, Timestamp};
use super::super::ladder::{Ladder, Rung};
use super::super::ladders::Ladders;
use super::chunk::{Chunk, ROWS, Slot, place, row_at};
use super::top_k::TopK;
use super::view::{LONG_ENDED_SECONDS, View};
use super::{RowId, ScopeId};

/// What certificates are chosen by. Nothing in it chooses all.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only these scopes.
    pub scopes: Option<BTreeSet<ScopeId>>,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only this status.
    pub status: Option<Status>,
    /// Only those with a known end between two times, both included.
    pub ends: Option<(Timestamp, Timestamp)>,
    /// Only those with, or only those without a known end.
    pub undated: Option<bool>,
    /// Only those that stand on this rung at this time.
    pub rung: Option<(Ladders, Rung, Timestamp)>,
    /// Only these.
    pub among: Option<RoaringBitmap>,
}

/// What certificates are ordered by. Those that are alike in it stand in the order of their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// The end; certificates without one are last, in either direction.
    NotAfter,
    /// What matters: active ones first, then those that have not ended or did so at most 30 days before this time.
    Urgency(Timestamp),
    /// The kind.
    Kind,
    /// The status.
    Status,
    /// Source and scope, by name.
    Source,
}

/// An order of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// What decides.
    pub by: SortBy,
    /// Whether it is turned round.
    pub descending: bool,
}

/// Where a certificate stands in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// What comes before the end.
    pub class: i64,
    /// The end, as far as it decides.
    pub end: i64,
    /// The certificate.
    pub row: RowId,
}

/// The next certificates of a selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Where they stand, in order.
    pub positions: Vec<Position>,
    /// How many there are in all, those before included.
    pub total: u64,
}

impl View {
    /// Returns the first `most` certificates of a selection that stand behind `after`, and counts all of them. Walks over
    /// the columns once.
    pub fn select(
        &self,
        selection: &Selection,
        order: Order,
        after: Option<Position>,
        most: usize,
    ) -> Selected {
        let ranks = self.ranks(order);
        let (mut top, mut total) = (TopK::new(most), 0);
        for (number, chunk) in self.numbered() {
            let Some(scope) = chunk.scope().filter(|_| selection.wants_chunk(number, chunk)) else {
                continue;
            };
            let rank = ranks.get(&scope).copied().unwrap_or(0);
            for slot in chunk.iter() {
                let row = row_at(number, slot.offset);
                if !selection.wants(self, row, slot, chunk) {
                    continue;
                }
                total += 1;
                let position = order.position(row, slot, rank);
                if after.is_none_or(|after| position > after) {
                    top.offer(position);
                }
            }
        }
        Selected { positions: top.into_sorted(), total }
    }

    /// Counts the certificates of a selection that end between each two neighbours of ascending times: at the first or after
    /// it, and before the second.
    pub fn count_between(&self, selection: &Selection, times: &[Timestamp]) -> Vec<u64> {
        let mut counts = vec![0; times.len().saturating_sub(1)];
        let Some((first, last)) = times.first().zip(times.last()) else { return counts };
        let near = |chunk: &Chunk| chunk.may_end_within(*first, last.plus(-1));
        for (number, chunk) in self.numbered() {
            if !near(chunk) || !selection.wants_chunk(number, chunk) {
                continue;
            }
            let slots = chunk
                .iter()
                .filter(|slot| selection.wants(self, row_at(number, slot.offset), *slot, chunk));
            for end in slots.filter_map(Slot::not_after) {
                let before = times.partition_point(|time| *time <= end).checked_sub(1);
                if let Some(count) = before.and_then(|place| counts.get_mut(place)) {
                    *count += 1;
                }
            }
        }
        counts
    }

    /// Returns where each scope stands among all by the names of source and scope, where the order asks for it.
    fn ranks(&self, order: Order) -> BTreeMap<ScopeId, i64> {
        if order.by != SortBy::Source {
            return BTreeMap::new();
        }
        let mut names: Vec<_> =
            self.scopes().map(|(id, source, scope)| (source, scope, id)).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, _, id)| id).zip(0..).collect()
    }
}

impl Selection {
    /// Returns whether a chunk may hold one of them.
    fn wants_chunk(&self, number: u32, chunk: &Chunk) -> bool {
        let scope = chunk.scope();
        let in_scope =
            self.scopes.as_ref().is_none_or(|wanted| scope.is_some_and(|it| wanted.contains(&it)));
        let in_time = self.ends.is_none_or(|(from, to)| chunk.may_end_within(from, to));
        let first = row_at(number, 0).0;
        let some = |among: &RoaringBitmap| among.range_cardinality(first..=first + (ROWS - 1)) > 0;
        in_scope && in_time && self.among.as_ref().is_none_or(some)
    }

    fn wants(&self, view: &View, row: RowId, slot: Slot, chunk: &Chunk) -> bool {
        self.kind.is_none_or(|kind| slot.kind() == kind)
            && self.status.is_none_or(|status| slot.status() == Some(status))
            && self.wants_end(slot)
            && self.among.as_ref().is_none_or(|among| among.contains(row.0))
            && self.rung.as_ref().is_none_or(|(ladders, rung, now)| {
                standing(view, ladders, slot, chunk, *now) == Some(*rung)
            })
    }

    fn wants_end(&self, slot: Slot) -> bool {
        let end = slot.not_after();
        self.undated.is_none_or(|undated| undated == end.is_none())
            && self.ends.is_none_or(|(from, to)| end.is_some_and(|end| from <= end && end <= to))
    }
}

/// Returns the rung that a certificate stands on, where it is one that alerts.
fn standing(
    view: &View,
    ladders: &Ladders,
    slot: Slot,
    chunk: &Chunk,
    now: Timestamp,
) -> Option<Rung> {
    let alerts = slot.status().is_some_and(Status::alerts);
    let end = slot.not_after().filter(|_| alerts)?;
    if now < end.plus(-ladders.reach()) {
        return None;
    }
    let (source, scope) = view.names_of(chunk.scope()?);
    let mut inside = ladders.inside(source, scope, view.issuers());
    let ladder = inside.of(slot.kind(), chunk.issuer(slot.offset));
    rung_of(ladder, end, slot, chunk, now)
}

/// Returns the rung of its ladder that a certificate stands on that ends then.
pub(super) fn rung_of(
    ladder: &Ladder,
    end: Timestamp,
    slot: Slot,
    chunk: &Chunk,
    now: Timestamp,
) -> Option<Rung> {
    let near = now >= end.plus(-ladder.reach());
    near.then(|| ladder.rung_at(end, chunk.lifetime(slot.offset), now)).flatten()
}

impl Order {
    fn position(self, row: RowId, slot: Slot, scope: i64) -> Position {
        let end = slot.not_after().map(Timestamp::seconds);
        let undated = i64::from(end.is_none());
        let turned = |value: i64| if self.descending { value.saturating_neg() } else { value };
        let last = end.unwrap_or(i64::MAX);
        let (class, end) = match self.by {
            SortBy::NotAfter => (undated, end.map_or(i64::MAX, turned)),
            SortBy::Urgency(now) => (turned(urgency(slot, now)), last),
            SortBy::Kind => (turned(slot.kind() as i64), last),
            SortBy::Status => (turned(slot.status().map_or(0, |status| status as i64)), last),
            SortBy::Source => (turned(scope), last),
        };
        Position { class, end, row }
    }
}

fn urgency(slot: Slot, now: Timestamp) -> i64 {
    let long_ended = now.plus(-LONG_ENDED_SECONDS);
    let class = match slot.not_after() {
        None => 2,
        Some(end) => i64::from(end < long_ended),
    };
    i64::from(!slot.mark.is_active()) * 3 + class
}

impl View {
    /// Returns the rung that a certificate stands on, where it is one that alerts.
    pub fn rung(&self, row: RowId, ladders: &Ladders, now: Timestamp) -> Option<Rung> {
        let (number, offset) = place(row);
        let chunk = self.chunk(number)?;
        let slot = chunk.slot(offset)?;
        standing(self, ladders, slot, chunk, now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::model::{NOW, World, steps};
    use super::*;

    const ORDERS: [SortBy; 5] = [
        SortBy::NotAfter,
        SortBy::Urgency(Timestamp::from_seconds(NOW)),
        SortBy::Kind,
        SortBy::Status,
        SortBy::Source,
    ];

    fn all(view: &View, order: Order, step: usize) -> Vec<Position> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let next = view.select(&Selection::default(), order, after, step).positions;
            let Some(last) = next.last() else { return found };
            after = Some(*last);
            found.extend(next);
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases(100))]

        #[test]
        fn pages_of_any_size_hold_every_certificate_once_in_order(
            steps in steps(40), step in 1..7_usize, by in 0..ORDERS.len(), descending: bool
        ) {
            let mut world = World::default();
            for step in &steps {
                world.step(step);
            }
            let view = world.inventory.view();
            let order = Order { by: ORDERS[by], descending };
            let found = all(&view, order, step);
            prop_assert!(found.is_sorted());
            let mut rows: Vec<_> = found.iter().map(|position| position.row).collect();
            rows.sort_unstable();
            let known: Vec<_> = view.rows().map(|(row, _)| row).collect();
            prop_assert_eq!(rows, known);
        }

        #[test]
        fn what_is_chosen_is_what_a_look_at_each_chooses(
            steps in steps(40), kind in 0..5_usize, status in 0..8_usize,
            undated in proptest::option::of(any::<bool>()), from in -40..40_i64, long in 0..50_i64,
        ) {
            let mut world = World::default();
            for step in &steps {
                world.step(step);
            }
            let view = world.inventory.view();
            let at = |days: i64| Timestamp::from_seconds(NOW + days * 86_400);
            let ends = (from > -30).then(|| (at(from), at(from + long)));
            let among: RoaringBitmap = view.rows().map(|(row, _)| row.0).filter(|row| row % 3 > 0).collect();
            let selection = Selection {
                kind: Kind::ALL.get(kind).copied(),
                status: Status::ALL.get(status).copied(),
                ends,
                undated,
                among: (from % 2 == 0).then(|| among.clone()),
                ..Selection::default()
            };
            let order = Order { by: SortBy::NotAfter, descending: false };
            let selected = view.select(&selection, order, None, usize::MAX);
            let mut found: Vec<_> = selected.positions.iter().map(|it| it.row).collect();
            found.sort_unstable();
            let expected: Vec<_> = view
                .rows()
                .filter(|(row, _)| selection.among.is_none() || among.contains(row.0))
                .filter(|(_, row)| selection.kind.is_none_or(|kind| row.kind == kind))
                .filter(|(_, row)| selection.status.is_none_or(|status| row.status == status))
                .filter(|(_, row)| undated.is_none_or(|it| it == row.not_after.is_none()))
                .filter(|(_, row)| {
                    let between = |(from, to)| row.not_after.is_some_and(|end| from <= end && end <= to);
                    ends.is_none_or(between)
                })
                .map(|(row, _)| row)
                .collect();
            prop_assert_eq!(selected.total, expected.len() as u64);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn those_without_an_end_are_last_in_either_direction() {
        let slot = |end: Option<i64>, status: Status| {
            use super::super::record::{Mark, NO_END};
            Slot {
                offset: 0,
                mark: Mark::new(Kind::Device, status, status),
                end: end.unwrap_or(NO_END),
            }
        };
        let place = |by, descending, end, status| {
            Order { by, descending }.position(RowId(0), slot(end, status), 0)
        };
        for descending in [false, true] {
            let at = |end| place(SortBy::NotAfter, descending, end, Status::Active);
            assert!(at(Some(NOW)) < at(None) && at(Some(i64::MIN + 1)) < at(None));
            assert_eq!(at(Some(1)) < at(Some(2)), !descending);
        }
        let urgent =
            |end, status| place(SortBy::Urgency(Timestamp::from_seconds(NOW)), false, end, status);
        let order = [
            urgent(Some(NOW - 86_400), Status::Active),
            urgent(Some(NOW + 86_400), Status::Active),
            urgent(Some(NOW - 40 * 86_400), Status::Active),
            urgent(None, Status::Active),
            urgent(Some(NOW), Status::Revoked),
        ];
        assert!(order.is_sorted(), "{order:?}");
    }
}
