//! How many active certificates expire when.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate};

use super::filter::Filter;
use super::{Catalog, CatalogError, off_the_runtime};
use crate::expiry::{Status, Timestamp};

/// Days and months that are counted.
const DAYS: u32 = 90;
const MONTHS: u32 = 36;

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Days in UTC: 90 of them, today first.
    Day,
    /// Months in UTC: 36 of them, this one first.
    Month,
}

/// How many active certificates expire in a day or month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its first second.
    pub from: Timestamp,
    /// Its last second.
    pub to: Timestamp,
    /// How many.
    pub certificates: u64,
}

impl Catalog {
    /// Counts the active certificates that expire in each of the days or months ahead.
    pub async fn timeline(&self, by: By) -> Result<Vec<Count>, CatalogError> {
        let moment = self.moment();
        let Some(starts) = starts(by, moment.now) else { return Ok(Vec::new()) };
        let filter = Filter::with_status(Status::Active);
        let selection = filter.selection(&moment);
        let bounds = starts.clone();
        let counts =
            off_the_runtime(move || moment.view.count_between(&selection, &bounds)).await?;
        let spans = starts.windows(2).zip(counts);
        Ok(spans
            .filter_map(|(span, count)| {
                let [from, until] = span else { return None };
                Some(Count { from: *from, to: until.plus(-1), certificates: count })
            })
            .collect())
    }
}

/// Returns when each begins, and last when the one behind them does. `None` beyond the calendar.
fn starts(by: By, now: Timestamp) -> Option<Vec<Timestamp>> {
    let today = DateTime::from_timestamp(now.seconds(), 0)?.date_naive();
    let dates: Option<Vec<NaiveDate>> = match by {
        By::Day => {
            (0..=DAYS).map(|day| today.checked_add_days(Days::new(u64::from(day)))).collect()
        }
        By::Month => {
            let first = today.with_day(1)?;
            (0..=MONTHS).map(|month| first.checked_add_months(Months::new(month))).collect()
        }
    };
    let start = |date: NaiveDate| Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp());
    dates?.into_iter().map(|date| start(date).map(Timestamp::from_seconds)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_follow_each_other() {
        // 2027-01-31T23:59:59Z
        let now = Timestamp::from_seconds(1_801_439_999);
        let days = starts(By::Day, now).unwrap();
        assert_eq!((days.len(), days[0], days[1]), (91, now.plus(-86_399), now.plus(1)));
        assert!(days.windows(2).all(|pair| pair[1].since(pair[0]) == 86_400));
        let months = starts(By::Month, now).unwrap();
        assert_eq!((months.len(), months[1]), (37, now.plus(1)));
        assert_eq!(months[2].since(months[1]), 28 * 86_400);
        assert_eq!(starts(By::Day, Timestamp::from_seconds(i64::MAX)), None);
    }
}
