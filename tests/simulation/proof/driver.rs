//! Lets a daemon live through a scene.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use notafter::facade::app::{Core, Heartbeat, Plan, Wiring};
use notafter::facade::channel::{self, Channel};
use notafter::facade::client::http::Http;
use notafter::facade::client::limiter::{Limiter, Limiters};
use notafter::facade::client::{Deps, NoMeter};
use notafter::facade::clock::{BentClock, Clock, Random};
use notafter::facade::config::{ChannelConfig, Mistakes, load};
use notafter::facade::metrics::{DaemonMetrics, Setup};
use notafter::facade::pipeline::Parts;
use notafter::facade::schedule::ComputedTimers;
use notafter::facade::source::{Source, full_scan_default};
use notafter::facade::store::{Memory, Observed, Sqlite, Store};
use tokio::time::Instant;

use super::cloud::{ProofCloud, RATE};
use super::config;
use super::judge::{Reach as Reached, Violation};
use super::log::Keep;
use super::moments::{Moment, moments};
use super::readers::{Readers, Wishes};
use super::room::ProofRoom;
use super::scene::{Act, QUIET, Scene, Settings};
use super::stage::Stage;
use super::store::Seen;
use super::truth::DAY;
use super::vendor::VendorCloud;
use super::watcher::Watcher;
use crate::fate::DaemonChance;
use crate::machine::{START, on_virtual_time};

/// How long it takes until a process that ended is started again.
const RESTART: Duration = Duration::from_secs(5);

/// What is left of a play.
pub(crate) struct Played {
    pub(crate) violation: Option<Violation>,
    pub(crate) reach: Reached,
    pub(crate) crossings: u64,
    pub(crate) digest: u64,
    pub(crate) lines: String,
}

/// Plays a scene to its end, or until something is not as it must be.
pub(crate) fn play(scene: &Scene, keep: Keep) -> Played {
    let scene = Arc::new(scene.clone());
    on_virtual_time(async { Driver::new(scene, keep).play().await })
}

/// Returns a folder for a database. Where there is one in memory, no disk is waited for.
fn in_memory() -> tempfile::TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

struct Driver {
    stage: Arc<Stage>,
    memory: Memory,
    folder: Option<tempfile::TempDir>,
    settings: Settings,
    began: Instant,
}

/// One process.
struct Process {
    core: Core,
    readers: Readers,
    wishes: Wishes,
}

impl Driver {
    fn new(scene: Arc<Scene>, keep: Keep) -> Self {
        let clock = Arc::new(BentClock::starting_at(START, START.plus(-100 * DAY)));
        let folder = scene.sqlite.then(in_memory);
        let settings = scene.settings;
        let stage = Stage::new(scene, clock, keep);
        Self { stage, memory: Memory::default(), folder, settings, began: Instant::now() }
    }

    async fn play(mut self) -> Played {
        self.act().await;
        let stage = &self.stage;
        let judge = stage.judge();
        Played {
            violation: judge.violation.clone(),
            reach: judge.reach.clone(),
            crossings: stage.crossings(),
            digest: stage.log.digest(),
            lines: stage.log.lines(),
        }
    }

    async fn act(&mut self) {
        let Some(mut process) = self.start().await else { return };
        for (at, moment) in moments(&self.stage.scene) {
            let Some(living) = self.live(process, at).await else { return };
            let Some(living) = self.befall(living, moment).await else { return };
            process = living;
        }
        let faults = self.stage.scene.days * DAY;
        let Some(process) = self.live(process, faults).await else { return };
        self.stage.judge().faults_end();
        let end = (self.stage.scene.days + QUIET) * DAY;
        let Some(mut process) = self.live(process, end).await else { return };
        process.core.stop_generation().await;
        self.judge_the_end(&process).await;
        process.core.stop().await;
    }

    /// Lets the process run until so many seconds after the play began, over kills. `None`: something is not right.
    async fn live(&self, mut process: Process, until: i64) -> Option<Process> {
        let until = self.began + Duration::from_secs(u64::try_from(until).unwrap());
        loop {
            let stage = Arc::clone(&self.stage);
            tokio::select! {
                biased;
                () = stage.interrupt.notified() => {}
                () = tokio::time::sleep_until(until) => return Some(process),
                error = process.core.ended() => {
                    stage.judge().ended(&format!("{error:#}"));
                    tokio::time::sleep(RESTART).await;
                }
            }
            process = self.again(process).await?;
        }
    }

    /// The process is gone: starts another one on what it left.
    async fn again(&self, process: Process) -> Option<Process> {
        drop(process);
        self.stage.take_killed();
        self.stage.judge().killed();
        self.start().await
    }

