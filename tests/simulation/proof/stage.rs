//! What all parts of a play share: time, chance, the acts that last, and the judge. Every seam is crossed here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notafter::facade::clock::BentClock;
use tokio::sync::Notify;

use super::judge::Judge;
use super::log::{Keep, Log};
use super::room::Composed;
use super::scene::{Act, Lie, RoomFault, Scene, StoreFault};
use crate::fate::Fate;

pub(crate) struct Stage {
    pub(crate) scene: Arc<Scene>,
    pub(crate) fate: Arc<Fate>,
    pub(crate) clock: Arc<BentClock>,
    pub(crate) log: Log,
    /// What the bodies say that the daemon composed.
    pub(crate) composed: Composed,
    judge: Mutex<Judge>,
    crossings: Mutex<Crossings>,
    /// Somebody has to look: the process is to be killed, or the judge has found something.
    pub(crate) interrupt: Notify,
    /// The acts that are under way.
    lasting: Mutex<Vec<Act>>,
}

#[derive(Default)]
struct Crossings {
    all: u64,
    /// At which of them the process is killed.
    kill: Option<u64>,
    killed: bool,
}

impl Stage {
    pub(crate) fn new(scene: Arc<Scene>, clock: Arc<BentClock>, keep: Keep) -> Arc<Self> {
        let judge = Judge::new(&scene, &clock);
        Arc::new(Self {
            fate: Fate::new(scene.seed),
            clock,
            log: Log::begin(keep),
            composed: Composed::default(),
            judge: Mutex::new(judge),
            crossings: Mutex::default(),
            interrupt: Notify::new(),
            lasting: Mutex::default(),
            scene,
        })
    }

    /// Returns the right time.
    pub(crate) fn right(&self) -> i64 {
        self.clock.right().seconds()
    }

    pub(crate) fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something crosses a seam. The process may be killed right here, or be late.
    pub(crate) async fn cross(&self, seam: &'static str, what: impl FnOnce() -> String) {
        self.log.note(|| format!("{seam}: {}", what()));
        if self.judge().violation.is_some() || self.counts_to_a_kill() {
            self.interrupt.notify_one();
            std::future::pending::<()>().await;
        }
        if self.scene.disorder > 0 {
            for _ in 0..self.fate.number("disorder") % self.scene.disorder {
                tokio::task::yield_now().await;
            }
        }
    }

    fn counts_to_a_kill(&self) -> bool {
        let mut crossings = self.crossings.lock().unwrap();
        crossings.all += 1;
        if crossings.kill.is_some_and(|kill| crossings.all >= kill) {
            crossings.kill = None;
            crossings.killed = true;
        }
        crossings.killed
    }

    /// The process is killed at so many crossings from now on.
    pub(crate) fn kill_after(&self, crossings: u64) {
        let mut known = self.crossings.lock().unwrap();
        known.kill = Some(known.all + crossings.max(1));
    }

    /// The process is not to be killed any more.
    pub(crate) fn spare(&self) {
        self.crossings.lock().unwrap().kill = None;
    }

    /// Returns whether the process is to be killed, once.
    pub(crate) fn take_killed(&self) -> bool {
        std::mem::take(&mut self.crossings.lock().unwrap().killed)
    }

    pub(crate) fn crossings(&self) -> u64 {
        self.crossings.lock().unwrap().all
    }

    pub(crate) fn begin(&self, act: Act) {
        self.lasting.lock().unwrap().push(act);
    }

    pub(crate) fn end(&self, act: Act) {
        let mut lasting = self.lasting.lock().unwrap();
        if let Some(place) = lasting.iter().position(|one| *one == act) {
            lasting.remove(place);
        }
    }

    /// Returns how a source lies in an answer, if it does.
    pub(crate) fn lie(&self, source: usize) -> Option<Lie> {
        let lasting = self.lasting.lock().unwrap();
        lasting.iter().find_map(|act| match *act {
            Act::Cloud { source: of, lie, often, .. } if of == source => {
                let lies = lie == Lie::ClockOff
                    || self.fate.happens(&format!("cloud {source} {lie:?}"), often);
                lies.then_some(lie)
            }
            _ => None,
        })
    }

    /// Returns how a room fails at a request, if it does.
    pub(crate) fn room_fault(&self, channel: usize) -> Option<RoomFault> {
        let lasting = self.lasting.lock().unwrap();
        lasting.iter().find_map(|act| match *act {
            Act::Room { channel: of, fault, often, .. } if of == channel => {
                self.fate.happens(&format!("room {channel} {fault:?}"), often).then_some(fault)
            }
            _ => None,
        })
    }

    /// Returns how the store fails now, if it does.
    pub(crate) fn store_fault(&self) -> Option<StoreFault> {
        let lasting = self.lasting.lock().unwrap();
        lasting.iter().find_map(|act| match *act {
            Act::Store { fault, .. } => Some(fault),
            _ => None,
        })
    }
}
