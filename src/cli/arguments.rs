//! Values that several commands take.

use std::time::Duration;

use clap::Args;

use super::output::Format;
use crate::config;
use crate::expiry::Timestamp;

/// Which certificates are printed, and how.
#[derive(Args, Debug)]
pub(super) struct Shown {
    /// Prints only what expires within this time, or has expired.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) within: Option<Duration>,
    /// Prints at most this many; 50 in a table, all in other formats.
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(super) format: Format,
}

/// Reads a length of time such as `30d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text)
}

/// Returns the time that is `ahead` of `now`; the end of time when that is too far.
pub(super) fn ahead(now: Timestamp, ahead: Duration) -> Timestamp {
    now.plus(i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX))
}
