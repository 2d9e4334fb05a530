//! The rows of an instance in blocks: batches made one after the other, whose ends lie on a line.
//!
//! A block knows the ends of its rows by arithmetic and the deleted ones by a bitmap, so that counting a window of
//! ends, or finding its n-th row, costs a look at each block and at no row.

use std::ops::Range;

/// A batch of rows with consecutive indexes.
pub(super) struct Block {
    /// The index of its first row.
    pub first: u64,
    /// How many rows it was made with.
    pub rows: u64,
    /// When the first row ends, in seconds.
    pub start: i64,
    /// Seconds from the end of a row to the end of the next; 0: all end at one instant.
    pub step: i64,
    /// Rows at its beginning whose end the provider does not say.
    pub undated: u64,
    /// Whether the provider takes those to end at 0, so that its filter finds them there.
    pub undated_is_zero: bool,
    live: u64,
    /// A bit for each row, set when the row is deleted. None: no row is.
    gone: Option<Box<[u64]>>,
}

impl Block {
    /// Returns a block without deleted rows.
    pub(super) fn new(first: u64, rows: u64, start: i64, step: i64) -> Self {
        Self {
            first,
            rows,
            start,
            step,
            undated: 0,
            undated_is_zero: false,
            live: rows,
            gone: None,
        }
    }

    /// Adds rows at the end.
    pub(super) fn extend(&mut self, rows: u64) {
        self.rows += rows;
        self.live += rows;
        if let Some(gone) = &mut self.gone {
            let words = self.rows.div_ceil(64) as usize;
            let mut longer = std::mem::take(gone).into_vec();
            longer.resize(words, 0);
            *gone = longer.into_boxed_slice();
        }
    }

    /// Returns when a row of it ends, in seconds.
    pub(super) fn end_of(&self, index: u64) -> i64 {
        self.start + (index - self.first) as i64 * self.step
    }

    /// Returns whether the provider does not say when a row of it ends.
    pub(super) fn is_undated(&self, index: u64) -> bool {
        index - self.first < self.undated
    }

    /// Returns whether a row of it is still there.
    pub(super) fn is_live(&self, index: u64) -> bool {
        let place = index - self.first;
        self.gone.as_ref().is_none_or(|gone| gone[(place / 64) as usize] >> (place % 64) & 1 == 0)
    }

    /// Deletes a row, and returns whether it was there.
    pub(super) fn delete(&mut self, index: u64) -> bool {
        if !self.is_live(index) {
            return false;
        }
        let words = self.rows.div_ceil(64) as usize;
        let gone = self.gone.get_or_insert_with(|| vec![0; words].into_boxed_slice());
        let place = index - self.first;
        gone[(place / 64) as usize] |= 1 << (place % 64);
        self.live -= 1;
        true
    }

    /// Returns the indexes whose ends lie in a window of seconds, deleted rows included.
    pub(super) fn within(&self, window: Option<(i64, i64)>) -> Range<u64> {
        let Some((low, high)) = window else { return self.first..self.first + self.rows };
        let (from, to) = if self.step == 0 {
            let inside = low <= self.start && self.start <= high;
            (0, if inside { self.rows as i64 } else { 0 })
        } else {
            let from = -(self.start - low).div_euclid(self.step);
            (from, (high - self.start).div_euclid(self.step) + 1)
        };
        let undated = self.undated as i64;
        // What ends at 0 comes before everything that ends.
        let zero = self.undated_is_zero && low <= 0 && 0 <= high;
        let (from, to) = if zero { (0, to.max(undated)) } else { (from.max(undated), to) };
        let to = to.min(self.rows as i64).max(from);
        if from == to {
            self.first..self.first
        } else {
            self.first + from as u64..self.first + to as u64
        }
    }

    /// Returns how many rows of a range of indexes are there.
    pub(super) fn count(&self, range: &Range<u64>) -> u64 {
        match &self.gone {
            None => range.end - range.start,
            Some(_) if range.end - range.start == self.rows => self.live,
            Some(gone) => {
                let gone = (range.start - self.first..range.end - self.first)
                    .filter(|place| gone[(place / 64) as usize] >> (place % 64) & 1 == 1)
                    .count();
                range.end - range.start - gone as u64
            }
        }
    }

    /// Returns the rows of a range that are there, in order.
    pub(super) fn rows_in(&self, range: Range<u64>) -> impl DoubleEndedIterator<Item = u64> + '_ {
        range.filter(|index| self.is_live(*index))
    }
}
