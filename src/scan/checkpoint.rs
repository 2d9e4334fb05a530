//! How far the readings by windows have come, so that what was read whole is not read again after a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Reading;
use crate::expiry::{Kind, Timestamp};
use crate::source::{Slice, Window};
use crate::store::Note;

/// What a reading has found longer ago than this is not believed to hold still: it begins again.
const BELIEVED: i64 = 24 * 3600;

/// Before the kind of certificate in the key of a note.
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
pub struct Checkpoints {
    unfinished: Arc<Mutex<HashMap<Key, Progress>>>,
}

type Key = (Arc<str>, Option<Kind>);

impl Checkpoints {
    /// Takes back what was noted before a restart. Other notes are not about it.
    pub fn restore(&self, notes: &[Note]) {
        let progress = |note: &Note| {
            let kind = Kind::from_word(note.key.strip_prefix(KEY)?);
            Some(((Arc::from(note.scope.as_str()), kind), Progress::read(note.value.as_deref()?)?))
        };
        self.lock().extend(notes.iter().filter_map(progress));
    }

    /// Returns whether a reading waits to be gone on with.
    pub fn is_waiting(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Returns how far the reading of a slice has come, when that is worth going on from.
    pub(super) fn of(&self, slice: &Slice, now: Timestamp) -> Option<Progress> {
        let progress = self.lock().get(&key(slice)).copied()?;
        let lasts = (0..BELIEVED).contains(&now.since(progress.started));
        (slice.window == Window::All && lasts).then_some(progress)
    }

    /// Keeps how far a reading has come, or that it is at its end. Answers with the note to make of it.
    pub(super) fn keep(
        &self,
        slice: &Slice,
        progress: Option<Progress>,
    ) -> (String, Option<String>) {
        match progress {
            Some(progress) => self.lock().insert(key(slice), progress),
            None => self.lock().remove(&key(slice)),
        };
        let kind = slice.kind.map_or("any", Kind::as_str);
        (format!("{KEY}{kind}"), progress.map(|progress| progress.written()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Progress>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(slice: &Slice) -> Key {
    (Arc::clone(&slice.scope), slice.kind)
}

impl Progress {
    pub(super) fn beginning(started: Timestamp, next: Timestamp) -> Self {
        Self { started, next, reading: Reading::default(), kept: 0 }
    }

    /// Numbers in this order, for as long as the note is kept.
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

    /// Reads a note. One that is not understood is none: the reading begins again.
    fn read(note: &str) -> Option<Self> {
        let numbers = note.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
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

    fn noted(key: &str, value: &str) -> [Note; 1] {
        let (source, scope) = ("iot".to_owned(), "mqtt-1".to_owned());
        [Note { source, scope, key: key.to_owned(), value: Some(value.to_owned()) }]
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
    fn a_note_brings_back_how_far_a_reading_had_come() {
        let slice = slice(Window::All);
        let checkpoints = Checkpoints::default();
        let (key, note) = checkpoints.keep(&slice, Some(half_way()));
        let note = note.unwrap();
        assert_eq!(
            (key.as_str(), note.as_str()),
            ("pass/device", "1800000000 1800086401 7 8 9 1 2 1 3")
        );
        let again = Checkpoints::default();
        again.restore(&noted(&key, &note));
        assert!(again.is_waiting());
        assert_eq!(again.of(&slice, at(1_800_000_100)), Some(half_way()));
        assert_eq!(again.keep(&slice, None), (key, None));
        assert!(!again.is_waiting());
    }

    #[test]
    fn what_is_old_or_not_about_everything_is_not_gone_on_from() {
        let checkpoints = Checkpoints::default();
        checkpoints.keep(&slice(Window::All), Some(half_way()));
        let near = Window::Near { from: at(0), to: at(1) };
        let begun = half_way().started;
        assert_eq!(checkpoints.of(&slice(near), begun), None);
        assert_eq!(checkpoints.of(&slice(Window::All), begun.plus(BELIEVED)), None);
        assert_eq!(
            checkpoints.of(&slice(Window::All), begun.plus(-1)),
            None,
            "the clock went back"
        );
    }

    #[test]
    fn notes_that_are_not_understood_are_none() {
        for (key, value) in [
            ("pass/device", ""),
            ("pass/device", "1 2 3"),
            ("pass/device", "1 2 3 4 5 6 7 8 -9"),
            ("pass/device", "18446744073709551615 2 3 4 5 6 7 8 9"),
            ("check/device", "1 2 3 4 5 6 7 8 9"),
        ] {
            let checkpoints = Checkpoints::default();
            checkpoints.restore(&noted(key, value));
            assert!(!checkpoints.is_waiting(), "{key} {value}");
        }
    }
}
