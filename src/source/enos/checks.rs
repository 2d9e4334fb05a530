//! When the certificates of a device are asked for again.
//!
//! `EnOS` costs one call for each device, so a near scan lists all devices and asks only for those that are due: a
//! device never asked, one with an end in the window, and one whose next check has come. That lies the further away
//! the later the soonest end is, [`LONGEST`] at most. A full scan, a *sweep*, asks for every device once. One that
//! was broken off goes on where it was, unless that is longer than [`LONGEST`] ago.
//!
//! Nothing is taken for asked before its certificates were handed on: what is known here comes in through
//! [`Checks::restore`] alone, after the page that it stands for, or from before a restart.
//!
//! A near scan may be under way beside a sweep. What it asks for does not count for a sweep that says what is gone: the
//! sweep has to see every certificate by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::expiry::{Sighting, Status, Timestamp};
use crate::source::{Checkpoint, Coverage, Window};

const DAY: i64 = 86_400;

/// The longest time between two checks of a device, and that a broken sweep may be gone on with.
const LONGEST: i64 = 7 * DAY;

/// The share of the time until the soonest end after which a device is checked again.
const SHARE: i64 = 16;

/// An end that is longer ago than this is no news: the device counts as one without a certificate.
const NEWS: i64 = 30 * DAY;

const SWEEP: &str = "sweep";
const CHECK: &str = "check/";
const OPEN: &str = "open";
const DONE: &str = "done";

/// What the answer for a device means for when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Soonest {
    /// The soonest end that matters.
    At(Timestamp),
    /// The device has no certificate that ends, or none that is still news.
    None,
    /// The answer was not understood, or there was none: the next scan asks again.
    Unread,
}

impl Soonest {
    /// Returns the soonest end of those that somebody may have to act upon.
    pub(super) fn of(sightings: &[Sighting], now: Timestamp) -> Self {
        let matters = |seen: &&Sighting| {
            matches!(seen.status, Status::Active | Status::Inactive | Status::Pending)
        };
        let ends = sightings.iter().filter(matters).filter_map(|seen| seen.not_after);
        ends.filter(|end| *end > now.plus(-NEWS)).min().map_or(Self::None, Self::At)
    }

    const fn compact(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Unread => 1,
            Self::At(end) => compact(end),
        }
    }

    fn expand(compact: u32) -> Self {
        match compact {
            0 => Self::None,
            1 => Self::Unread,
            seconds => Self::At(Timestamp::from_seconds(i64::from(seconds))),
        }
    }
}

/// Four bytes for a time: a fleet has a million of them. What is later than 2106 is far away.
const fn compact(time: Timestamp) -> u32 {
    let seconds = time.seconds();
    if seconds < 2 {
        2
    } else if seconds > u32::MAX as i64 {
        u32::MAX
    } else {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 2 and the largest number"
        )]
        {
            seconds as u32
        }
    }
}

/// The last time that a device was asked for.
#[derive(Clone, Copy, Debug)]
struct Check {
    asked: u32,
    soonest: u32,
    /// The sweep that was the last to begin before that.
    sweep: u32,
}

/// A scan that asks for every device once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sweep {
    number: u32,
    began: Timestamp,
    done: bool,
    /// Whether it was begun by this process and reads everything by itself, so that it says what is gone.
    alone: bool,
}

/// Which devices were asked for, and when: some thirty bytes for each.
#[derive(Debug, Default)]
pub(super) struct Checks {
    devices: BTreeMap<u64, Check>,
    sweep: Option<Sweep>,
    /// The number of the sweep of the last checkpoint.
    kept: u32,
    /// Devices that the last whole sweep did not meet, to be forgotten in the store as well.
    dropped: BTreeSet<u64>,
}

impl Checks {
    /// A scan begins. Answers with what it can say.
    pub(super) fn begin(&mut self, window: Window, now: Timestamp) -> Coverage {
        match (window, self.sweep) {
            // On a cold start the near scan asks for every device: the sweep that follows need not do so again.
            (Window::Near { .. }, None) => {
                self.sweep = Some(Sweep { number: 1, began: now, done: false, alone: false });
                Coverage::Skimmed
            }
            (Window::Near { .. }, Some(_)) => Coverage::Skimmed,
            (Window::All, Some(sweep)) if !sweep.done && now.since(sweep.began) < LONGEST => {
                self.sweep = Some(Sweep { alone: false, ..sweep });
                Coverage::Skimmed
            }
            (Window::All, last) => {
                let number = last.map_or(0, |sweep| sweep.number);
                if last.is_some_and(|sweep| sweep.done) {
                    self.drop_older_than(number);
                }
                let number = number.saturating_add(1);
                self.sweep = Some(Sweep { number, began: now, done: false, alone: true });
                Coverage::Once
            }
        }
    }

    /// Forgets the devices that a whole sweep did not meet: they are not listed any more.
    fn drop_older_than(&mut self, sweep: u32) {
        let dropped = &mut self.dropped;
        self.devices.retain(|device, check| {
            let met = check.sweep >= sweep;
            if !met {
                dropped.insert(*device);
            }
            met
        });
    }

