//! A hash table in unequal parts, which never grow at the same time.
//!
//! A table doubles when it is full: just after that it takes twice what it needs, and while it does, three times. In parts
//! whose shares are spread over one doubling, one in twelve is just being doubled, and the whole takes nearly the same for
//! each certificate at every size.

use hashbrown::HashTable;

/// Of 256 hashes, how many fall to each part: from one part to the next they grow by the twelfth root of two.
const SHARES: [u8; 12] = [15, 16, 17, 18, 19, 20, 22, 23, 24, 26, 27, 29];

/// The part to which each of 256 hashes falls.
const PART: [u8; 256] = parts();

const fn parts() -> [u8; 256] {
    let mut parts = [0; 256];
    let (mut hash, mut part, mut left) = (0, 0, SHARES[0]);
    while hash < parts.len() {
        if left == 0 {
            part += 1;
            left = SHARES[part as usize];
        }
        parts[hash] = part;
        left -= 1;
        hash += 1;
    }
    parts
}

/// Numbers by a hash of what they stand for.
#[derive(Debug, Default)]
pub(super) struct Shares {
    parts: [HashTable<u32>; SHARES.len()],
}

impl Shares {
    /// Returns the part that holds what has this hash.
    pub(super) fn of(&self, hash: u64) -> &HashTable<u32> {
        &self.parts[part(hash)]
    }

    pub(super) fn of_mut(&mut self, hash: u64) -> &mut HashTable<u32> {
        &mut self.parts[part(hash)]
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.parts.iter().map(HashTable::allocation_size).sum()
    }
}

/// A table places by the lowest bits of a hash and tells apart by the highest: what lies between is free.
const fn part(hash: u64) -> usize {
    let [_, _, _, _, _, middle, _, _] = hash.to_le_bytes();
    PART[middle as usize] as usize
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    /// Bytes for each of so many.
    #[expect(clippy::cast_precision_loss, reason = "bytes far below 2^52")]
    fn each(many: u32) -> f64 {
        let mut shares = Shares::default();
        let hash = |number: &u32| xxh3_64(&number.to_le_bytes());
        for number in 0..many {
            let hash_of = hash(&number);
            shares.of_mut(hash_of).insert_unique(hash_of, number, hash);
        }
        shares.heap_bytes() as f64 / f64::from(many)
    }

    #[test]
    fn a_number_costs_nearly_the_same_at_every_size() {
        for many in [100_000, 115_000, 120_000, 140_000, 160_000, 180_000, 200_000] {
            let bytes = each(many);
            assert!((6.9..8.6).contains(&bytes), "{bytes} bytes for each of {many}");
        }
    }

    #[test]
    fn what_was_put_in_is_found() {
        let mut shares = Shares::default();
        let hash = |number: &u32| xxh3_64(&number.to_le_bytes());
        for number in 0..5000 {
            shares.of_mut(hash(&number)).insert_unique(hash(&number), number, hash);
        }
        let found = |number: &u32| {
            shares.of(hash(number)).find(hash(number), |one| one == number).is_some()
        };
        assert!((0..5000).all(|number| found(&number)));
        assert!(!(5000..9000).any(|number| found(&number)));
    }
}
