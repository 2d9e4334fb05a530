//! Lengths of time as people write them.

use std::time::Duration;

/// Reads `90s`, `10m`, `36h`, `30d` or several of them together.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim()).map_err(|_| {
        "not a duration: write a number with its unit, such as `10m`, `36h` or `30d`".to_owned()
    })
}
