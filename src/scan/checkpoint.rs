//! How far the readings by windows have come, so that what was read whole is not read again after a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::proof::Reading;
use crate::expiry::{Kind, Timestamp};
use crate::source::{Checkpoint, Slice, Window};

/// What a reading has found longer ago than this is not believed to hold still: it begins again.
const BELIEVED: i64 = 24 * 3600;

/// Before the kind of certificate in the key of a checkpoint.
const KEY: &str = "pass/";

/// A reading of a slice by windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// When it began.
    pub(super) started: Timestamp,
    /// The first end that has not been read.
    pub(super) next: Timestamp,
    /// What the windows before it held.
    pub(super) reading: Reading,
    /// Certificates that are known and there and that no window before it listed.
    pub(super) kept: u64,
}

/// The readings of a source that are not at their end. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Unfinished {
    readings: Arc<Mutex<Readings>>,
}

/// How far each reading has come, by scope and key.
type Readings = BTreeMap<(Arc<str>, String), Progress>;

impl Unfinished {
    /// Takes checkpoints of a scope in: as they are written, and after a restart. Those of the source are not about it.
    pub(super) fn restore(&self, scope: &Arc<str>, checkpoints: &[Checkpoint]) {
        let mut readings = self.lock();
        for (key, value) in checkpoints.iter().filter(|(key, _)| key.starts_with(KEY)) {
            let key = (Arc::clone(scope), key.clone());
            match value.as_deref().and_then(Progress::read) {
                Some(progress) => readings.insert(key, progress),
                None => readings.remove(&key),
            };
        }
    }

    /// Returns whether a reading waits to be gone on with.
    pub fn is_waiting(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Returns how far the reading of a slice has come, when that is worth going on from.
    pub(super) fn of(&self, slice: &Slice, now: Timestamp) -> Option<Progress> {
        let key = (Arc::clone(&slice.scope), key(slice));
        let progress = self.lock().get(&key).copied()?;
        let lasts = (0..BELIEVED).contains(&now.since(progress.started));
        (slice.window == Window::All && lasts).then_some(progress)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Arc<str>, String), Progress>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the checkpoint of how far the reading of a slice has come; `None`: it is at its end.
pub(super) fn checkpoint(slice: &Slice, progress: Option<Progress>) -> Checkpoint {
    (key(slice), progress.map(|progress| progress.written()))
}

fn key(slice: &Slice) -> String {
    format!("{KEY}{}", slice.kind.map_or("any", Kind::as_str))
}

impl Progress {
    pub(super) fn beginning(started: Timestamp, next: Timestamp) -> Self {
        Self { started, next, reading: Reading::default(), kept: 0 }
    }

    /// Numbers in this order, for as long as stores keep checkpoints of earlier versions.
    fn written(&self) -> String {
        let Reading {
            first_total, last_total, distinct, gap_detected, unreadable, unknown, ..
        } = self.reading;
        let (started, next) = (self.started.seconds(), self.next.seconds());
        let (gap_detected, kept) = (u8::from(gap_detected), self.kept);
        format!(
            "{started} {next} {first_total} {last_total} {distinct} {gap_detected} {unreadable} {unknown} {kept}"
        )
    }

    /// Reads a checkpoint. One that is not understood is none: the reading begins again.
    fn read(written: &str) -> Option<Self> {
        let numbers = written.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
        let [
            started,
            next,
            first_total,
            last_total,
            distinct,
            gap_detected,
            unreadable,
            unknown,
            kept,
        ] = numbers.try_into().ok()?;
        let at = |seconds: u64| i64::try_from(seconds).ok().map(Timestamp::from_seconds);
        let reading = Reading {
            first_total,
            last_total,
            distinct,
            gap_detected: gap_detected != 0,
            unreadable,
            unknown,
            ..Reading::default()
        };
        Some(Self { started: at(started)?, next: at(next)?, reading, kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(window: Window) -> Slice {
        let kind = Some(Kind::Device);
        Slice { kind, cuttable: true, ..Slice::whole(&"mqtt-1".into(), window, 100, 10) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn restored(checkpoints: &[Checkpoint]) -> Unfinished {
        let unfinished = Unfinished::default();
        unfinished.restore(&"mqtt-1".into(), checkpoints);
        unfinished
    }

    fn half_way() -> Progress {
        let reading = Reading {
            first_total: 7,
            last_total: 8,
            distinct: 9,
            gap_detected: true,
            unreadable: 2,
            unknown: 1,
            ..Reading::default()
        };
        Progress { started: at(1_800_000_000), next: at(1_800_086_401), reading, kept: 3 }
    }

    #[test]
    fn a_checkpoint_brings_back_how_far_a_reading_had_come() {
        let slice = slice(Window::All);
        let half_way_there = checkpoint(&slice, Some(half_way()));
        let written = "1800000000 1800086401 7 8 9 1 2 1 3".to_owned();
        assert_eq!(half_way_there, ("pass/device".to_owned(), Some(written)));
        let unfinished = restored(&[half_way_there]);
        assert!(unfinished.is_waiting());
        assert_eq!(unfinished.of(&slice, at(1_800_000_100)), Some(half_way()));
        let other = Slice { scope: "mqtt-2".into(), ..slice.clone() };
        assert_eq!(unfinished.of(&other, at(1_800_000_100)), None);
        unfinished.restore(&slice.scope, &[checkpoint(&slice, None)]);
        assert!(!unfinished.is_waiting());
    }

    #[test]
    fn what_is_old_or_not_about_everything_is_not_gone_on_from() {
        let unfinished = restored(&[checkpoint(&slice(Window::All), Some(half_way()))]);
        let near = Window::Near { from: at(0), to: at(1) };
        let begun = half_way().started;
        assert_eq!(unfinished.of(&slice(near), begun), None);
        assert_eq!(unfinished.of(&slice(Window::All), begun.plus(BELIEVED)), None);
        assert_eq!(unfinished.of(&slice(Window::All), begun.plus(-1)), None, "the clock went back");
    }

    #[test]
    fn checkpoints_that_are_not_understood_are_none() {
        for (key, value) in [
            ("pass/device", ""),
            ("pass/device", "1 2 3"),
            ("pass/device", "1 2 3 4 5 6 7 8 -9"),
            ("pass/device", "18446744073709551615 2 3 4 5 6 7 8 9"),
            ("check/device", "1 2 3 4 5 6 7 8 9"),
        ] {
            let unfinished = restored(&[(key.to_owned(), Some(value.to_owned()))]);
            assert!(!unfinished.is_waiting(), "{key} {value}");
        }
    }
}
