//! The device certificates of one instance: made from their index, never kept.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use super::blocks::Block;
use super::row::{Names, Row, Status, Write};
use crate::fleet::{DAY, Data, Instance};
use crate::random::{mix, mix_text};

mod pages;

/// The rows of an instance, in order of creation.
pub(super) struct Rows {
    seed: u64,
    cas: u64,
    mixed: bool,
    data: Data,
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
            data: spec.data,
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
                self.leave_ends_out(number, &mut block);
                block
            })
            .collect()
    }

    /// Chooses the rows of a block whose end the provider does not say.
    fn leave_ends_out(&self, number: u64, block: &mut Block) {
        block.undated = match self.data {
            Data::Varied if self.mixed => (block.rows / 100).max(1),
            Data::Usual if self.mixed && number % 8 == 3 => block.rows.min(3),
            _ => 0,
        };
        block.undated_is_zero = self.data == Data::Varied;
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
            write: Write::of(self.data, undated),
            names: touch.and_then(|touch| touch.names.as_ref()),
            sparse: self.mixed && mix(self.seed ^ 0x5A, index).is_multiple_of(64),
            data: self.data,
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
}

#[cfg(test)]
mod tests;