    /// Starts a process on what the last one left in the store. `None`: something is not right.
    async fn start(&self) -> Option<Process> {
        loop {
            // What the last process had under way lets go of the store.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.stage.judge().violation.is_some() {
                return None;
            }
            self.stage.judge().starts();
            let stage = Arc::clone(&self.stage);
            let started = tokio::select! {
                biased;
                () = stage.interrupt.notified() => None,
                started = self.begin() => Some(started),
            };
            match started {
                Some(Ok(process)) => return Some(process),
                Some(Err(error)) => {
                    self.stage.judge().ended(&error);
                    tokio::time::sleep(RESTART).await;
                }
                None => {
                    self.stage.take_killed();
                    self.stage.judge().reach("killed while it started");
                }
            }
        }
    }

    async fn begin(&self) -> Result<Process, String> {
        let parts = self.parts();
        let plan = self.plan(&parts);
        let timers = Arc::new(ComputedTimers::new(Arc::clone(&parts.clock)));
        let wiring = Wiring::new(parts, timers, &plan);
        let of = wiring.readers();
        let readers = Readers { view: of.view, exposition: of.exposition };
        let wishes = Wishes(of.commands);
        let core = Core::start(wiring, &plan).await.map_err(|error| format!("{error:#}"))?;
        Ok(Process { core, readers, wishes })
    }

    fn parts(&self) -> Parts {
        Parts {
            store: self.store(),
            metrics: Arc::new(DaemonMetrics::new(&Setup::default())),
            clock: Arc::clone(&self.stage.clock) as Arc<dyn Clock>,
            random: self.random(),
        }
    }

    fn random(&self) -> Arc<dyn Random> {
        Arc::new(DaemonChance(Arc::clone(&self.stage.fate)))
    }

    fn store(&self) -> Arc<dyn Store> {
        let observer = Seen(Arc::clone(&self.stage));
        match &self.folder {
            None => Arc::new(Observed { memory: self.memory.clone(), observer }),
            Some(folder) => {
                let memory = Sqlite::inline(&folder.path().join("notafter.db")).unwrap();
                Arc::new(Observed { memory, observer })
            }
        }
    }

    fn plan(&self, parts: &Parts) -> Plan {
        let scene = &self.stage.scene;
        let text = config::text(scene, self.settings);
        let (config, mut mistakes) = load(&text, &config::environment(scene), full_scan_default);
        assert!(mistakes.errors.is_empty(), "{}", mistakes.render("the scene", &text));
        let config = Arc::new(config.unwrap());
        let deps = self.deps(parts);
        let channels = config.channels.iter().enumerate();
        let channels =
            channels.map(|(index, config)| self.room(index, config, &deps, &mut mistakes));
        let channels = channels.collect();
        let limiter = deps.limiters.get("account", "region", "list", f64::from(RATE));
        let sources = (0..scene.sources.len()).map(|index| -> Arc<dyn Source> {
            if scene.vendors {
                let given = (&*config, &deps);
                Arc::new(VendorCloud::new(index, &self.stage, given, &mut mistakes))
            } else {
                self.cloud(index, &limiter)
            }
        });
        let sources = sources.collect();
        let http = deps.http.clone();
        let heartbeat = config.heartbeat.clone().map(|config| Heartbeat { config, http });
        let (limiters, warnings) = (deps.limiters, String::new());
        Plan { config, sources, channels, heartbeat, limiters, warnings }
    }

    fn deps(&self, parts: &Parts) -> Deps {
        Deps {
            http: Http::over(Arc::new(Watcher(Arc::clone(&self.stage)))),
            limiters: Limiters::default(),
            clock: Arc::clone(&parts.clock),
            random: Arc::clone(&parts.random),
            meter: Arc::new(NoMeter),
        }
    }

    fn room(
        &self,
        index: usize,
        config: &ChannelConfig,
        deps: &Deps,
        mistakes: &mut Mistakes,
    ) -> Arc<dyn Channel> {
        let real = channel::build(config, deps, mistakes);
        let real = real.unwrap_or_else(|| panic!("{}", mistakes.render("the scene", "")));
        let stage = Arc::clone(&self.stage);
        Arc::new(ProofRoom { index, real, stage })
    }

    fn cloud(&self, index: usize, limiter: &Limiter) -> Arc<dyn Source> {
        let (stage, limiter) = (Arc::clone(&self.stage), limiter.clone());
        Arc::new(ProofCloud { index, stage, limiter, shown: Mutex::default() })
    }

    async fn befall(&mut self, process: Process, moment: Moment) -> Option<Process> {
        let stage = Arc::clone(&self.stage);
        let act = match moment {
            Moment::Begin(act) => act,
            Moment::End(act) => {
                stage.log.note(|| format!("world: {act:?} is over"));
                self.over(&process, act);
                return Some(process);
            }
            Moment::Gain(bend) => {
                self.bend(bend);
                return Some(process);
            }
            Moment::Look => {
                self.look(&process).await;
                return Some(process);
            }
        };
        stage.log.note(|| format!("world: {act:?}"));
        stage.judge().befalls(act);
        match act {
            Act::Kill { crossings, power } => return self.kill(process, crossings, power).await,
            Act::Restart => {
                process.core.stop().await;
                stage.judge().killed();
                return self.start().await;
            }
            Act::Reload { routing, ladder } => {
                return self.reload(process, Settings { routing, ladder }).await;
            }
            Act::Bend { seconds, .. } => self.bend(seconds),
            Act::Drift { .. } => {}
            Act::Sleep { seconds } => stage.clock.sleep(seconds),
            Act::Snooze { source, lasts, .. } => process.wishes.quiet(source, lasts),
            Act::Store { .. } | Act::Cloud { .. } | Act::Room { .. } => stage.begin(act),
        }
        Some(process)
    }

    fn bend(&self, seconds: i64) {
        self.stage.clock.bend(seconds);
        self.stage.judge().bent(seconds);
    }

    fn over(&self, process: &Process, act: Act) {
        match act {
            Act::Bend { .. } | Act::Drift { .. } => self.bend(0),
            Act::Snooze { source, .. } => {
                for id in self.stage.judge().snoozes_of(source) {
                    process.wishes.end(id);
                }
            }
            act => self.stage.end(act),
        }
        self.stage.judge().is_over(act);
    }

    /// Lets the process live until it crosses so many seams, for an hour at most.
    async fn kill(&self, process: Process, crossings: u64, power: bool) -> Option<Process> {
        let mut process = process;
        self.stage.kill_after(crossings);
        let stage = Arc::clone(&self.stage);
        let hour = Instant::now() + Duration::from_hours(1);
        tokio::select! {
            biased;
            () = stage.interrupt.notified() => {}
            () = tokio::time::sleep_until(hour) => {}
            error = process.core.ended() => stage.judge().ended(&format!("{error:#}")),
        }
        stage.spare();
        // One in four that starts again is killed once more while it does so, or soon after.
        if crossings.is_multiple_of(4) {
            stage.kill_after(crossings % 7);
        }
        if power && self.folder.is_none() {
            drop(process);
            self.cut_power().await;
            stage.take_killed();
            stage.judge().killed();
            return self.start().await;
        }
        self.again(process).await
    }

    async fn cut_power(&self) {
        let before = super::judge::kept(&self.memory, &self.stage.scene).await;
        self.memory.cut_power();
        let after = super::judge::kept(&self.memory, &self.stage.scene).await;
        self.stage.judge().power_is_back(&before, &after);
    }

    async fn reload(&mut self, mut process: Process, settings: Settings) -> Option<Process> {
        self.settings = settings;
        self.stage.judge().reloads(settings);
        let plan = self.plan(&self.parts_for_a_plan());
        let stage = Arc::clone(&self.stage);
        let reloaded = tokio::select! {
            biased;
            () = stage.interrupt.notified() => None,
            reloaded = process.core.reload(&plan) => Some(reloaded),
        };
        match reloaded {
            Some(Ok(())) => Some(process),
            Some(Err(error)) => {
                stage.judge().ended(&format!("{error:#}"));
                self.again(process).await
            }
            None => self.again(process).await,
        }
    }

    /// A plan needs no store.
    fn parts_for_a_plan(&self) -> Parts {
        Parts {
            store: Arc::new(Memory::default()),
            metrics: Arc::new(DaemonMetrics::new(&Setup::default())),
            clock: Arc::clone(&self.stage.clock) as Arc<dyn Clock>,
            random: self.random(),
        }
    }

    /// Compares what readers see with what is stored.
    async fn look(&self, process: &Process) {
        process.readers.ask(&self.stage, &*self.bare_store()).await;
    }

    async fn judge_the_end(&self, process: &Process) {
        self.look(process).await;
        super::judge::the_end(&self.stage, &*self.bare_store(), self.settings).await;
    }

    /// Returns the store as it is, where nothing fails and nobody watches.
    fn bare_store(&self) -> Box<dyn Store> {
        match &self.folder {
            None => Box::new(self.memory.clone()),
            Some(folder) => {
                Box::new(Sqlite::open_read_only(&folder.path().join("notafter.db")).unwrap())
            }
        }
    }
}
