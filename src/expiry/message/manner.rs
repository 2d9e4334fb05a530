//! How a message is told: in which language, with the times of which zone.

use chrono::{DateTime, Offset as _};
use chrono_tz::Tz;

use super::Language::{self, En, Zh};
use super::words;
use crate::expiry::certificate::Timestamp;
use crate::expiry::text::iso;

/// How a message is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The language.
    pub language: Language,
    /// The zone that its times are in.
    pub zone: Tz,
}

impl From<Language> for Manner {
    /// Returns the manner of those who name no zone.
    fn from(language: Language) -> Self {
        Self { language, zone: Tz::UTC }
    }
}

/// Returns `time` as a clock on the wall shows it: `2027-01-08 08:00 (UTC+8)`.
pub(super) fn wall(time: Timestamp, zone: Tz) -> String {
    let Some(utc) = DateTime::from_timestamp(time.seconds(), 0) else { return iso(time) };
    let local = utc.with_timezone(&zone);
    let minutes = local.offset().fix().local_minus_utc() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    let ahead = match (minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60) {
        (0, 0) => String::new(),
        (hours, 0) => format!("{sign}{hours}"),
        (hours, minutes) => format!("{sign}{hours}:{minutes:02}"),
    };
    format!("{} (UTC{ahead})", local.format("%Y-%m-%d %H:%M"))
}

/// Returns how far `time` is from `now`: `in 6 days`, `6 days ago`.
pub(super) fn distance(time: Timestamp, now: Timestamp, language: Language) -> String {
    let seconds = time.since(now);
    let span = words::span(seconds.unsigned_abs(), language);
    match (language, seconds > 0) {
        (En, true) => format!("in {span}"),
        (En, false) => format!("{span} ago"),
        (Zh, true) => format!("{span}后"),
        (Zh, false) => format!("{span}前"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_readers_wall() {
        let at = |seconds| Timestamp::from_seconds(seconds);
        for (zone, seconds, expected) in [
            (Tz::UTC, 1_799_366_400, "2027-01-08 00:00 (UTC)"),
            (Tz::Asia__Shanghai, 1_799_366_400, "2027-01-08 08:00 (UTC+8)"),
            (Tz::Asia__Kolkata, 1_799_366_400, "2027-01-08 05:30 (UTC+5:30)"),
            (Tz::America__St_Johns, 1_799_366_400, "2027-01-07 20:30 (UTC-3:30)"),
            // Summer and winter of one zone.
            (Tz::Europe__Berlin, 1_799_366_400, "2027-01-08 01:00 (UTC+1)"),
            (Tz::Europe__Berlin, 1_815_004_800, "2027-07-08 02:00 (UTC+2)"),
            (Tz::UTC, i64::MAX, "9223372036854775807 s"),
        ] {
            assert_eq!(wall(at(seconds), zone), expected, "{zone}");
        }
    }

    #[test]
    fn a_distance_has_a_direction() {
        let now = Timestamp::from_seconds(1_767_225_600);
        for (seconds, en, zh) in [
            (6 * 86_400, "in 6 days", "6 天后"),
            (-86_400, "1 day ago", "1 天前"),
            (0, "1 minute ago", "1 分钟前"),
        ] {
            assert_eq!(distance(now.plus(seconds), now, En), en);
            assert_eq!(distance(now.plus(seconds), now, Zh), zh);
        }
    }
}
