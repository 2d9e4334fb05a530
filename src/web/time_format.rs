//! Times for a reader.

use chrono::DateTime;

use crate::expiry::Timestamp;

/// Returns the time as `2026-11-22 00:00:00 UTC`.
pub(super) fn utc(at: Timestamp) -> String {
    DateTime::from_timestamp(at.seconds(), 0).map_or_else(
        // No calendar reaches there; the number is still the truth.
        || format!("{} s after 1970", at.seconds()),
        |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// Returns the time for the `datetime` attribute, where it has one.
pub(super) fn machine(at: Timestamp) -> Option<String> {
    let time = DateTime::from_timestamp(at.seconds(), 0)?;
    Some(time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Returns how far `at` is from `now`: `in 3 d 4 h`, `5 min ago`.
pub(super) fn distance(at: Timestamp, now: Timestamp) -> String {
    match at.since(now) {
        0 => "now".to_owned(),
        ahead @ 1.. => format!("in {}", span(ahead.unsigned_abs())),
        behind => format!("{} ago", span(behind.unsigned_abs())),
    }
}

fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (1..10, 1.., _) => format!("{days} d {hours} h"),
        _ => format!("{days} d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (1_795_305_600, "2026-11-22 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (i64::MAX, "9223372036854775807 s after 1970"),
        ] {
            assert_eq!(utc(Timestamp::from_seconds(seconds)), expected);
        }
        assert_eq!(machine(Timestamp::from_seconds(0)).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(machine(Timestamp::from_seconds(i64::MIN)), None);
    }

    #[test]
    fn distances() {
        let now = Timestamp::from_seconds(1_000_000);
        for (seconds, expected) in [
            (0, "now"),
            (59, "in 59 s"),
            (-60, "1 min ago"),
            (3600, "in 1 h"),
            (3660, "in 1 h 1 min"),
            (86_400, "in 1 d"),
            (-100_000, "1 d 3 h ago"),
            (30 * 86_400 + 7200, "in 30 d"),
            (i64::MIN, "106751991167300 d ago"),
        ] {
            assert_eq!(distance(now.plus(seconds), now), expected, "{seconds}");
        }
    }
}
