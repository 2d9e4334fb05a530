//! When to read a source.

use std::fmt;
use std::time::Duration;

use chrono::TimeZone as _;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::duration;
use super::spelling::quoted;
use crate::expiry::Timestamp;

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

impl Schedule {
    /// Returns the time between two polls, on the average; `None` where it cannot be told.
    pub(super) fn mean_interval(&self) -> Option<Duration> {
        // Enough for a leap year's worth of a weekly expression, and for the gaps of any other.
        const TICKS: u32 = 60;
        let (expression, timezone) = match self {
            Self::Every(interval) => return Some(*interval),
            Self::Cron { expression, timezone } => (expression, timezone),
        };
        let cron = parser().parse(expression).ok()?;
        let start = timezone.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).earliest()?;
        let first = cron.find_next_occurrence(&start, true).ok()?;
        let mut last = first;
        for _ in 0..TICKS {
            last = cron.find_next_occurrence(&last, false).ok()?;
        }
        Some((last - first).to_std().ok()? / TICKS)
    }

    /// Returns its first instant after a time; `None` where there is none any more.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(interval) => Some(after.plus(whole_seconds(*interval))),
            Self::Cron { expression, timezone } => {
                let next =
                    cron_of(expression)?.find_next_occurrence(&local(after, *timezone)?, false);
                next.ok().map(|at| Timestamp::from_seconds(at.timestamp()))
            }
        }
    }

    /// Returns its latest instant after a time and not after another one. An interval is counted from the first.
    pub fn latest_within(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let latest = match self {
            Self::Every(interval) => {
                let every = whole_seconds(*interval);
                after.plus(until.since(after) / every * every)
            }
            Self::Cron { expression, timezone } => {
                let until = local(until, *timezone)?;
                let latest = cron_of(expression)?.find_previous_occurrence(&until, true);
                Timestamp::from_seconds(latest.ok()?.timestamp())
            }
        };
        (latest > after).then_some(latest)
    }

    /// Returns what is legal and surely not meant.
    pub(super) fn surprise(&self) -> Option<&'static str> {
        let Self::Cron { expression, .. } = self else { return None };
        let fields: Vec<_> = expression.split_whitespace().collect();
        let chosen =
            |position: usize| fields.get(position).is_some_and(|f| !matches!(*f, "*" | "?"));
        (chosen(3) && chosen(5)).then_some(
            "day of month and day of week must both match, unlike in cron, where one of them is enough; \
             write `*` for the one that does not matter",
        )
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
    let parser = parser();
    let cron = parser.parse(&expression).map_err(|_| wrong_field(parser, &expression))?;
    let some_day = timezone.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).earliest();
    match some_day.map(|day| cron.find_next_occurrence(&day, true)) {
        Some(Err(_)) => Err("this time never comes".to_owned()),
        _ => Ok(Schedule::Cron { expression, timezone }),
    }
}

fn whole_seconds(interval: Duration) -> i64 {
    i64::try_from(interval.as_secs()).unwrap_or(i64::MAX).max(1)
}

fn cron_of(expression: &str) -> Option<Cron> {
    parser().parse(expression).ok()
}

fn local(time: Timestamp, timezone: Tz) -> Option<DateTime<Tz>> {
    let time: DateTime<Utc> = DateTime::from_timestamp(time.seconds(), 0)?;
    Some(time.with_timezone(&timezone))
}

/// Parses as the scheduler itself does, so that what is accepted here runs there.
fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build()
}

/// The fields of an expression: their names and what may stand in them.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of month", "1 to 31, or L for the last"),
    ("month", "1 to 12, or JAN to DEC"),
    ("day of week", "0 to 7, Sunday being 0 and 7, or SUN to SAT"),
];

/// Says which field is wrong: the first that is also wrong alone.
fn wrong_field(parser: CronParser, expression: &str) -> String {
    let is_wrong = |(position, field): &(usize, &str)| {
        let alone = (0..FIELDS.len()).map(|other| if other == *position { *field } else { "*" });
        parser.parse(&alone.collect::<Vec<_>>().join(" ")).is_err()
    };
    let wrong = expression.split_whitespace().enumerate().find(is_wrong);
    match wrong.and_then(|(position, field)| Some((field, FIELDS.get(position)?))) {
        Some((field, (name, allowed))) => format!(
            "{} is no {name}: write {allowed}, `*`, a list `1,2`, a range `1-5` or a step `*/2`",
            quoted(field)
        ),
        None => "the fields of this cron expression do not go together".to_owned(),
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
        let how = "`*`, a list `1,2`, a range `1-5` or a step `*/2`";
        for (text, field) in [
            ("61 * * * *", "`61` is no minute: write 0 to 59"),
            ("99 * * * * *", "`99` is no second: write 0 to 59"),
            ("0 24 * * *", "`24` is no hour: write 0 to 23"),
            ("0 9 0 * *", "`0` is no day of month: write 1 to 31, or L for the last"),
            ("0 9 * JANUARY *", "`JANUARY` is no month: write 1 to 12, or JAN to DEC"),
            (
                "0 9 * * mo",
                "`mo` is no day of week: write 0 to 7, Sunday being 0 and 7, or SUN to SAT",
            ),
            ("a b * * *", "`a` is no minute: write 0 to 59"),
        ] {
            check(text, Err(&format!("{field}, {how}")));
        }
    }

    #[test]
    fn instants_before_and_after_a_time() {
        let at = |text: &str| {
            Timestamp::from_seconds(DateTime::parse_from_rfc3339(text).unwrap().timestamp())
        };
        let weekdays = Schedule::parse("30 9 * * 1-5", Tz::Asia__Shanghai).unwrap();
        let (friday, monday) = (at("2026-11-27T01:30:00Z"), at("2026-11-30T01:30:00Z"));
        assert_eq!(weekdays.next_after(friday), Some(monday));
        assert_eq!(weekdays.next_after(friday.plus(-1)), Some(friday));
        assert_eq!(weekdays.latest_within(friday.plus(-1), friday), Some(friday));
        assert_eq!(weekdays.latest_within(friday, monday.plus(-1)), None);
        assert_eq!(weekdays.latest_within(friday.plus(-9_000_000), monday.plus(-1)), Some(friday));
        let hourly = Schedule::parse("every 1h", Tz::UTC).unwrap();
        assert_eq!(hourly.next_after(friday), Some(friday.plus(3600)));
        assert_eq!(hourly.latest_within(friday, friday.plus(3599)), None);
        assert_eq!(hourly.latest_within(friday, friday.plus(7300)), Some(friday.plus(7200)));
    }

    #[test]
    fn means_of_intervals() {
        for (text, hours) in [("every 7h", 7), ("@daily", 24), ("0 */6 * * *", 6), ("@weekly", 168)]
        {
            let schedule = Schedule::parse(text, Tz::UTC).unwrap();
            assert_eq!(schedule.mean_interval(), Some(Duration::from_hours(hours)), "{text}");
        }
    }

    #[test]
    fn both_kinds_of_day_are_a_surprise() {
        for (text, expected) in
            [("0 9 1 * 1", true), ("0 9 * * 1", false), ("0 9 1 * ?", false), ("every 1h", false)]
        {
            let schedule = Schedule::parse(text, Tz::UTC).unwrap();
            assert_eq!(schedule.surprise().is_some(), expected, "{text}");
        }
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
