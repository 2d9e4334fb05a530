//! Months of the calendar, in UTC.

use std::fmt;

use chrono::{DateTime, Datelike as _, NaiveDate};

use super::certificate::Timestamp;

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Month {
    /// Returns a month by its year and its number, from 1 on.
    pub fn new(year: i32, number: u8) -> Self {
        Self(year.saturating_mul(12).saturating_add(i32::from(number)).saturating_sub(1))
    }

    /// Returns the month that a time lies in. Times beyond the calendar's 262 000 years lie in none.
    pub fn of(at: Timestamp) -> Option<Self> {
        let date = DateTime::from_timestamp(at.seconds(), 0)?.date_naive();
        Some(Self::new(date.year(), u8::try_from(date.month()).ok()?))
    }

    /// Returns its year and its number, from 1 on.
    pub fn year_and_number(self) -> (i32, u8) {
        let number = u8::try_from(self.0.rem_euclid(12)).unwrap_or(0);
        (self.0.div_euclid(12), number + 1)
    }

    /// Returns the number under which it is kept: that of months since the year 0.
    pub const fn index(self) -> i32 {
        self.0
    }

    /// Returns the month that is kept under a number.
    pub const fn from_index(index: i32) -> Self {
        Self(index)
    }

    /// Returns the month so many months later.
    #[must_use]
    pub const fn plus(self, months: i32) -> Self {
        Self(self.0.saturating_add(months))
    }

    /// Returns its first second; `None` beyond the calendar.
    pub fn start(self) -> Option<Timestamp> {
        let number = u32::try_from(self.0.rem_euclid(12)).ok()? + 1;
        let first = NaiveDate::from_ymd_opt(self.0.div_euclid(12), number, 1)?;
        Some(Timestamp::from_seconds(first.and_hms_opt(0, 0, 0)?.and_utc().timestamp()))
    }

    /// Returns the month that `2027-03` stands for.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, number) = text.rsplit_once('-')?;
        let number = number.parse().ok().filter(|number| (1..=12).contains(number))?;
        Some(Self::new(year.parse().ok()?, number))
    }
}

impl fmt::Display for Month {
    /// Writes `2027-03`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_what_the_calendar_says() {
        for (seconds, text, start) in [
            (0, "1970-01", 0),
            (-1, "1969-12", -31 * 86_400),
            (1_801_439_999, "2027-01", 1_798_761_600),
            (1_801_440_000, "2027-02", 1_801_440_000),
        ] {
            let month = Month::of(Timestamp::from_seconds(seconds)).unwrap();
            assert_eq!(
                (month.to_string().as_str(), month.start()),
                (text, Some(Timestamp::from_seconds(start)))
            );
            assert_eq!(
                (Month::parse(text), Month::from_index(month.index())),
                (Some(month), month)
            );
        }
        assert_eq!(Month::new(2027, 12).plus(1), Month::new(2028, 1));
        assert_eq!(Month::of(Timestamp::from_seconds(i64::MAX)), None);
        for text in ["", "2027", "2027-00", "2027-13", "x-01"] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }
}
