//! One daemon in a world of sources and channels that answer by themselves, from the first poll to an orderly end, over
//! kills and clocks that are set.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use notafter::facade::app::{Core, Plan};
use notafter::facade::channel::Channel;
use notafter::facade::client::limiter::Limiters;
use notafter::facade::config::{Environment, load};
use notafter::facade::expiry::Event;
use notafter::facade::source::{Source, full_scan_default};

use super::cloud::{Certificate, DAY, SimCloud, draw};
use super::machine::{Machine, START, on_virtual_time};
use super::room::{Heard, SimRoom};

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

/// The same, with acts at some seconds of running time.
pub(crate) fn play_acts(seed: u64, days: i64, acts: &[(i64, Act)]) -> Played {
    on_virtual_time(async { World::new(seed, days).play(acts).await })
}

struct World {
    days: i64,
    machine: Machine,
    heard: Arc<Mutex<Heard>>,
    truth: Vec<(&'static str, Certificate)>,
}

impl World {
    fn new(seed: u64, days: i64) -> Self {
        let machine = Machine::new(seed);
        let mut truth = Vec::new();
        for name in SOURCES {
            let drawn = draw(&machine.fate, START, CERTIFICATES, days);
            truth.extend(drawn.into_iter().map(|one| (name, one)));
        }
        Self { days, machine, heard: Arc::default(), truth }
    }

    async fn play(self, acts: &[(i64, Act)]) -> Played {
        let Self { machine, .. } = &self;
        let mut core = self.start().await;
        for (at, act) in acts {
            machine.live(&mut core, *at).await;
            machine.trace.note("world", &format!("{act:?}"));
            match act {
                Act::Bend(seconds) => machine.clock.bend(*seconds),
                Act::Sleep(seconds) => machine.clock.sleep(*seconds),
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
        machine.live(&mut core, self.days * DAY).await;
        core.stop().await;
        let (known, trace) = (machine.known().await, machine.trace.text());
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        Played { trace, truth: self.truth, known, heard }
    }

    /// Starts a process on what the last one left in the store.
    async fn start(&self) -> Core {
        self.machine.start(&self.plan(), self.machine.parts()).await
    }

    fn plan(&self) -> Plan {
        let (config, mistakes) = load(CONFIGURATION, &Environment::of([]), full_scan_default);
        assert!(mistakes.errors.is_empty(), "{}", mistakes.render("the play", CONFIGURATION));
        let sources = SOURCES.map(|name| self.source(name)).to_vec();
        let channels = vec![self.room()];
        Plan {
            config: Arc::new(config.unwrap()),
            sources,
            channels,
            heartbeat: None,
            limiters: Limiters::default(),
            warnings: String::new(),
        }
    }

    fn source(&self, name: &'static str) -> Arc<dyn Source> {
        let own = self.truth.iter().filter(|(source, _)| *source == name);
        Arc::new(SimCloud {
            name,
            truth: own.map(|(_, one)| one.clone()).collect(),
            clock: Arc::clone(&self.machine.clock),
            shown: Mutex::default(),
            fate: Arc::clone(&self.machine.fate),
            trace: Arc::clone(&self.machine.trace),
        })
    }

    fn room(&self) -> Arc<dyn Channel> {
        Arc::new(SimRoom {
            fate: Arc::clone(&self.machine.fate),
            trace: Arc::clone(&self.machine.trace),
            clock: Arc::clone(&self.machine.clock),
            heard: Arc::clone(&self.heard),
        })
    }
}
