//! The device certificates of one instance: made from their index, never kept.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::blocks::Block;
use super::row::{Names, Row, Status, Write};
use super::select::{Condition, Order, Selection};
use crate::fleet::{DAY, Instance};
use crate::random::{mix, mix_text};

/// The rows of an instance, in order of creation.
pub(super) struct Rows {
    seed: u64,
    cas: u64,
    mixed: bool,
    now: i64,
    /// Rows of a full block; the first `initial` rows are in blocks of exactly this size.
    size: u64,
    initial: u64,
    blocks: Vec<Block>,
    live: u64,
    /// What was changed on a row after it was made.
    touched: HashMap<u64, Touch>,
    /// Touched rows by the time of the change, in milliseconds.
    updates: BTreeSet<(i64, u64)>,
    /// First index and time of each insertion, in milliseconds.
    births: Vec<(u64, i64)>,
    /// Later certificates of a client, by the index of its first.
    renewals: HashMap<u64, Vec<u64>>,
}

#[derive(Default)]
struct Touch {
    client: Option<u64>,
    status: Option<Status>,
    names: Option<Names>,
    updated: i64,
}

/// Seconds before the fleet's `now` over which the first rows were created.
const PAST: i64 = 730 * DAY;
/// Seconds between the ends of rows that are inserted later.
const INSERTED_STEP: i64 = 60;
/// Rows that were registered in the same second: the provider rounds, so ties are real.
const TIE: u64 = 8;

impl Rows {
    /// Makes the rows that an instance starts with.
    pub(super) fn new(fleet_seed: u64, now: i64, spec: &Instance) -> Self {
        let seed = mix_text(fleet_seed, &spec.id);
        let size = (spec.rows / 256).max(1).next_power_of_two().clamp(64, 4096);
        let mut rows = Self {
            seed,
            cas: spec.cas.max(1),
            mixed: spec.mixed,
            now,
            size,
            initial: spec.rows,
            blocks: Vec::new(),
            live: spec.rows,
            touched: HashMap::new(),
            updates: BTreeSet::new(),
            births: Vec::new(),
            renewals: HashMap::new(),
        };
        rows.blocks = rows.first_blocks(spec);
        rows
    }

    /// Ends are spread evenly over the blocks, in an order that is not the order of creation.
    fn first_blocks(&self, spec: &Instance) -> Vec<Block> {
        let count = spec.rows.div_ceil(self.size);
        let mut slots: Vec<u64> = (0..count).collect();
        slots.sort_by_key(|slot| mix(self.seed ^ 0x51, *slot));
        let width = (spec.ends.1 - spec.ends.0) / (count.max(1) as i64);
        (0..count)
            .zip(slots)
            .map(|(number, slot)| {
                let first = number * self.size;
                let start = self.now + spec.ends.0 + slot as i64 * width;
                let instant = spec.one_instant_every;
                let is_instant = instant != 0 && number % instant == instant - 1;
                let step = if is_instant { 0 } else { width / self.size as i64 };
                let mut block = Block::new(first, self.size.min(spec.rows - first), start, step);
                block.undated = if self.mixed && number % 8 == 3 { block.rows.min(3) } else { 0 };
                block
            })
            .collect()
    }

    /// Returns how many rows there are.
    pub(super) fn live(&self) -> u64 {
        self.live
    }

