//! What must hold, written from the truth: naive, quadratic, and without any of the daemon's own rules.
//!
//! The judge sees what crosses the seams and keeps books of its own: what each provider showed (`shown`), what each room
//! took (`rooms`), what was written (`written`). Every invariant has its number in the contract:
//!
//! | number | file |
//! |---|---|
//! | 1 nothing untrue, 3 only the tightest rung, 6 nothing while the clock is suspect | `rungs`, `written` |
//! | 2 not twice, and the same bytes again | `rooms` |
//! | 4 renewed is true, and only for those who were told | `endings` |
//! | 5 nothing is removed without two absences | `removals` |
//! | 7 no faster than allowed, 8 what is sent can be read | `rooms`, `payload`, `providers` |
//! | 1 nothing of what is snoozed, 2 one digest a day | `wished` |
//! | 9 view and store agree, and what Prometheus reads | `seen` |
//! | 10 what was durable is there | `kept` |
//! | 11 what is given up has a reason | `rooms` |
//! | 12 what is proven was read, signs of life are true | `written`, `beats` |
//! | 13 liveness, after the faults | `alive` |
//! | 0 the daemon goes on | here |

mod alive;
mod beats;
mod endings;
mod kept;
mod kin;
mod payload;
mod providers;
mod reach;
mod removals;
mod rooms;
mod rungs;
mod seen;
mod shown;
mod times;
mod wished;
mod written;

use std::collections::BTreeMap;
use std::sync::Arc;

use notafter::facade::clock::{BentClock, Clock as _};
use tokio::time::Instant;

use super::scene::{Act, Scene, Settings, StoreFault};
use super::truth::Certificate;
use kin::Kin;
use providers::Requests;
use rooms::Book;
use shown::Shown;
use times::Times;
use wished::Wished;
use written::Written;

pub(crate) use alive::the_end;
pub(crate) use kept::kept;
pub(crate) use reach::Reach;
pub(crate) use seen::Seen;
pub(crate) use shown::Answer;

/// The number of liveness, which the contract keeps apart.
pub(crate) const LIVENESS: u8 = 13;

/// Something is not as it must be.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// The number of the invariant.
    pub(crate) number: u8,
    pub(crate) text: String,
}

pub(crate) struct Judge {
    scene: Arc<Scene>,
    clock: Arc<BentClock>,
    pub(crate) violation: Option<Violation>,
    pub(crate) reach: Reach,
    /// Certificates by source and serial.
    places: BTreeMap<(usize, String), usize>,
    kin: Kin,
    shown: Shown,
    books: Vec<Book>,
    written: Written,
    times: Times,
    wished: Wished,
    /// When somebody last heard that all is well.
    well: Option<i64>,
    requests: Requests,
}

impl Judge {
    pub(crate) fn new(scene: &Arc<Scene>, clock: &Arc<BentClock>) -> Self {
        let places = scene.certificates.iter().enumerate();
        let places = places.map(|(place, one)| ((one.source, one.serial.clone()), place)).collect();
        Self {
            violation: None,
            reach: Reach::default(),
            places,
            kin: Kin::of(&scene.certificates),
            shown: Shown::new(scene),
            books: scene.channels.iter().map(|_| Book::default()).collect(),
            written: Written::default(),
            times: Times::new(scene.settings),
            wished: Wished::default(),
            well: None,
            requests: Requests::new(),
            scene: Arc::clone(scene),
            clock: Arc::clone(clock),
        }
    }

    /// Returns the right time.
    fn right(&self) -> i64 {
        self.clock.right().seconds()
    }

    fn certificate(&self, place: usize) -> &Certificate {
        &self.scene.certificates[place]
    }

    fn find(&self, source: &str, serial: &str) -> Option<usize> {
        let index = source.strip_prefix("source-")?.parse().ok()?;
        self.places.get(&(index, serial.to_owned())).copied()
    }

    /// Something is not as it must be: the first such thing counts.
    fn violates(&mut self, number: u8, text: impl AsRef<str>) {
        let text = format!("at {}: {}", self.right(), text.as_ref());
        self.violation.get_or_insert(Violation { number, text });
    }

    pub(crate) fn reach(&mut self, situation: &'static str) {
        self.reach.note(situation);
    }

    /// The process is gone, in whatever way.
    pub(crate) fn killed(&mut self) {
        let now = self.right();
        if self.books.iter().any(Book::has_unsettled) {
            self.reach("killed between send and settle");
        }
        self.times.disturbed(now - 1, now + 1);
    }

    pub(crate) fn starts(&mut self) {
        let now = self.right();
        self.times.started = now;
        self.times.answered_by_honest = None;
        self.books.iter_mut().for_each(Book::restart);
        self.requests.clear();
    }

    /// The process ended by itself, which none should: but for a store that says it is damaged.
    pub(crate) fn ended(&mut self, error: &str) {
        match self.times.store_fault {
            Some(StoreFault::UnavailableAfter) => {
                self.reach("a process ended over a store that hid what it had written");
            }
            Some(StoreFault::Damaged) => {
                self.reach("a process ended over a store that is damaged");
            }
            _ => self.violates(0, format!("the daemon ended by itself: {error}")),
        }
    }

    pub(crate) fn befalls(&mut self, act: Act) {
        let now = self.right();
        self.reach(reach::of_act(act));
        match act {
            Act::Store { fault, .. } => {
                self.times.store_fault = Some(fault);
                self.times.fault_since = now;
                self.times.begin_disturbance(now);
            }
            Act::Sleep { seconds } => {
                self.times.disturbed(now - 1, now + seconds + 1);
                self.books.iter_mut().for_each(|book| book.slept = Some(Instant::now()));
            }
            Act::Restart | Act::Reload { .. } | Act::Kill { .. } => {
                self.times.disturbed(now - 1, now + 1);
            }
            Act::Bend { .. }
            | Act::Drift { .. }
            | Act::Cloud { .. }
            | Act::Room { .. }
            | Act::Snooze { .. } => {}
        }
    }

    pub(crate) fn is_over(&mut self, act: Act) {
        let now = self.right();
        if let Act::Store { .. } = act {
            self.times.store_fault = None;
            self.times.end_disturbance(now + 120);
        }
    }

    /// The wall clock is set to so many seconds after the right time.
    pub(crate) fn bent(&mut self, seconds: i64) {
        let now = self.right();
        self.times.bent(now, seconds);
    }

    pub(crate) fn clock_shown(&mut self, honest: bool) {
        if honest {
            self.times.answered_by_honest = Some(self.right());
        } else {
            self.times.liar(self.right());
        }
    }

    pub(crate) fn reloads(&mut self, settings: Settings) {
        let now = self.right();
        self.times.reloaded(now, settings);
        self.requests.clear();
    }

    pub(crate) fn faults_end(&mut self) {
        self.times.faults_ended = Some(self.right());
    }

    fn wall(&self) -> i64 {
        self.clock.now().seconds()
    }
}