    /// Returns whether a scan of `window` asks for the device.
    pub(super) fn is_due(&self, device: u64, window: Window, now: Timestamp) -> bool {
        let Some(check) = self.devices.get(&device) else { return true };
        let soonest = Soonest::expand(check.soonest);
        match window {
            _ if soonest == Soonest::Unread => true,
            Window::All => self.sweep.is_none_or(|sweep| check.sweep < sweep.number),
            Window::Near { from, to } => {
                let asked = Timestamp::from_seconds(i64::from(check.asked));
                let within = |end| from <= end && end <= to;
                let passed = now.since(asked);
                // A clock that was set back must not put checks off for long.
                matches!(soonest, Soonest::At(end) if within(end))
                    || passed >= wait(device, soonest, asked, from)
                    || passed < -DAY
            }
        }
    }

    /// Returns whether the last answer for the device was not understood either.
    pub(super) fn was_unread(&self, device: u64) -> bool {
        let unread = |check: &Check| Soonest::expand(check.soonest) == Soonest::Unread;
        self.devices.get(&device).is_some_and(unread)
    }

    /// Returns whether a sweep was broken off and waits to be gone on with.
    pub(super) fn is_waiting(&self) -> bool {
        self.sweep.is_some_and(|sweep| !sweep.done)
    }

    /// Returns the checkpoint of a device that a scan of `window` asked for.
    pub(super) fn checkpoint(
        &self,
        device: u64,
        window: Window,
        soonest: Soonest,
        now: Timestamp,
    ) -> Checkpoint {
        let (asked, soonest) = (compact(now), soonest.compact());
        let sweep = match (window, self.sweep) {
            (_, None) => 0,
            (Window::Near { .. }, Some(sweep)) if sweep.alone => {
                self.devices.get(&device).map_or(0, |check| check.sweep)
            }
            (_, Some(sweep)) => sweep.number,
        };
        (key(device), Some(format!("{asked} {soonest} {sweep}")))
    }

    /// Returns the checkpoint of a sweep: at its first page that it begins, and at its last that it `ends`. A near scan does
    /// so only for one that it began itself: of another it may know less than the full scan beside it.
    pub(super) fn checkpoint_sweep(&self, window: Window, ends: bool) -> Vec<Checkpoint> {
        let sweep = self.sweep.filter(|sweep| window == Window::All || sweep.number > self.kept);
        let sweep = sweep.map(|Sweep { number, began, done, .. }| {
            let ends = ends && window == Window::All;
            let state = if done || ends { DONE } else { OPEN };
            (SWEEP.to_owned(), Some(format!("{number} {} {state}", began.seconds())))
        });
        let dropped = self.dropped.iter().filter(|_| window == Window::All);
        dropped.map(|device| (key(*device), None)).chain(sweep).collect()
    }

    /// Learns of a sweep from a checkpoint. One that is done stays so, and one that began later stays the last.
    fn learn(&mut self, kept: Sweep) {
        let known = self.sweep.unwrap_or(kept);
        if known.number == kept.number {
            self.sweep = Some(Sweep { done: known.done || kept.done, ..known });
        } else if known.number < kept.number {
            self.sweep = Some(kept);
        }
        self.kept = self.kept.max(kept.number);
    }

    /// Takes checkpoints in: from before a restart, or of pages that were handed on.
    pub(super) fn restore(&mut self, checkpoints: &[Checkpoint]) {
        for (key, value) in checkpoints {
            if key == SWEEP {
                value.as_deref().and_then(read_sweep).into_iter().for_each(|it| self.learn(it));
            } else if let Some(device) = key.strip_prefix(CHECK).and_then(read_device) {
                self.dropped.remove(&device);
                match value.as_deref().and_then(read_check) {
                    Some(check) => drop(self.devices.insert(device, check)),
                    None => drop(self.devices.remove(&device)),
                }
            }
        }
    }
}

fn key(device: u64) -> String {
    format!("{CHECK}{device:016x}")
}

fn read_device(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

fn read_check(text: &str) -> Option<Check> {
    let mut numbers = text.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Check { asked: next()?, soonest: next()?, sweep: next()? })
}

fn read_sweep(text: &str) -> Option<Sweep> {
    let mut parts = text.split(' ');
    let number = parts.next()?.parse().ok()?;
    let began = Timestamp::from_seconds(parts.next()?.parse().ok()?);
    Some(Sweep { number, began, done: parts.next()? == DONE, alone: false })
}

/// Returns how long after it was asked for a device is due again: between half of the time that its soonest end
/// allows and the whole of it, so that devices that were asked for together do not all come again together.
fn wait(device: u64, soonest: Soonest, asked: Timestamp, from: Timestamp) -> i64 {
    let longest = match soonest {
        Soonest::At(end) if end >= from => (end.since(asked) / SHARE).clamp(DAY, LONGEST),
        _ => DAY,
    };
    let part = 32 + i64::from(u8::try_from(device % 33).unwrap_or(0));
    longest * part / 64
}

#[cfg(test)]
mod tests;