    /// Returns the index that the next row will have.
    pub(super) fn next_index(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.first + block.rows)
    }

    /// Adds rows that end a year after the fleet's `now`, and returns their indexes.
    pub(super) fn insert(&mut self, count: u64, at_millis: i64) -> Range<u64> {
        let first = self.next_index();
        let mut left = count;
        while left > 0 {
            left -= self.insert_into_block(left);
        }
        self.born(first, count, at_millis)
    }

    fn insert_into_block(&mut self, count: u64) -> u64 {
        let (size, initial, end) = (self.size, self.initial, self.now + 365 * DAY);
        let first = self.next_index();
        let is_open = |block: &&mut Block| {
            block.first >= initial && block.step == INSERTED_STEP && block.rows < size
        };
        if let Some(block) = self.blocks.last_mut().filter(is_open) {
            let count = count.min(size - block.rows);
            block.extend(count);
            return count;
        }
        let count = count.min(size);
        self.blocks.push(Block::new(first, count, end, INSERTED_STEP));
        count
    }

    /// Adds rows that all end at one instant, and returns their indexes.
    pub(super) fn insert_ending(&mut self, count: u64, end: i64, at_millis: i64) -> Range<u64> {
        let first = self.next_index();
        self.blocks.push(Block::new(first, count, end, 0));
        self.born(first, count, at_millis)
    }

    fn born(&mut self, first: u64, count: u64, at_millis: i64) -> Range<u64> {
        self.live += count;
        self.births.push((first, at_millis));
        first..first + count
    }

    /// Adds a row for the client of another, and returns its index.
    pub(super) fn renew(&mut self, index: u64, at_millis: i64) -> u64 {
        let client = self.client_of(index);
        let new = self.insert(1, at_millis).start;
        self.touch(new, at_millis).client = Some(client);
        self.renewals.entry(client).or_default().push(new);
        new
    }

    /// Deletes the rows of a range of indexes that are still there, and returns how many those were.
    pub(super) fn delete(&mut self, range: Range<u64>) -> u64 {
        let end = range.end.min(self.next_index());
        let mut deleted = 0;
        for index in range.start.min(end)..end {
            let place = self.block_of(index);
            deleted += u64::from(self.blocks[place].delete(index));
        }
        self.live -= deleted;
        deleted
    }

    /// Changes the status of a row.
    pub(super) fn set_status(&mut self, index: u64, status: Status, at_millis: i64) {
        self.touch(index, at_millis).status = Some(status);
    }

    /// Changes the names on a row.
    pub(super) fn set_names(&mut self, index: u64, names: Names, at_millis: i64) {
        self.touch(index, at_millis).names = Some(names);
    }

    fn touch(&mut self, index: u64, at_millis: i64) -> &mut Touch {
        let touch = self.touched.entry(index).or_default();
        self.updates.remove(&(touch.updated, index));
        self.updates.insert((at_millis, index));
        touch.updated = at_millis;
        touch
    }

    /// Returns the n-th row that is there, in order of creation.
    pub(super) fn nth(&self, mut n: u64) -> Option<u64> {
        for block in &self.blocks {
            let all = block.within(None);
            let count = block.count(&all);
            if n < count {
                return block.rows_in(all).nth(n as usize);
            }
            n -= count;
        }
        None
    }

    /// Returns whether a row is there.
    pub(super) fn is_live(&self, index: u64) -> bool {
        index < self.next_index() && self.blocks[self.block_of(index)].is_live(index)
    }

    fn block_of(&self, index: u64) -> usize {
        if index < self.initial {
            return (index / self.size) as usize;
        }
        self.blocks.partition_point(|block| block.first <= index) - 1
    }

    /// Returns everything about a row that was ever made.
    pub(super) fn row(&self, index: u64) -> Row<'_> {
        let block = &self.blocks[self.block_of(index)];
        let touch = self.touch_of(index);
        let (status, ca, unit) = self.facts(index);
        let created = self.created(index);
        let end = block.end_of(index);
        let undated = block.is_undated(index).then_some(index - block.first);
        Row {
            seed: self.seed,
            index,
            client: self.client_of(index),
            status,
            ca,
            unit,
            created,
            updated: touch.map_or(created, |touch| touch.updated),
            begin: end - 365 * DAY,
            end,
            write: Write::of(undated),
            names: touch.and_then(|touch| touch.names.as_ref()),
            sparse: self.mixed && mix(self.seed ^ 0x5A, index).is_multiple_of(64),
        }
    }

    /// Status, CA and unit: what a scan with conditions looks at, without making the row.
    fn facts(&self, index: u64) -> (Status, u64, u64) {
        let hash = mix(self.seed ^ 0xFA, index);
        let made = if self.mixed { Status::made(hash as u8) } else { Status::Active };
        let status = self.touch_of(index).and_then(|touch| touch.status).unwrap_or(made);
        (status, (hash >> 8 & 0xFFFF) % self.cas, (hash >> 24 & 0xFF) % 10)
    }

    fn touch_of(&self, index: u64) -> Option<&Touch> {
        if self.touched.is_empty() { None } else { self.touched.get(&index) }
    }

    fn client_of(&self, index: u64) -> u64 {
        self.touch_of(index).and_then(|touch| touch.client).unwrap_or(index)
    }

    fn created(&self, index: u64) -> i64 {
        if index >= self.initial {
            let birth = self.births.partition_point(|(first, _)| *first <= index) - 1;
            return self.births[birth].1;
        }
        let ties = (self.initial / TIE).max(1) as i64;
        let second = self.now - PAST + (index / TIE) as i64 * (PAST - DAY) / ties;
        second * 1000
    }

    /// Returns the row with a serial that is there.
    pub(super) fn find(&self, serial: &str) -> Option<u64> {
        let index = Row::index_of(self.seed, serial)?;
        (self.is_live(index) && self.row(index).serial_text() == serial).then_some(index)
    }

    /// Returns how many rows a selection covers, and those of its page.
    pub(super) fn select(&self, selection: &Selection) -> (u64, Vec<u64>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Fleet, Truth};

    const NOW: i64 = 1_763_827_200;

    /// An instance that lived: rows deleted, inserted, renewed, changed.
    fn lived(seed: u64) -> Rows {
        let spec = Instance::new("mqtt-test", 1500);
        let mut rows = Rows::new(Fleet::new(seed, NOW).seed, NOW, &spec);
        for step in 0..200 {
            let at = (NOW + step as i64) * 1000;
            let index = mix(seed, step) % rows.next_index();
            match step % 5 {
                0 => drop(rows.insert(mix(seed, step) % 7, at)),
                1 => drop(rows.insert_ending(3, NOW + 5 * DAY, at)),
                2 => drop(rows.renew(index, at)),
                3 => rows.set_status(index, Status::Revoked, at),
                _ => drop(rows.delete(index..index + 5)),
            }
        }
        rows
    }

    /// What `select` does, row by row.
    fn slowly(rows: &Rows, selection: &Selection) -> (u64, Vec<u64>) {
        let truth = |index: u64| rows.row(index).truth();
        let fits = |index: &u64| {
            let it = truth(*index);
            let in_window = selection.window.is_none_or(|(low, high)| {
                it.said_not_after.is_some_and(|end| low <= end && end <= high)
            });
            in_window && selection.conditions.iter().all(|condition| holds(&it, condition))
        };
        let mut found: Vec<u64> =
            (0..rows.next_index()).filter(|index| rows.is_live(*index)).filter(fits).collect();
        let descending = match selection.order {
            Order::Created { descending } => descending,
            Order::Updated { descending } => {
                found.sort_by_key(|index| (rows.row(*index).updated, *index));
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

    fn holds(truth: &Truth, condition: &Condition) -> bool {
        match condition {
            Condition::Client(values) => values.contains(&truth.holder),
            Condition::Ca(values) => values.contains(&truth.issuer),
            Condition::Serial(values) => values.contains(&truth.serial),
            Condition::CommonName(values) => values.contains(&truth.common_name),
            Condition::Unit(values) => values.contains(&truth.unit),
            Condition::Status(values) => values.contains(&truth.status),
        }
    }

    fn conditions(rows: &Rows, number: u64) -> Vec<Condition> {
        let some = rows.row(number % rows.next_index()).truth();
        match number % 9 {
            0 => vec![Condition::Client(vec![some.holder])],
            1 => vec![Condition::Ca(vec![some.issuer])],
            2 => vec![Condition::Serial(vec![some.serial, "00".to_owned()])],
            3 => vec![Condition::CommonName(vec![some.common_name])],
            4 => vec![
                Condition::Status(vec!["REVOKED".to_owned()]),
                Condition::Ca(vec![some.issuer]),
            ],
            5 => vec![Condition::Unit(vec![some.unit])],
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_page_is_what_a_walk_over_every_row_gives() {
        let mut wanted_rows = 0;
        for seed in 0..6 {
            let rows = lived(seed);
            let live = (0..rows.next_index()).filter(|index| rows.is_live(*index));
            assert_eq!(rows.live(), live.count() as u64);
            for number in 0..120 {
                let hash = mix(seed ^ 0xABC, number);
                let low = NOW - 70 * DAY + (hash >> 8) as i64 % (750 * DAY);
                let high = low + (hash >> 20) as i64 % (200 * DAY);
                let descending = hash & 1 == 1;
                let order = match hash >> 1 & 1 {
                    0 => Order::Created { descending },
                    _ => Order::Updated { descending },
                };
                let window = (hash >> 2 & 3 != 0).then_some((low, high));
                let conditions = conditions(&rows, hash >> 32);
                let (offset, limit) = ((hash >> 5) % 300, (hash >> 13) % 100 + 1);
                let selection = Selection { window, conditions, order, offset, limit };
                let wanted = slowly(&rows, &selection);
                wanted_rows += wanted.1.len();
                assert_eq!(rows.select(&selection), wanted, "seed {seed}, selection {number}");
            }
        }
        assert!(wanted_rows > 5000, "the selections select something: {wanted_rows}");
    }

    #[test]
    fn rows_are_the_same_every_time_and_named_apart() {
        let (one, two) = (lived(3), lived(3));
        let all = |rows: &Rows| -> Vec<Truth> {
            (0..rows.next_index()).map(|index| rows.row(index).truth()).collect()
        };
        let (one, two) = (all(&one), all(&two));
        assert_eq!(one, two);
        let serials: std::collections::BTreeSet<&String> =
            one.iter().map(|it| &it.serial).collect();
        assert_eq!(serials.len(), one.len());
        assert!(serials.iter().any(|serial| serial.starts_with('0')), "leading zeros are real");
    }

    #[test]
    fn a_windowed_page_of_ten_million_rows_looks_at_blocks_only() {
        let spec = Instance::new("mqtt-test", 10_000_000);
        let rows = Rows::new(1, NOW, &spec);
        assert!(rows.blocks.len() < 5000, "{} blocks", rows.blocks.len());
        let mut total = 0;
        for days in (-60..670).step_by(10) {
            let window = Some((NOW + days * DAY, NOW + (days + 10) * DAY - 1));
            let order = Order::Created { descending: false };
            let selection =
                Selection { window, conditions: Vec::new(), order, offset: 0, limit: 1 };
            total += rows.select(&selection).0;
        }
        let undated: u64 = rows.blocks.iter().map(|block| block.undated).sum();
        assert_eq!(total + undated, 10_000_000);
    }
}
