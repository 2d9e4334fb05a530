//! The machine that a daemon runs on: time that passes as fast as there is nothing to do, chance from a seed, and a store
//! that outlives every process.

use std::sync::Arc;
use std::time::Duration;

use notafter::facade::app::{Core, Plan, Wiring};
use notafter::facade::clock::{BentClock, Clock};
use notafter::facade::expiry::Timestamp;
use notafter::facade::metrics::{DaemonMetrics, Setup};
use notafter::facade::pipeline::Parts;
use notafter::facade::schedule::ComputedTimers;
use notafter::facade::store::{Memory, Store as _};
use tokio::time::Instant;

use super::cloud::DAY;
use super::fate::{DaemonChance, Fate};
use super::store::{Scribe, SimStore};
use super::trace::Trace;

/// When every play begins: 2027-01-15T08:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Runs a play to its end. The runtime has no I/O: a socket would be a panic.
pub(crate) fn on_virtual_time<T>(play: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(play)
}

pub(crate) struct Machine {
    pub(crate) clock: Arc<BentClock>,
    pub(crate) store: Memory,
    pub(crate) fate: Arc<Fate>,
    pub(crate) trace: Arc<Trace>,
    began: Instant,
}

impl Machine {
    pub(crate) fn new(seed: u64) -> Self {
        let clock = Arc::new(BentClock::starting_at(START, START.plus(-100 * DAY)));
        let (store, fate, trace) = (Memory::default(), Fate::new(seed), Trace::begin());
        Self { clock, store, fate, trace, began: Instant::now() }
    }

    /// Returns what a process is made of.
    pub(crate) fn parts(&self) -> Parts {
        let observer = Scribe { fate: Arc::clone(&self.fate), trace: Arc::clone(&self.trace) };
        let store = SimStore { memory: self.store.clone(), observer };
        Parts {
            store: Arc::new(store),
            metrics: Arc::new(DaemonMetrics::new(&Setup::default())),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::new(DaemonChance(Arc::clone(&self.fate))),
        }
    }

    /// Starts a process on what the last one left in the store.
    pub(crate) async fn start(&self, plan: &Plan, parts: Parts) -> Core {
        let timers = Arc::new(ComputedTimers::new(Arc::clone(&parts.clock)));
        Core::start(Wiring::new(parts, timers, plan), plan).await.unwrap()
    }

    /// Lets the process run until so many seconds after the machine began.
    pub(crate) async fn live(&self, core: &mut Core, until: i64) {
        let until = self.began + Duration::from_secs(u64::try_from(until).unwrap());
        if let Ok(error) = tokio::time::timeout_at(until, core.ended()).await {
            panic!("the daemon ended by itself: {error:#}\n{}", self.trace.text());
        }
    }

    /// Returns how many certificates the store has.
    pub(crate) async fn known(&self) -> usize {
        let mut known = 0;
        self.store.rows(&mut |rows| known += rows.len()).await.unwrap();
        known
    }
}
