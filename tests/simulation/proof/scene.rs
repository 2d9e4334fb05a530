//! Everything that a play is made of: what a seed draws, and what a shrinker takes from.

use super::dice::Dice;
use super::truth::{Certificate, DAY, crowd, draw};
use super::vendor::{Vendor, sold};
use crate::machine::START;

/// Days without a fault at the end of a play.
pub(crate) const QUIET: i64 = 7;

/// Days of a play with twenty thousand certificates.
const CROWDED_DAYS: i64 = 40;

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Scene {
    pub(crate) seed: u64,
    /// Days with acts; quiet ones follow.
    pub(crate) days: i64,
    pub(crate) sources: Vec<SourceSpec>,
    /// The kind of each channel.
    pub(crate) channels: Vec<&'static str>,
    /// Which of the routings and ladders is configured at first.
    pub(crate) settings: Settings,
    /// Whether the first channel hears how everything stands, once a day.
    pub(crate) digest: bool,
    /// Whether the sources are real ones, that read pages as vendors write them.
    pub(crate) vendors: bool,
    /// Whether the first source has twenty thousand certificates more, which all end in one second.
    pub(crate) crowded: bool,
    /// Whether somebody waits for signs of life.
    pub(crate) heartbeat: bool,
    /// Whether the store is a database file.
    pub(crate) sqlite: bool,
    /// The most turns by which something that is ready is delayed.
    pub(crate) disorder: u64,
    pub(crate) certificates: Vec<Certificate>,
    /// What happens, and when, in seconds of running time.
    pub(crate) acts: Vec<Timed>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) routing: u8,
    pub(crate) ladder: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct SourceSpec {
    /// Whether it is read by windows.
    pub(crate) windowed: bool,
    /// Seconds between two polls.
    pub(crate) every: i64,
    /// Whether it can be asked for one certificate.
    pub(crate) confirms: bool,
    /// Rows of one page.
    pub(crate) page: u64,
    /// Whether it is read at an hour of a town that has summer time, and not at intervals.
    pub(crate) by_cron: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timed {
    pub(crate) at: i64,
    pub(crate) act: Act,
}

/// What befalls the daemon. What lasts has its seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The process is killed at so many crossings from now on, and started again; the power may go with it.
    Kill {
        crossings: u64,
        power: bool,
    },
    /// The process ends in order and is started again.
    Restart,
    /// The configuration is read again, with other routes or another ladder.
    Reload {
        routing: u8,
        ladder: u8,
    },
    Store {
        fault: StoreFault,
        lasts: i64,
    },
    /// The wall clock shows so many seconds more than is right.
    Bend {
        seconds: i64,
        lasts: i64,
    },
    /// The wall clock gains so many seconds an hour, and is then set right.
    Drift {
        seconds: i64,
        lasts: i64,
    },
    /// The machine sleeps.
    Sleep {
        seconds: i64,
    },
    /// Somebody wishes for quiet about what is of one source, and may end it before its time.
    Snooze {
        source: usize,
        lasts: i64,
        by_hand: bool,
    },
    /// One source tells untruths, once in so many answers.
    Cloud {
        source: usize,
        lie: Lie,
        often: u64,
        lasts: i64,
    },
    /// One room fails, once in so many requests.
    Room {
        channel: usize,
        fault: RoomFault,
        often: u64,
        lasts: i64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFault {
    Full,
    UnavailableBefore,
    UnavailableAfter,
    Slow,
    /// What is written is refused: a process that finds this ends, and is started again.
    Damaged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Rows are left out, the same ones each time, and the total counts them.
    Short,
    /// Rows are left out, and the total does not count them.
    Hidden,
    Doubled,
    Reordered,
    TotalOff,
    Repeated,
    Endless,
    Empty,
    Throttled,
    Away,
    Hangs,
    Refused,
    ClockOff,
    /// A filter by time is not applied.
    Unfiltered,
    /// The scope is not there.
    ScopeGone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoomFault {
    /// An answer with an error.
    Fails,
    /// Status 200 that means no.
    Unknown,
    CutBefore,
    /// Taken, and then the connection is cut.
    CutAfter,
    Throttles,
    NotFound,
    Down,
    Rejects,
    Panics,
    Hangs,
}

const LIES: [Lie; 15] = [
    Lie::Short,
    Lie::Hidden,
    Lie::Doubled,
    Lie::Reordered,
    Lie::TotalOff,
    Lie::Repeated,
    Lie::Endless,
    Lie::Empty,
    Lie::Throttled,
    Lie::Away,
    Lie::Hangs,
    Lie::Refused,
    Lie::ClockOff,
    Lie::Unfiltered,
    Lie::ScopeGone,
];

/// The commonest comes thrice.
const ROOM_FAULTS: [RoomFault; 12] = [
    RoomFault::Fails,
    RoomFault::Unknown,
    RoomFault::CutBefore,
    RoomFault::CutAfter,
    RoomFault::Throttles,
    RoomFault::Throttles,
    RoomFault::Throttles,
    RoomFault::NotFound,
    RoomFault::Down,
    RoomFault::Rejects,
    RoomFault::Panics,
    RoomFault::Hangs,
];

const STORE_FAULTS: [StoreFault; 5] = [
    StoreFault::Full,
    StoreFault::UnavailableBefore,
    StoreFault::UnavailableAfter,
    StoreFault::Slow,
    StoreFault::Damaged,
];

/// A store is damaged for so many seconds at most: a process that ends over it is started again and again.
const DAMAGED: i64 = 600;

/// What the wall clock is set to, after the right time.
const BENDS: [i64; 8] = [1, -1, 240, -240, DAY, -DAY, 400 * DAY, -1_800_000_000];

const KINDS: [&str; 6] = ["webhook", "slack", "feishu", "dingtalk", "wecom", "discord"];

/// The parts of the fault menu; each seed draws which of them there are at all.
#[derive(Clone, Copy)]
enum Menu {
    Kill,
    Power,
    Restart,
    Reload,
    Store,
    Clock,
    Sleep,
    Cloud,
    Room,
    Snooze,
}

const MENU: [Menu; 10] = [
    Menu::Kill,
    Menu::Power,
    Menu::Restart,
    Menu::Reload,
    Menu::Store,
    Menu::Clock,
    Menu::Sleep,
    Menu::Cloud,
    Menu::Room,
    Menu::Snooze,
];

impl Scene {
    /// Draws what `seed` decides, for so many days in all.
    pub(crate) fn draw(seed: u64, days: i64) -> Self {
        let mut dice = Dice::new(seed);
        let (vendors, crowded) = (seed % 20 == 19, seed % 50 == 41);
        let days = if crowded { days.min(CROWDED_DAYS) } else { days } - QUIET;
        let count = if vendors { 3 } else { dice.between(1, 4) };
        let mut sources: Vec<_> = (0..count).map(|_| source(&mut dice)).collect();
        let channels: Vec<_> = (0..dice.between(1, 5)).map(|_| dice.one_of(&KINDS)).collect();
        let most = if dice.once_in(8) { 300 } else { 60 };
        let count = usize::try_from(dice.between(20, most)).unwrap() / sources.len();
        let mut certificates = Vec::new();
        for place in 0..sources.len() {
            certificates.extend(draw(&mut dice, place, count, START.seconds(), days));
        }
        if vendors {
            certificates = sold(certificates);
            for (place, one) in sources.iter_mut().enumerate() {
                Vendor::of(place).decides(one);
            }
        }
        if crowded {
            sources[0] = SourceSpec { every: 12 * 3600, page: 1000, ..sources[0].clone() };
            certificates.extend(crowd(&mut dice, START.seconds(), days));
        }
        let settings = Settings { routing: routing(&mut dice), ladder: ladder(&mut dice) };
        let (digest, heartbeat) = (dice.once_in(4), dice.once_in(20));
        let (sqlite, disorder) = (dice.once_in(10), if dice.once_in(3) { 4 } else { 0 });
        let mut scene = Self {
            seed,
            days,
            sources,
            channels,
            settings,
            digest,
            vendors,
            crowded,
            heartbeat,
            sqlite,
            disorder,
            certificates,
            acts: Vec::new(),
        };
        // Mild ones have no faults: they prove exactness.
        if !seed.is_multiple_of(7) {
            scene.draw_acts(&mut dice);
        }
        scene
    }

    fn draw_acts(&mut self, dice: &mut Dice) {
        let menu: Vec<Menu> = MENU.into_iter().filter(|_| dice.once_in(3)).collect();
        if menu.is_empty() {
            return;
        }
        let count = dice.one_of(&[3, 8, 20, 40]);
        for _ in 0..count {
            let at = dice.between(600, self.days * DAY);
            let menu = dice.one_of(&menu);
            let act = self.act(dice, menu);
            self.acts.push(Timed { at, act });
        }
        self.acts.sort_by_key(|timed| timed.at);
    }

    fn act(&self, dice: &mut Dice, menu: Menu) -> Act {
        let lasts = dice.one_of(&[60, 600, 3600, 6 * 3600, DAY, 3 * DAY]);
        let often = dice.one_of(&[1, 2, 4, 20]);
        let crossings = dice.number() % 200 + 1;
        match menu {
            Menu::Kill => Act::Kill { crossings, power: false },
            Menu::Power => Act::Kill { crossings, power: true },
            Menu::Restart => Act::Restart,
            Menu::Reload => Act::Reload { routing: routing(dice), ladder: ladder(dice) },
            Menu::Store => {
                let fault = dice.one_of(&STORE_FAULTS);
                let most = if fault == StoreFault::Damaged { DAMAGED } else { DAY };
                Act::Store { fault, lasts: lasts.min(most) }
            }
            Menu::Clock if dice.once_in(4) => {
                Act::Drift { seconds: dice.between(-100, 100), lasts: lasts.min(DAY) }
            }
            Menu::Clock => Act::Bend { seconds: dice.one_of(&BENDS), lasts },
            Menu::Sleep => Act::Sleep { seconds: lasts },
            Menu::Snooze => {
                let source = usize::try_from(dice.number()).unwrap() % self.sources.len();
                Act::Snooze { source, lasts: lasts.max(600), by_hand: dice.once_in(2) }
            }
            Menu::Cloud => {
                let source = usize::try_from(dice.number()).unwrap() % self.sources.len();
                Act::Cloud { source, lie: dice.one_of(&LIES), often, lasts }
            }
            Menu::Room => {
                let channel = usize::try_from(dice.number()).unwrap() % self.channels.len();
                // A room hears little: what is shorter is over before anything is said.
                let lasts = lasts.max(6 * 3600);
                Act::Room { channel, fault: dice.one_of(&ROOM_FAULTS), often, lasts }
            }
        }
    }

    /// Returns the same with only some of its acts and certificates, by their places.
    pub(crate) fn only(&self, acts: &[usize], certificates: &[usize]) -> Self {
        let acts = acts.iter().filter_map(|place| self.acts.get(*place).copied()).collect();
        let certificates = certificates
            .iter()
            .filter_map(|place| self.certificates.get(*place).cloned())
            .collect();
        Self { certificates, acts, ..self.clone() }
    }
}

fn source(dice: &mut Dice) -> SourceSpec {
    let every = if dice.once_in(50) { 600 } else { dice.between(1, 25) * 3600 };
    let (windowed, confirms) = (dice.once_in(2), dice.once_in(2));
    let (page, by_cron) = (dice.one_of(&[7, 20, 100]), dice.once_in(10));
    SourceSpec { windowed, every, confirms, page, by_cron }
}

fn routing(dice: &mut Dice) -> u8 {
    dice.one_of(&[0, 0, 1, 2])
}

fn ladder(dice: &mut Dice) -> u8 {
    dice.one_of(&[0, 0, 1, 2])
}
