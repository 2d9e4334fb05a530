//! Which chunks belong to which scope, and where the next certificate of a scope goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chunk::{Chunk, Chunks, ROWS, place, row_at};
use super::{RowId, ScopeId};

/// Hands out the numbers of certificates.
#[derive(Debug, Default)]
pub(super) struct Slots {
    spaces: BTreeMap<ScopeId, Space>,
    /// Chunks that fill gaps in the numbers and belong to no scope. May name some that do by now.
    unowned: Vec<u32>,
    /// Slots freed since the last view. They rest until the next one, so that no single step both removes and writes
    /// the same number.
    resting: Vec<(ScopeId, RowId)>,
}

/// What belongs to one scope.
#[derive(Debug, Default)]
struct Space {
    chunks: Vec<u32>,
    /// Chunks that may have room at their end.
    growing: Vec<u32>,
    /// Freed slots. May name some that are taken again: a restored row may fill a gap.
    free: Vec<RowId>,
}

impl Slots {
    /// Returns the numbers of the chunks of `scope`.
    pub(super) fn chunks(&self, scope: ScopeId) -> &[u32] {
        self.spaces.get(&scope).map_or(&[], |space| &space.chunks)
    }

    /// Returns the slot that the next certificate of `scope` goes to, a freed one first.
    pub(super) fn next(&mut self, chunks: &mut Chunks, scope: ScopeId) -> RowId {
        let space = self.spaces.entry(scope).or_default();
        while let Some(row) = space.free.pop() {
            if chunks.mark(row).is_none() {
                return row;
            }
        }
        while let Some(number) = space.growing.last().copied() {
            let used = chunks.0.get(number as usize).map_or(ROWS, |chunk| chunk.slots());
            if used < ROWS {
                return row_at(number, used);
            }
            space.growing.pop();
        }
        row_at(self.open(chunks, scope), 0)
    }

    /// Makes sure that `row` lies in a chunk of `scope`; false when its chunk belongs to another.
    pub(super) fn claim(&mut self, chunks: &mut Chunks, scope: ScopeId, row: RowId) -> bool {
        let (number, offset) = place(row);
        self.extend(chunks, number);
        let Some(chunk) = chunks.0.get_mut(number) else { return false };
        match chunk.scope() {
            Some(owner) if owner != scope => return false,
            Some(_) => {}
            None => {
                *chunk = Arc::new(Chunk::new(Some(scope)));
                let space = self.spaces.entry(scope).or_default();
                space.chunks.push(row.0 / ROWS);
                space.growing.push(row.0 / ROWS);
            }
        }
        let skipped = chunk.slots()..u32::try_from(offset).unwrap_or(0);
        let free = &mut self.spaces.entry(scope).or_default().free;
        free.extend(skipped.map(|offset| row_at(row.0 / ROWS, offset)));
        true
    }

    /// Takes back the slot of a removed certificate.
    pub(super) fn rest(&mut self, scope: ScopeId, row: RowId) {
        self.resting.push((scope, row));
    }

    /// Lets the slots that were freed be used again.
    pub(super) fn wake(&mut self) {
        for (scope, row) in self.resting.drain(..) {
            self.spaces.entry(scope).or_default().free.push(row);
        }
    }

    fn open(&mut self, chunks: &mut Chunks, scope: ScopeId) -> u32 {
        let number = self.unowned_chunk(chunks).unwrap_or_else(|| {
            chunks.0.push(Arc::new(Chunk::new(None)));
            u32::try_from(chunks.0.len() - 1)
                .ok()
                .filter(|number| *number <= u32::MAX / ROWS)
                .expect("four billion certificates do not fit into memory")
        });
        if let Some(chunk) = chunks.0.get_mut(number as usize) {
            *chunk = Arc::new(Chunk::new(Some(scope)));
        }
        let space = self.spaces.entry(scope).or_default();
        space.chunks.push(number);
        space.growing.push(number);
        number
    }

    fn unowned_chunk(&mut self, chunks: &Chunks) -> Option<u32> {
        while let Some(number) = self.unowned.pop() {
            if chunks.0.get(number as usize).is_some_and(|chunk| chunk.scope().is_none()) {
                return Some(number);
            }
        }
        None
    }

    fn extend(&mut self, chunks: &mut Chunks, number: usize) {
        if number < chunks.0.len() {
            return;
        }
        let vacant = Arc::new(Chunk::new(None));
        while chunks.0.len() <= number {
            self.unowned.extend(u32::try_from(chunks.0.len()));
            chunks.0.push(Arc::clone(&vacant));
        }
    }
}
