//! When a cron expression fires, at the hours of its timezone.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use crate::expiry::Timestamp;

/// Ticks that are looked at to find the longest gap of an expression.
const TICKS: usize = 400;

/// Returns whether a tick was missed since `last`; a source that was never read has missed one.
pub(super) fn missed(
    expression: &str,
    timezone: Tz,
    last: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    last.is_none_or(|last| next_after(expression, timezone, last).is_some_and(|next| next <= now))
}

/// Returns the longest time between two ticks, in seconds, among the next few hundred.
pub(super) fn longest_gap(expression: &str, timezone: Tz, now: Timestamp) -> i64 {
    let Some(cron) = parse(expression) else { return 1 };
    let (mut longest, mut at) = (0, next(&cron, timezone, now));
    for _ in 0..TICKS {
        let Some(tick) = at else { break };
        at = next(&cron, timezone, tick);
        if let Some(next) = at {
            longest = longest.max(next.since(tick));
        }
    }
    longest.max(1)
}

/// Returns the first tick after a time; `None` where there is none any more.
pub(super) fn next_after(expression: &str, timezone: Tz, after: Timestamp) -> Option<Timestamp> {
    next(&parse(expression)?, timezone, after)
}

fn parse(expression: &str) -> Option<Cron> {
    let parser = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build();
    parser.parse(expression).ok()
}

fn next(cron: &Cron, timezone: Tz, after: Timestamp) -> Option<Timestamp> {
    let after: DateTime<Utc> = DateTime::from_timestamp(after.seconds(), 0)?;
    let next = cron.find_next_occurrence(&after.with_timezone(&timezone), false).ok()?;
    Some(Timestamp::from_seconds(next.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Tz {
        name.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_seconds(DateTime::parse_from_rfc3339(text).unwrap().timestamp())
    }

    #[test]
    fn a_tick_is_at_the_hour_of_the_zone_on_both_sides_of_summer_time() {
        let paris = zone("Europe/Paris");
        let nine = "0 0 9 * * *";
        let before = next_after(nine, paris, at("2026-03-28T00:00:00Z")).unwrap();
        let after = next_after(nine, paris, at("2026-03-29T00:00:00Z")).unwrap();
        assert_eq!(before, at("2026-03-28T08:00:00Z"));
        assert_eq!(after, at("2026-03-29T07:00:00Z"));
    }

    #[test]
    fn the_longest_gap_of_working_days_is_the_weekend() {
        let now = at("2026-11-22T00:00:00Z");
        assert_eq!(longest_gap("0 0 9 * * 1-5", zone("UTC"), now), 3 * 86_400);
        assert_eq!(longest_gap("0 */10 * * * *", zone("UTC"), now), 600);
    }

    #[test]
    fn a_tick_missed_while_the_daemon_was_down_fires_at_once() {
        let hourly = "0 0 * * * *";
        let now = at("2026-11-22T10:30:00Z");
        let cases = [
            (None, true),
            (Some("2026-11-22T09:59:00Z"), true),
            (Some("2026-11-22T10:00:05Z"), false),
        ];
        for (last, expected) in cases {
            assert_eq!(missed(hourly, zone("UTC"), last.map(at), now), expected, "{last:?}");
        }
    }
}
