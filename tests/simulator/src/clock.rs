//! The simulated providers' clock, and the ways they write time.

use std::sync::Arc;

/// Tells milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Returns the machine's clock.
pub fn system() -> Clock {
    Arc::new(wall_millis)
}

/// Returns the wall clock in whole seconds.
pub fn wall_seconds() -> i64 {
    wall_millis().div_euclid(1000)
}

#[expect(clippy::disallowed_methods, reason = "a provider has its own clock, not the daemon's")]
fn wall_millis() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// A second of the calendar, in UTC.
#[derive(Clone, Copy)]
pub struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    /// 0 is Sunday.
    pub weekday: i64,
}

/// Returns the calendar second of a time (Howard Hinnant's days-to-civil arithmetic).
pub fn civil(seconds: i64) -> Civil {
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Civil {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
        weekday: (days + 4).rem_euclid(7),
    }
}

/// Returns `YYYY-MM-DD` in UTC, as a signature's scope has it.
pub fn utc_date(seconds: i64) -> String {
    let at = civil(seconds);
    format!("{:04}-{:02}-{:02}", at.year, at.month, at.day)
}

/// Returns `YYYY-MM-DD HH:MM:SS` in UTC+8, as the SSL product writes times.
pub fn beijing(seconds: i64) -> String {
    let at = civil(seconds + 8 * 3600);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    )
}

/// Returns the value of a `Date` header.
pub fn http_date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = civil(seconds);
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[at.weekday as usize],
        at.day,
        MONTHS[at.month as usize - 1],
        at.year,
        at.hour,
        at.minute,
        at.second
    )
}

/// Returns `YYMMDDHHMMSSZ`, as a certificate writes times before 2050.
pub fn utc_time(seconds: i64) -> [u8; 13] {
    let at = civil(seconds);
    let mut text = *b"0000000000000";
    let pairs = [at.year % 100, at.month, at.day, at.hour, at.minute, at.second];
    for (slot, value) in text.chunks_exact_mut(2).zip(pairs) {
        slot[0] = b'0' + (value / 10) as u8;
        slot[1] = b'0' + (value % 10) as u8;
    }
    text[12] = b'Z';
    text
}
