//! Values that several commands take.

use std::time::Duration;

use crate::config;
use crate::expiry::Timestamp;

/// Reads a length of time such as `30d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text)
}

/// Returns the time that is `ahead` of `now`; the end of time when that is too far.
pub(super) fn ahead(now: Timestamp, ahead: Duration) -> Timestamp {
    now.plus(i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX))
}
