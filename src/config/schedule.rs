//! When to read a source.

use std::fmt;
use std::time::Duration;

use chrono::TimeZone as _;
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds};

use super::duration;

/// A year: more is surely a slip, and timers stay far from their limits.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// When to read a source.
#[derive(Clone, Debug, PartialEq)]
pub enum Schedule {
    /// At this interval: `every 10m`.
    Every(Duration),
    /// At the times of a cron expression with six fields, in a time zone.
    Cron {
        /// The expression, seconds first.
        expression: String,
        /// The zone that its times are in.
        timezone: Tz,
    },
}

impl Schedule {
    /// Reads `every 10m`, `@every 10m`, `@daily` and the like, or cron with 5 or 6 fields.
    ///
    /// In cron, day of month and day of week must both match.
    pub fn parse(text: &str, timezone: Tz) -> Result<Self, String> {
        let text = text.trim();
        let interval = text.strip_prefix("every ").or_else(|| text.strip_prefix("@every "));
        match interval {
            Some(interval) => every(interval),
            None => cron(text, timezone),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "every {}", humantime::format_duration(*interval)),
            Self::Cron { expression, timezone } => write!(f, "{expression} ({timezone})"),
        }
    }
}

fn every(interval: &str) -> Result<Schedule, String> {
    let interval = duration(interval)?;
    if interval < Duration::from_secs(1) {
        return Err("the interval must be at least 1s".to_owned());
    }
    if interval > LONGEST {
        return Err("the interval must be at most 366d".to_owned());
    }
    Ok(Schedule::Every(interval))
}

fn cron(text: &str, timezone: Tz) -> Result<Schedule, String> {
    let expression = six_fields(text)?;
    // As the scheduler itself parses, so that what is accepted here runs there.
    let parser = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build();
    let cron =
        parser.parse(&expression).map_err(|error| format!("not a cron expression: {error}"))?;
    let some_day = timezone.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).earliest();
    match some_day.map(|day| cron.find_next_occurrence(&day, true)) {
        Some(Err(_)) => Err("this time never comes".to_owned()),
        _ => Ok(Schedule::Cron { expression, timezone }),
    }
}

fn six_fields(text: &str) -> Result<String, String> {
    let fields: Vec<_> = text.split_whitespace().collect();
    match (fields.as_slice(), text) {
        (_, "@hourly") => Ok("0 0 * * * *".to_owned()),
        (_, "@daily" | "@midnight") => Ok("0 0 0 * * *".to_owned()),
        (_, "@weekly") => Ok("0 0 0 * * 0".to_owned()),
        (_, "@monthly") => Ok("0 0 0 1 * *".to_owned()),
        (_, "@yearly" | "@annually") => Ok("0 0 0 1 1 *".to_owned()),
        ([_, _, _, _, _], _) => Ok(format!("0 {}", fields.join(" "))),
        ([_, _, _, _, _, _], _) => Ok(fields.join(" ")),
        _ => Err("write `every 10m`, or cron with 5 fields, or with 6, seconds first".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let actual = Schedule::parse(text, Tz::Asia__Shanghai).map(|schedule| schedule.to_string());
        assert_eq!(actual.as_deref().map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn schedules() {
        let unclear = "write `every 10m`, or cron with 5 fields, or with 6, seconds first";
        check("every 10m", Ok("every 10m"));
        check("@every 1h 30m", Ok("every 1h 30m"));
        check("*/10 * * * *", Ok("0 */10 * * * * (Asia/Shanghai)"));
        check(" 0  */10 * * * *", Ok("0 */10 * * * * (Asia/Shanghai)"));
        check("0 3 * * MON-FRI", Ok("0 0 3 * * MON-FRI (Asia/Shanghai)"));
        check("@daily", Ok("0 0 0 * * * (Asia/Shanghai)"));
        check("every 0s", Err("the interval must be at least 1s"));
        check("every 10ms", Err("the interval must be at least 1s"));
        check("every 400d", Err("the interval must be at most 366d"));
        check(
            "every 10",
            Err("not a duration: write a number with its unit, such as `10m`, `36h` or `30d`"),
        );
        check("0 0 30 2 *", Err("this time never comes"));
        check("hourly", Err(unclear));
        check("", Err(unclear));
        check("* * * * * * *", Err(unclear));
        check("61 * * * *", Err("not a cron expression: Component error: Number out of bounds."));
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn no_text_is_too_odd(text in "([0-9*/,LW#@?A-Z-]{1,4} ?){0,7}|\\PC{0,40}") {
            // Whatever is accepted has six fields, which is what the scheduler takes.
            if let Ok(Schedule::Cron { expression, .. }) = Schedule::parse(&text, Tz::UTC) {
                prop_assert_eq!(expression.split_whitespace().count(), 6);
            }
        }
    }
}
