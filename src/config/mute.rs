//! `mute` of a route: the times in which its warnings wait.

use chrono::{DateTime, Datelike as _, Timelike as _, Utc, Weekday};
use chrono_tz::Tz;

use super::Fields;
use super::spelling::quoted;
use crate::expiry::Timestamp;

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Mon),
    ("Tue", Weekday::Tue),
    ("Wed", Weekday::Wed),
    ("Thu", Weekday::Thu),
    ("Fri", Weekday::Fri),
    ("Sat", Weekday::Sat),
    ("Sun", Weekday::Sun),
];

/// Minutes in a day.
const DAY: u32 = 24 * 60;

/// Nothing that ends is muted for longer than this, in minutes.
const LONGEST: i64 = 8 * 24 * 60;

/// Times of the week in which warnings wait, in one time zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mute {
    windows: Vec<Window>,
    zone: Tz,
}

/// Some days of the week, and a time of the day; from a later to an earlier time leads into the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    days: [bool; 7],
    from: u32,
    to: u32,
}

impl Mute {
    /// Returns until when warnings wait at a time; `None`: they do not.
    pub fn until(&self, at: Timestamp) -> Option<Timestamp> {
        if !self.is_on(at) {
            return None;
        }
        let minute = Timestamp::from_seconds(at.seconds().div_euclid(60) * 60);
        let mut later = (1..=LONGEST).map(|minutes| minute.plus(minutes * 60));
        later.find(|later| !self.is_on(*later))
    }

    fn is_on(&self, at: Timestamp) -> bool {
        let Some(utc) = DateTime::<Utc>::from_timestamp(at.seconds(), 0) else { return false };
        let local = utc.with_timezone(&self.zone);
        let (day, minute) = (local.weekday(), local.hour() * 60 + local.minute());
        self.windows.iter().any(|window| window.holds(day, minute))
    }

    /// Returns whether it never ends.
    fn is_endless(&self) -> bool {
        let week = |minute: i64| Timestamp::from_seconds(minute * 60);
        !self.windows.is_empty() && (0..7 * i64::from(DAY)).all(|minute| self.is_on(week(minute)))
    }
}

impl Window {
    fn holds(self, day: Weekday, minute: u32) -> bool {
        let on = |day: Weekday| self.days[day.num_days_from_monday() as usize];
        if self.from < self.to {
            return on(day) && (self.from..self.to).contains(&minute);
        }
        (on(day) && minute >= self.from) || (on(day.pred()) && minute < self.to)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut window = Self { days: [true; 7], from: 0, to: DAY };
        let mut words = text.split_whitespace().peekable();
        if let Some(days) = words.peek().and_then(|word| days(word)) {
            (window.days, _) = (days, words.next());
        }
        if let Some(word) = words.next() {
            let (from, to) = word.split_once('-')?;
            (window.from, window.to) = (minute(from)?, minute(to)?);
        }
        let is_something = !text.trim().is_empty() && window.from != window.to;
        (is_something && words.next().is_none()).then_some(window)
    }
}

fn days(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|(known, _)| *known == name);
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(text)?, day(text)?),
    };
    let mut days = [false; 7];
    let length = (last + 7 - first) % 7;
    (0..=length).for_each(|more| days[(first + more) % 7] = true);
    Some(days)
}

fn minute(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| (text.len() == 2).then(|| text.parse::<u32>().ok())?;
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let is_time = hours < 24 && minutes < 60 || hours == 24 && minutes == 0;
    is_time.then_some(hours * 60 + minutes)
}

/// Reads `mute`, whose times are of `zone`.
pub(super) fn mute(fields: &mut Fields<'_>, zone: Tz) -> Mute {
    let Some(texts) = fields.placed_strings("mute") else { return Mute::default() };
    let mut mute = Mute { windows: Vec::new(), zone };
    for text in texts.value {
        match Window::parse(&text.value) {
            Some(window) => mute.windows.push(window),
            None => fields.mistake(
                text.span,
                format!(
                    "`mute`: {} is no time of the week: write `Sat-Sun`, `22:00-07:00` or `Mon-Fri 18:00-08:00`",
                    quoted(&text.value)
                ),
            ),
        }
    }
    if mute.is_endless() {
        fields.mistake(texts.span, "`mute`: it never ends, so that its warnings are never said");
    }
    mute
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mute(texts: &[&str], zone: Tz) -> Mute {
        Mute { windows: texts.iter().map(|text| Window::parse(text).unwrap()).collect(), zone }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_seconds(DateTime::parse_from_rfc3339(text).unwrap().timestamp())
    }

    #[test]
    fn warnings_wait_until_the_last_of_the_times_is_over() {
        let zone = Tz::Asia__Shanghai;
        let weekend = mute(&["Sat-Sun", "22:00-07:00"], zone);
        for (now, until) in [
            // 2027-01-08 is a Friday.
            ("2027-01-08T21:59:59+08:00", None),
            ("2027-01-08T22:00:00+08:00", Some("2027-01-11T07:00:00+08:00")),
            ("2027-01-10T12:34:56+08:00", Some("2027-01-11T07:00:00+08:00")),
            ("2027-01-11T06:59:00+08:00", Some("2027-01-11T07:00:00+08:00")),
            ("2027-01-11T07:00:00+08:00", None),
        ] {
            assert_eq!(weekend.until(at(now)), until.map(at), "{now}");
        }
        let nights = mute(&["Fri-Mon 18:00-08:00"], zone);
        assert_eq!(
            nights.until(at("2027-01-12T07:00:00+08:00")),
            Some(at("2027-01-12T08:00:00+08:00"))
        );
        assert_eq!(nights.until(at("2027-01-12T19:00:00+08:00")), None, "Tuesday");
        assert_eq!(Mute::default().until(at("2027-01-10T12:00:00Z")), None);
    }

    #[test]
    fn what_is_no_time_of_the_week() {
        for text in ["", "Sat-", "sat", "7:00-8:00", "22:00", "24:01-25:00", "08:00-08:00", "Sat x"]
        {
            assert_eq!(Window::parse(text), None, "{text:?}");
        }
        assert!(mute(&["00:00-24:00"], Tz::UTC).is_endless());
        assert!(mute(&["Mon-Fri", "Sat-Sun"], Tz::UTC).is_endless());
        assert!(!mute(&["Mon-Sat"], Tz::UTC).is_endless());
    }
}
