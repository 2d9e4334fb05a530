//! What happens, decided by a seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use notafter::facade::clock::{Random, mix};

/// Decides everything that chance decides.
///
/// The answer is a number of the seed, the seam and how often that seam was crossed, and not the next of one running
/// generator: an act that is taken out of a play does not move the others.
#[derive(Debug)]
pub(crate) struct Fate {
    seed: u64,
    crossings: Mutex<BTreeMap<String, u64>>,
}

impl Fate {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { seed, crossings: Mutex::default() })
    }

    /// Returns the number for the next crossing of `seam`.
    pub(crate) fn number(&self, seam: &str) -> u64 {
        let mut crossings = self.crossings.lock().unwrap();
        let crossed = crossings.entry(seam.to_owned()).or_default();
        *crossed += 1;
        mix(seam.bytes().fold(self.seed, |mixed, byte| mix(mixed, u64::from(byte))), *crossed)
    }

    /// Returns whether something happens that happens once in `times`.
    pub(crate) fn happens(&self, seam: &str, times: u64) -> bool {
        self.number(seam).is_multiple_of(times)
    }

    /// Returns a number from `least` up to, and not with, `below`.
    pub(crate) fn between(&self, seam: &str, least: i64, below: i64) -> i64 {
        let room = u64::try_from(below - least).unwrap();
        least + i64::try_from(self.number(seam) % room).unwrap()
    }

    /// Lets a little time pass, as a network does.
    pub(crate) async fn latency(&self, seam: &str) {
        let millis = u64::try_from(self.between(seam, 20, 2000)).unwrap();
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

/// The chance that the daemon itself is given.
pub(crate) struct DaemonChance(pub(crate) Arc<Fate>);

impl Random for DaemonChance {
    fn number(&self) -> u64 {
        self.0.number("daemon")
    }
}
