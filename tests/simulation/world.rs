//! One daemon in its world, from the first poll to an orderly end, over kills and clocks that are set.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use notafter::facade::app::{Core, Plan, Wiring};
use notafter::facade::channel::Channel;
use notafter::facade::clock::{BentClock, Clock};
use notafter::facade::config::{Environment, load};
use notafter::facade::expiry::{Event, Timestamp};
use notafter::facade::metrics::{DaemonMetrics, Setup};
use notafter::facade::pipeline::Parts;
use notafter::facade::schedule::ComputedTimers;
use notafter::facade::source::{Source, full_scan_default};
use notafter::facade::store::{Memory, Store as _};
use tokio::time::Instant;

use super::cloud::{Certificate, DAY, SimCloud, draw};
use super::fate::{DaemonChance, Fate};
use super::room::{Heard, SimRoom};
use super::store::SimStore;
use super::trace::Trace;

/// When every play begins: 2027-01-15T08:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Certificates that each source has at first.
const CERTIFICATES: usize = 20;

/// One source that is read whole, at an interval, and one that is read by windows, at the hours of cron expressions.
/// What their kinds would read from `options` is not read: the play builds the sources itself.
const CONFIGURATION: &str = r#"
[[source]]
name = "web"
kind = "tencent-ssl"
schedule = "every 1h"

[[source]]
name = "iot"
kind = "tencent-mqtt"
schedule = "30 */2 * * *"
[source.options]
full_scan = "0 3 * * *"

[[channel]]
name = "room"
kind = "webhook"

[[route]]
channels = ["room"]
"#;

const SOURCES: [&str; 2] = ["web", "iot"];

/// What is left after a play.
pub(crate) struct Played {
    pub(crate) trace: String,
    /// Every certificate that ever was, with its source.
    pub(crate) truth: Vec<(&'static str, Certificate)>,
    /// How many certificates the daemon knew at the end.
    pub(crate) known: usize,
    pub(crate) heard: Heard,
}

impl Played {
    /// Returns every event that was delivered.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.heard.delivered.iter().flat_map(|(_, message)| &message.events)
    }

    pub(crate) fn delivered(&self) -> Vec<&str> {
        self.heard.delivered.iter().map(|(_, message)| message.id.as_str()).collect()
    }

    pub(crate) fn refused(&self) -> BTreeSet<&str> {
        self.heard.refused.iter().map(String::as_str).collect()
    }
}

/// What befalls the daemon and its machine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// The wall clock is set to so many seconds after the right time.
    Bend(i64),
    /// The machine sleeps for so many seconds.
    Sleep(i64),
    /// The process is killed and started again.
    Kill,
    /// The process ends in order and is started again.
    Restart,
}

/// Plays some days with what `seed` decides.
pub(crate) fn play(seed: u64, days: i64) -> Played {
    play_acts(seed, days, &[])
}

/// The same, with acts at some seconds of running time. A runtime without I/O: a socket or a file would be a panic.
pub(crate) fn play_acts(seed: u64, days: i64, acts: &[(i64, Act)]) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { World::new(seed, days).play(acts).await })
}

struct World {
    days: i64,
    clock: Arc<BentClock>,
    /// Outlives every process.
    store: Memory,
    fate: Arc<Fate>,
    trace: Arc<Trace>,
    heard: Arc<Mutex<Heard>>,
    truth: Vec<(&'static str, Certificate)>,
}

impl World {
    fn new(seed: u64, days: i64) -> Self {
        let fate = Fate::new(seed);
        let mut truth = Vec::new();
        for name in SOURCES {
            let drawn = draw(&fate, START, CERTIFICATES, days);
            truth.extend(drawn.into_iter().map(|one| (name, one)));
        }
        let clock = Arc::new(BentClock::starting_at(START, START.plus(-100 * DAY)));
        let (store, trace) = (Memory::default(), Trace::begin());
        Self { days, clock, store, fate, trace, heard: Arc::default(), truth }
    }

    async fn play(self, acts: &[(i64, Act)]) -> Played {
        let began = Instant::now();
        let mut core = self.start().await;
        for (at, act) in acts {
            self.live(&mut core, began, *at).await;
            self.trace.note("world", &format!("{act:?}"));
            match act {
                Act::Bend(seconds) => self.clock.bend(*seconds),
                Act::Sleep(seconds) => self.clock.sleep(*seconds),
                Act::Kill => {
                    drop(core);
                    core = self.start().await;
                }
                Act::Restart => {
                    core.stop().await;
                    core = self.start().await;
                }
            }
        }
        self.live(&mut core, began, self.days * DAY).await;
        core.stop().await;
        let known = self.known().await;
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        Played { trace: self.trace.text(), truth: self.truth, known, heard }
    }

    /// Starts a process on what the last one left in the store.
    async fn start(&self) -> Core {
        let (parts, plan) = (self.parts(), self.plan());
        let timers = Arc::new(ComputedTimers::new(Arc::clone(&parts.clock)));
        Core::start(Wiring::new(parts, timers, &plan), &plan).await.unwrap()
    }

    /// Lets the process run until so many seconds after `began`.
    async fn live(&self, core: &mut Core, began: Instant, until: i64) {
        let until = began + Duration::from_secs(u64::try_from(until).unwrap());
        if let Ok(error) = tokio::time::timeout_at(until, core.ended()).await {
            panic!("the daemon ended by itself: {error:#}\n{}", self.trace.text());
        }
    }

    /// Returns how many certificates the store has.
    async fn known(&self) -> usize {
        let mut known = 0;
        self.store.rows(&mut |rows| known += rows.len()).await.unwrap();
        known
    }

    fn parts(&self) -> Parts {
        let store = SimStore {
            inner: self.store.clone(),
            fate: Arc::clone(&self.fate),
            trace: Arc::clone(&self.trace),
        };
        Parts {
            store: Arc::new(store),
            metrics: Arc::new(DaemonMetrics::new(&Setup::default())),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::new(DaemonChance(Arc::clone(&self.fate))),
        }
    }

    fn plan(&self) -> Plan {
        let (config, mistakes) = load(CONFIGURATION, &Environment::of([]), full_scan_default);
        assert!(mistakes.errors.is_empty(), "{}", mistakes.render("the play", CONFIGURATION));
        let sources = SOURCES.map(|name| self.source(name)).to_vec();
        let channels = vec![self.room()];
        Plan { config: Arc::new(config.unwrap()), sources, channels, warnings: String::new() }
    }

    fn source(&self, name: &'static str) -> Arc<dyn Source> {
        let own = self.truth.iter().filter(|(source, _)| *source == name);
        Arc::new(SimCloud {
            name,
            truth: own.map(|(_, one)| one.clone()).collect(),
            clock: Arc::clone(&self.clock),
            shown: Mutex::default(),
            fate: Arc::clone(&self.fate),
            trace: Arc::clone(&self.trace),
        })
    }

    fn room(&self) -> Arc<dyn Channel> {
        Arc::new(SimRoom {
            fate: Arc::clone(&self.fate),
            trace: Arc::clone(&self.trace),
            clock: Arc::clone(&self.clock),
            heard: Arc::clone(&self.heard),
        })
    }
}
