//! How everything stands, for who looks at it first.

use std::collections::BTreeMap;

use super::super::certificate::{Status, Timestamp};
use super::super::ladder::Rung;
use super::super::ladders::{InScope, Ladders};
use super::chunk::{Chunk, Slot};
use super::select::rung_of;
use super::view::{LONG_ENDED_SECONDS, View};

/// How everything stands at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overview {
    /// Every certificate.
    pub total: u64,
    /// Those in each status.
    pub by_status: BTreeMap<&'static str, u64>,
    /// Active ones that stand on each rung; long-ended ones are not among them.
    pub rungs: BTreeMap<Rung, u64>,
    /// Active ones that ended more than 30 days ago.
    pub long_ended: u64,
    /// Those without a known end.
    pub undated: u64,
    /// When the next active one ends that has not ended yet.
    pub next_end: Option<Timestamp>,
}

impl View {
    /// Returns how everything stands. Walks over the columns once.
    pub fn overview(&self, ladders: &Ladders, now: Timestamp) -> Overview {
        let mut overview = Overview::default();
        let mut statuses = [0; Status::ALL.len()];
        for (_, chunk) in self.numbered() {
            let Some(scope) = chunk.scope() else { continue };
            let (source, scope) = self.names_of(scope);
            let mut inside = ladders.inside(source, scope, self.issuers());
            for slot in chunk.iter() {
                let Some(status) = slot.status() else { continue };
                if let Some(count) = statuses.get_mut(status as usize) {
                    *count += 1;
                }
                overview.add(slot, chunk, &mut inside, now);
            }
        }
        overview.total = statuses.iter().sum();
        overview.by_status = Status::ALL.map(Status::as_str).into_iter().zip(statuses).collect();
        overview
    }
}

impl Overview {
    /// Returns how many active certificates stand on a rung.
    pub fn on_a_rung(&self) -> u64 {
        self.rungs.values().sum()
    }

    fn add(&mut self, slot: Slot, chunk: &Chunk, ladders: &mut InScope<'_>, now: Timestamp) {
        let Some(end) = slot.not_after() else {
            self.undated += 1;
            return;
        };
        if !slot.mark.is_active() {
            return;
        }
        if end > now && self.next_end.is_none_or(|next| end < next) {
            self.next_end = Some(end);
        }
        if end < now.plus(-LONG_ENDED_SECONDS) {
            self.long_ended += 1;
        } else if now >= end.plus(-ladders.reach()) {
            let ladder = ladders.of(slot.kind(), chunk.issuer(slot.offset));
            if let Some(rung) = rung_of(ladder, end, slot, chunk, now) {
                *self.rungs.entry(rung).or_default() += 1;
            }
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
        fn it_is_what_a_look_at_each_says(steps in steps(40)) {
            let mut world = World::default();
            for step in &steps {
                world.step(step);
            }
            let (view, now, ladders) =
                (world.inventory.view(), Timestamp::from_seconds(NOW), Ladders::default());
            let overview = view.overview(&ladders, now);
            let rows: Vec<_> = view.rows().collect();
            let count = |is: &dyn Fn(&super::super::Row) -> bool| {
                rows.iter().filter(|(_, row)| is(row)).count() as u64
            };
            let long_ago = now.plus(-LONG_ENDED_SECONDS);
            let active = |row: &super::super::Row| row.status == Status::Active;
            let ended = |row: &super::super::Row| row.not_after.is_some_and(|end| end < long_ago);
            prop_assert_eq!(overview.total, rows.len() as u64);
            for status in Status::ALL {
                let expected = count(&|row| row.status == status);
                prop_assert_eq!(overview.by_status[status.as_str()], expected);
            }
            prop_assert_eq!(overview.undated, count(&|row| row.not_after.is_none()));
            prop_assert_eq!(overview.long_ended, count(&|row| active(row) && ended(row)));
            let ends = rows.iter().filter(|(_, row)| active(row)).filter_map(|(_, row)| row.not_after);
            prop_assert_eq!(overview.next_end, ends.filter(|end| *end > now).min());
            let standing = rows.iter().filter(|(_, row)| active(row) && !ended(row));
            let rungs: Vec<_> = standing.filter_map(|(id, _)| view.rung(*id, &ladders, now)).collect();
            prop_assert_eq!(overview.on_a_rung(), rungs.len() as u64);
            for rung in &rungs {
                let alike = rungs.iter().filter(|other| *other == rung).count() as u64;
                prop_assert_eq!(overview.rungs[rung], alike);
            }
        }
    }
}
