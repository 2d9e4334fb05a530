//! When to read a source.

use std::time::Duration;

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
        timezone: chrono_tz::Tz,
    },
}
