//! Numbers for drawing a scene: one after another, since a scene is drawn once and taken apart afterwards.

use notafter::facade::clock::mix;

pub(crate) struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed: mix(seed, 0x005c_e11e), thrown: 0 }
    }

    pub(crate) const fn number(&mut self) -> u64 {
        self.thrown += 1;
        mix(self.seed, self.thrown)
    }

    /// Returns a number from `least` up to, and not with, `below`.
    pub(crate) fn between(&mut self, least: i64, below: i64) -> i64 {
        let room = u64::try_from(below - least).unwrap();
        least + i64::try_from(self.number() % room).unwrap()
    }

    /// Returns whether something happens that happens once in `times`.
    pub(crate) const fn once_in(&mut self, times: u64) -> bool {
        self.number().is_multiple_of(times)
    }

    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let place = self.number() % all.len() as u64;
        all[usize::try_from(place).unwrap()]
    }
}
