//! Which rows a selection covers, and those of its page.

use super::super::row::Row;
use super::super::select::{Condition, Order, Selection};
use super::Rows;

impl Rows {
    /// Returns how many rows a selection covers, and those of its page.
    pub(in super::super) fn select(&self, selection: &Selection) -> (u64, Vec<u64>) {
        if let Some(mut found) = self.named(&selection.conditions) {
            found.retain(|index| self.is_live(*index) && self.fits(*index, selection));
            return self.page_of(found, selection);
        }
        match selection.order {
            Order::Created { descending } if selection.conditions.is_empty() => {
                self.by_blocks(selection, descending)
            }
            Order::Created { descending } => self.by_rows(selection, descending),
            Order::Updated { descending } => self.by_update(selection, descending),
        }
    }

    /// Names carry their index: rows asked for by name are found without a scan.
    fn named(&self, conditions: &[Condition]) -> Option<Vec<u64>> {
        let of_client = |client: u64| {
            let later = self.renewals.get(&client).into_iter().flatten().copied();
            std::iter::once(client).chain(later).collect::<Vec<_>>()
        };
        let renamed = || {
            let named = self.touched.iter().filter(|(_, touch)| touch.names.is_some());
            named.map(|(index, _)| *index)
        };
        let mut found: Vec<u64> = conditions.iter().find_map(|condition| match condition {
            Condition::Serial(values) => {
                Some(values.iter().filter_map(|value| Row::index_of(self.seed, value)).collect())
            }
            Condition::Client(values) | Condition::CommonName(values) => {
                let clients = values.iter().filter_map(|value| Row::client_of(value));
                Some(clients.flat_map(of_client).chain(renamed()).collect())
            }
            _ => None,
        })?;
        found.sort_unstable();
        found.dedup();
        Some(found)
    }

    /// Returns whether a row meets the window and every condition.
    fn fits(&self, index: u64, selection: &Selection) -> bool {
        let block = &self.blocks[self.block_of(index)];
        block.within(selection.window).contains(&index) && self.meets(index, &selection.conditions)
    }

    fn meets(&self, index: u64, conditions: &[Condition]) -> bool {
        let has = |values: &[String], value: &str| values.iter().any(|other| other == value);
        conditions.iter().all(|condition| match condition {
            Condition::Status(values) => has(values, self.facts(index).0.as_str()),
            Condition::Ca(values) => has(values, &Row::ca_serial(self.seed, self.facts(index).1)),
            Condition::Unit(values) => has(values, &self.row(index).unit_text()),
            Condition::Serial(values) => has(values, &self.row(index).serial_text()),
            Condition::Client(values) => has(values, &self.row(index).client_text()),
            Condition::CommonName(values) => has(values, &self.row(index).common_name_text()),
        })
    }

    fn page_of(&self, mut found: Vec<u64>, selection: &Selection) -> (u64, Vec<u64>) {
        let descending = match selection.order {
            Order::Created { descending } => descending,
            Order::Updated { descending } => {
                found.sort_unstable_by_key(|index| (self.updated(*index), *index));
                descending
            }
        };
        if descending {
            found.reverse();
        }
        let total = found.len() as u64;
        let page = found.into_iter().skip(selection.offset as usize).take(selection.limit as usize);
        (total, page.collect())
    }

    fn updated(&self, index: u64) -> i64 {
        self.touch_of(index).map_or_else(|| self.created(index), |touch| touch.updated)
    }

    fn by_blocks(&self, selection: &Selection, descending: bool) -> (u64, Vec<u64>) {
        let mut total = 0;
        let mut page = Vec::with_capacity(selection.limit as usize);
        for block in directed(self.blocks.iter(), descending) {
            let range = block.within(selection.window);
            let count = block.count(&range);
            let skip = selection.offset.saturating_sub(total);
            total += count;
            let room = selection.limit as usize - page.len();
            if skip < count && room > 0 {
                let rows = directed(block.rows_in(range), descending);
                page.extend(rows.skip(skip as usize).take(room));
            }
        }
        (total, page)
    }

    fn by_rows(&self, selection: &Selection, descending: bool) -> (u64, Vec<u64>) {
        let mut total = 0;
        let mut page = Vec::new();
        let wanted = selection.offset..selection.offset + selection.limit;
        let conditions = self.with_numbers(&selection.conditions);
        for block in directed(self.blocks.iter(), descending) {
            for index in directed(block.rows_in(block.within(selection.window)), descending) {
                if conditions.iter().all(|condition| condition(index)) {
                    if wanted.contains(&total) {
                        page.push(index);
                    }
                    total += 1;
                }
            }
        }
        (total, page)
    }

    /// Conditions that compare numbers where they can, for scans over millions of rows.
    fn with_numbers<'a>(
        &'a self,
        conditions: &'a [Condition],
    ) -> Vec<Box<dyn Fn(u64) -> bool + 'a>> {
        conditions
            .iter()
            .map(|condition| -> Box<dyn Fn(u64) -> bool + 'a> {
                match condition {
                    Condition::Ca(values) => {
                        let known = (0..self.cas).map(|ca| Row::ca_serial(self.seed, ca));
                        let wanted: Vec<bool> = known.map(|ca| values.contains(&ca)).collect();
                        Box::new(move |index| wanted[self.facts(index).1 as usize])
                    }
                    other => Box::new(move |index| self.meets(index, std::slice::from_ref(other))),
                }
            })
            .collect()
    }

    fn total(&self, selection: &Selection) -> u64 {
        let at_start = Selection { offset: 0, limit: 0, conditions: Vec::new(), ..*selection };
        if selection.conditions.is_empty() {
            return self.by_blocks(&at_start, false).0;
        }
        let ranges = self.blocks.iter().map(|block| block.rows_in(block.within(selection.window)));
        ranges.flatten().filter(|index| self.meets(*index, &selection.conditions)).count() as u64
    }

    fn by_update(&self, selection: &Selection, descending: bool) -> (u64, Vec<u64>) {
        let total = self.total(selection);
        let later = |a: (i64, u64), b: (i64, u64)| if descending { a > b } else { a < b };
        let mut changed = directed(self.updates.iter().copied(), descending)
            .filter(|(_, index)| self.is_live(*index) && self.fits(*index, selection))
            .peekable();
        let mut steady = directed(self.blocks.iter(), descending)
            .flat_map(|block| directed(block.rows_in(block.within(selection.window)), descending))
            .filter(|index| {
                self.touch_of(*index).is_none() && self.meets(*index, &selection.conditions)
            })
            .map(|index| (self.created(index), index))
            .peekable();
        let merged = std::iter::from_fn(|| match (changed.peek(), steady.peek()) {
            (Some(a), Some(b)) if later(*a, *b) => changed.next(),
            (Some(_), None) => changed.next(),
            _ => steady.next(),
        });
        let page = merged.map(|(_, index)| index);
        let page = page.skip(selection.offset as usize).take(selection.limit as usize);
        (total, page.collect())
    }
}

/// Walks from either end.
fn directed<'a, I>(items: I, descending: bool) -> Box<dyn Iterator<Item = I::Item> + 'a>
where
    I: DoubleEndedIterator + 'a,
{
    if descending { Box::new(items.rev()) } else { Box::new(items) }
}
