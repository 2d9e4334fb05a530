//! Times as the vendors write them. Unknown is never zero, and nonsense is never a time.

use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::expiry::Timestamp;

/// UTC+8 has had no daylight saving since 1991, so that a fixed offset is the zone.
const CHINA_SECONDS: i32 = 8 * 3600;
/// 1973-03-03. No certificate is that old: a smaller number is seconds where milliseconds are due.
const LEAST_MILLIS: i64 = 100_000_000_000;
/// The last millisecond of the year 9999, which is also the last that X.509 can write.
const MOST_MILLIS: i64 = 253_402_300_799_999;

/// A value that is neither a time nor a known way to say "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time")]
pub struct NotATime;

/// Reads `YYYY-MM-DD HH:MM:SS` in UTC+8, as Tencent's SSL product writes it.
///
/// Empty, `--` and dates that begin with `0000-` mean none, and so does the epoch, which is how a zero looks
/// after formatting. Samples of the vendor also show fields with a single digit.
pub fn china_time(text: &str) -> Result<Option<Timestamp>, NotATime> {
    let text = text.trim();
    if text.is_empty() || text == "--" || text.starts_with("0000-") {
        return Ok(None);
    }
    let (date, time) = text.split_once(' ').ok_or(NotATime)?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time.trim_start(), ':')?;
    if !(1970..=9999).contains(&year) {
        return Err(NotATime);
    }
    let zone = FixedOffset::east_opt(CHINA_SECONDS).ok_or(NotATime)?;
    let time = i32::try_from(year)
        .ok()
        .and_then(|year| NaiveDate::from_ymd_opt(year, month, day))
        .and_then(|date| date.and_hms_opt(hour, minute, second))
        .and_then(|time| time.and_local_timezone(zone).single())
        .ok_or(NotATime)?;
    match time.timestamp() {
        ..=0 => Ok(None),
        seconds => Ok(Some(Timestamp::from_seconds(seconds))),
    }
}

/// Reads three numbers of one to four digits.
fn numbers(text: &str, separator: char) -> Result<[u32; 3], NotATime> {
    let mut parts = text.split(separator).map(|part| {
        let digits = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        part.parse().ok().filter(|_| digits).ok_or(NotATime)
    });
    let mut next = || parts.next().unwrap_or(Err(NotATime));
    let found = [next()?, next()?, next()?];
    if parts.next().is_some() { Err(NotATime) } else { Ok(found) }
}

/// Reads milliseconds since the epoch. Zero means none, as Tencent and EnOS use it.
pub fn millis(millis: i64) -> Result<Option<Timestamp>, NotATime> {
    match millis {
        0 => Ok(None),
        LEAST_MILLIS..=MOST_MILLIS => Ok(Some(Timestamp::from_millis(millis))),
        _ => Err(NotATime),
    }
}

/// Reads a date as headers of HTTP hold it, such as `Date`.
pub fn http_date(text: &str) -> Option<Timestamp> {
    let time = DateTime::<Utc>::from(httpdate::parse_http_date(text.trim()).ok()?);
    Some(Timestamp::from_seconds(time.timestamp()))
}

/// Returns how long an answer asks us to wait: a number of seconds, or until a date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse() {
        Ok(seconds) => seconds,
        // A date that has passed asks for nothing more.
        Err(_) => u64::try_from(http_date(text)?.since(now)).unwrap_or(0),
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn china_times() {
        let at = |seconds| Ok(Some(Timestamp::from_seconds(seconds)));
        for (text, expected) in [
            ("2035-01-08 07:59:59", at(2_051_827_199)),
            ("2025-11-23 00:00:00", at(1_763_827_200)),
            (" 2025-11-23 00:00:00\n", at(1_763_827_200)),
            ("2024-11-06 08:00:0", at(1_730_851_200)),
            ("2024-1-6 8:0:0", at(1_704_499_200)),
            ("9999-12-31 23:59:59", at(253_402_271_999)),
            ("", Ok(None)),
            ("--", Ok(None)),
            ("0000-00-00 00:00:00", Ok(None)),
            ("1970-01-01 08:00:00", Ok(None)),
            ("1970-01-01 00:00:00", Ok(None)),
            ("abc", Err(NotATime)),
            ("2024-11-06", Err(NotATime)),
            ("2024-13-06 08:00:00", Err(NotATime)),
            ("2024-02-30 08:00:00", Err(NotATime)),
            ("2024-11-06 24:00:00", Err(NotATime)),
            ("2024-11-06 08:00:00 UTC", Err(NotATime)),
            ("2024-11-06T08:00:00", Err(NotATime)),
            ("2024-11-06 08:00", Err(NotATime)),
            ("2024-11-06 08:00:00:00", Err(NotATime)),
            ("2024-11-06 +8:00:00", Err(NotATime)),
            ("0024-11-06 08:00:00", Err(NotATime)),
            ("12024-11-06 08:00:00", Err(NotATime)),
            ("2024-11-06 08:00:٣", Err(NotATime)),
        ] {
            assert_eq!(china_time(text), expected, "{text:?}");
        }
    }

    #[test]
    fn milliseconds() {
        let at = |seconds| Ok(Some(Timestamp::from_seconds(seconds)));
        for (value, expected) in [
            (1_766_073_600_000, at(1_766_073_600)),
            (1_766_073_600_999, at(1_766_073_600)),
            (253_402_300_799_000, at(253_402_300_799)),
            (0, Ok(None)),
            // Seconds where milliseconds are due: not January 1970.
            (1_766_073_600, Err(NotATime)),
            (-1, Err(NotATime)),
            (i64::MIN, Err(NotATime)),
            (i64::MAX, Err(NotATime)),
        ] {
            assert_eq!(millis(value), expected, "{value}");
        }
    }

    #[test]
    fn http_dates() {
        assert_eq!(
            http_date("Sat, 22 Nov 2025 16:00:00 GMT"),
            Some(Timestamp::from_seconds(1_763_827_200))
        );
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_until_a_date() {
        let now = Timestamp::from_seconds(1_763_827_200);
        for (text, expected) in [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("Sat, 22 Nov 2025 16:01:30 GMT", Some(90)),
            ("Sat, 22 Nov 2025 15:59:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            let seconds = retry_after(&headers, now).map(|after| after.as_secs());
            assert_eq!(seconds, expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn nonsense_is_never_1970(text in "\\PC{0,24}") {
            if let Ok(Some(time)) = china_time(&text) {
                prop_assert!(time.seconds() > 0);
                prop_assert!(text.trim().starts_with(|c: char| c.is_ascii_digit()));
            }
        }

        #[test]
        fn near_times_never_panic(
            y in 0..20_000_u32, m in 0..20_u32, d in 0..40_u32,
            h in 0..30_u32, i in 0..70_u32, s in 0..70_u32,
        ) {
            let text = format!("{y}-{m}-{d} {h}:{i}:{s}");
            if let Ok(Some(time)) = china_time(&text) {
                prop_assert!((1970..=9999).contains(&y) && time.seconds() > 0);
            }
        }

        #[test]
        fn a_time_that_was_written_is_read(seconds in 1..253_402_271_999_i64) {
            let zone = FixedOffset::east_opt(CHINA_SECONDS).unwrap();
            let written = DateTime::from_timestamp(seconds, 0)
                .unwrap()
                .with_timezone(&zone)
                .format("%Y-%m-%d %H:%M:%S")
                .to_string();
            prop_assert_eq!(china_time(&written), Ok(Some(Timestamp::from_seconds(seconds))));
        }
    }
}
