//! How every source stands, and which certificates need somebody first: what the daily digest counts.

use std::collections::BTreeMap;

use super::super::certificate::Timestamp;
use super::super::ladder::Rung;
use super::super::ladders::{InScope, Ladders};
use super::RowId;
use super::chunk::{Chunk, Slot, row_at};
use super::select::rung_of;
use super::top_k::TopK;
use super::view::{LONG_ENDED_SECONDS, View};

/// How every source stands at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// Of every source with certificates: all of them, and the active ones that stand on a rung.
    pub sources: BTreeMap<String, (u64, u64)>,
    /// Active ones that stand on each rung; long-ended ones are not among them.
    pub rungs: BTreeMap<Rung, u64>,
    /// Active ones that ended more than 30 days ago.
    pub long_ended: u64,
    /// Those without a known end.
    pub undated: u64,
    /// Those on a rung of which nothing is said for a while.
    pub snoozed: u64,
    /// Those on a rung that they did not stand on before.
    pub newly: u64,
    /// The active one that ends next, of those that have not ended.
    pub next: Option<RowId>,
    /// The first of those on a rung that are not snoozed, the soonest first.
    pub soonest: Vec<(RowId, Rung)>,
}

/// What is asked.
pub struct Asked<'a> {
    /// The ladders.
    pub ladders: &'a Ladders,
    /// The time.
    pub now: Timestamp,
    /// Since when something is new.
    pub since: Timestamp,
    /// How many are named.
    pub most: usize,
    /// Whether nothing is said of a certificate for a while.
    pub is_snoozed: &'a dyn Fn(RowId) -> bool,
    /// Whether something was first said of a certificate since then, although it stood on that rung before.
    pub is_news: &'a dyn Fn(RowId) -> bool,
}

/// What a walk over the columns has found so far.
struct Walk<'a> {
    asked: &'a Asked<'a>,
    stand: Stand,
    soonest: TopK<(Timestamp, RowId, Rung)>,
    next: Option<(Timestamp, RowId)>,
}

impl View {
    /// Returns how every source stands. Walks over the columns once.
    pub fn stand(&self, asked: &Asked<'_>) -> Stand {
        let soonest = TopK::new(asked.most);
        let mut walk = Walk { asked, stand: Stand::default(), soonest, next: None };
        for (number, chunk) in self.numbered() {
            let Some(scope) = chunk.scope().filter(|_| chunk.occupied() > 0) else { continue };
            let (source, scope) = self.names_of(scope);
            let mut inside = asked.ladders.inside(source, scope, self.issuers());
            let before = walk.on_a_rung();
            for slot in chunk.iter() {
                walk.add(row_at(number, slot.offset), slot, chunk, &mut inside);
            }
            let counted = walk.on_a_rung() - before;
            let sums = walk.stand.sources.entry(source.to_owned()).or_default();
            sums.0 += u64::from(chunk.occupied());
            sums.1 += counted;
        }
        let Walk { stand, soonest, next, .. } = walk;
        let soonest = soonest.into_sorted().into_iter().map(|(_, row, rung)| (row, rung));
        Stand { next: next.map(|(_, row)| row), soonest: soonest.collect(), ..stand }
    }
}

impl Walk<'_> {
    fn on_a_rung(&self) -> u64 {
        self.stand.rungs.values().sum()
    }

    fn add(&mut self, row: RowId, slot: Slot, chunk: &Chunk, ladders: &mut InScope<'_>) {
        let Some(end) = slot.not_after() else {
            self.stand.undated += 1;
            return;
        };
        let now = self.asked.now;
        if !slot.mark.is_active() {
            return;
        }
        if end > now && self.next.is_none_or(|next| (end, row) < next) {
            self.next = Some((end, row));
        }
        if end < now.plus(-LONG_ENDED_SECONDS) {
            self.stand.long_ended += 1;
        } else if now >= end.plus(-ladders.reach()) {
            let ladder = ladders.of(slot.kind(), chunk.issuer(slot.offset));
            let rung_at = |at| rung_of(ladder, end, slot, chunk, at);
            if let Some(rung) = rung_at(now) {
                let is_new = rung_at(self.asked.since) != Some(rung);
                self.stand.newly += u64::from(is_new || (self.asked.is_news)(row));
                self.on(row, end, rung);
            }
        }
    }

    fn on(&mut self, row: RowId, end: Timestamp, rung: Rung) {
        *self.stand.rungs.entry(rung).or_default() += 1;
        if (self.asked.is_snoozed)(row) {
            self.stand.snoozed += 1;
        } else {
            self.soonest.offer((end, row, rung));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::model::{NOW, World, steps};
    use super::*;

    proptest! {
        #![proptest_config(crate::property::cases(100))]

        #[test]
        fn it_is_what_the_overview_and_a_look_at_each_say(steps in steps(40), days in 0..40_i64) {
            let mut world = World::default();
            for step in &steps {
                world.step(step);
            }
            let (view, now, ladders) =
                (world.inventory.view(), Timestamp::from_seconds(NOW), Ladders::default());
            let since = now.plus(-86_400 * days);
            let is_snoozed = |row: RowId| row.0.is_multiple_of(3);
            let is_news = |row: RowId| row.0.is_multiple_of(5);
            let asked = Asked {
                ladders: &ladders, now, since, most: 3, is_snoozed: &is_snoozed, is_news: &is_news,
            };
            let (stand, overview) = (view.stand(&asked), view.overview(&ladders, now));
            prop_assert_eq!(stand.sources.values().map(|(total, _)| total).sum::<u64>(), overview.total);
            let on = stand.sources.values().map(|(_, on)| on).sum::<u64>();
            prop_assert_eq!(on, overview.on_a_rung());
            prop_assert_eq!(&stand.rungs, &overview.rungs);
            prop_assert_eq!(
                (stand.long_ended, stand.undated), (overview.long_ended, overview.undated)
            );
            let next = stand.next.and_then(|row| view.row(row)?.not_after);
            prop_assert_eq!(next, overview.next_end);
            let long_ago = now.plus(-LONG_ENDED_SECONDS);
            let mut standing: Vec<_> = view
                .rows()
                .filter(|(_, row)| row.status == super::super::super::certificate::Status::Active)
                .filter_map(|(id, row)| Some((row.not_after?, id, view.rung(id, &ladders, now)?)))
                .filter(|(end, _, _)| *end >= long_ago)
                .collect();
            let newly = standing.iter().filter(|(_, id, rung)| {
                is_news(*id) || view.rung(*id, &ladders, since) != Some(*rung)
            });
            prop_assert_eq!(stand.newly, newly.count() as u64);
            standing.retain(|(_, id, _)| !is_snoozed(*id));
            prop_assert_eq!(stand.snoozed, overview.on_a_rung() - standing.len() as u64);
            standing.sort_unstable();
            let first: Vec<_> = standing.iter().take(3).map(|(_, id, rung)| (*id, *rung)).collect();
            prop_assert_eq!(stand.soonest, first);
        }
    }
}
