//! Numbers, times and texts from outside for a reader.

use chrono::DateTime;
use maud::{Markup, html};

use super::reader::Reader;
use crate::expiry::{Facts, Kind, Language, Status, Timestamp, text};

const DAY: u64 = 86_400;

/// Longer texts are cut; the whole is in the title.
const LONGEST: usize = 80;

/// Letters of a long number that are shown.
const LETTERS: usize = 16;

/// Shows a text from outside: nothing invisible, nothing that turns the line around, and not endless.
pub(super) fn shown(value: &str) -> String {
    text::cut_chars(&text::printable(value), LONGEST)
}

/// Shows a text from outside with the whole of it in the title, where it is cut.
pub(super) fn cut(value: &str, letters: usize) -> Markup {
    let whole = text::printable(value);
    let short = text::cut_chars(&whole, letters);
    let title = (short != whole).then(|| text::cut_chars(&whole, 4000));
    html! { bdi title=[title] { (short) } }
}

/// Shows a serial, a digest, an id.
pub(super) fn number(value: &str) -> Markup {
    html! { code { (cut(value, LETTERS)) } }
}

/// Returns what a certificate is best called.
pub(super) fn name<'a>(facts: &'a Facts, names: &'a [String]) -> &'a str {
    match facts.called(names) {
        "" => "–",
        name => name,
    }
}

/// Writes a count with a space between thousands.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// Returns the day as `2026-11-22`.
pub(super) fn day(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%d")
}

/// Returns the time as `2026-11-22 00:00 UTC`.
pub(super) fn utc(at: Timestamp) -> String {
    formatted(at, "%Y-%m-%d %H:%M UTC")
}

fn formatted(at: Timestamp, form: &str) -> String {
    DateTime::from_timestamp(at.seconds(), 0).map_or_else(
        // No calendar reaches there; the number is still the truth.
        || format!("{} s after 1970", at.seconds()),
        |time| time.format(form).to_string(),
    )
}

/// Shows a time; the script shows it as it is where the reader sits.
pub(super) fn moment(at: Timestamp) -> Markup {
    let machine = DateTime::from_timestamp(at.seconds(), 0);
    let machine = machine.map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    html! { time datetime=[machine] title=(formatted(at, "%Y-%m-%d %H:%M:%S UTC")) { (utc(at)) } }
}

impl Reader {
    /// Returns how far a time is from now: `in 3 days`, `5 minutes ago`.
    pub(super) fn distance(&self, at: Timestamp) -> String {
        let seconds = at.since(self.now);
        let span = self.span(seconds.unsigned_abs());
        match (seconds.signum(), self.language) {
            (0, _) => self.say("now", "现在").to_owned(),
            (1, Language::En) => format!("in {span}"),
            (1, _) => format!("{span}后"),
            (_, Language::En) => format!("{span} ago"),
            _ => format!("{span}前"),
        }
    }

    /// Returns a length of time in the unit that says enough.
    pub(super) fn span(&self, seconds: u64) -> String {
        let (number, english, chinese) = match seconds {
            0..120 => (seconds, "second", "秒"),
            120..7200 => (seconds / 60, "minute", "分钟"),
            7200..172_800 => (seconds / 3600, "hour", "小时"),
            _ if seconds < 730 * DAY => (seconds / DAY, "day", "天"),
            _ => (seconds / (365 * DAY), "year", "年"),
        };
        self.counted(number, english, chinese)
    }

    /// Returns a number of things: English adds an `s`.
    pub(super) fn counted(&self, number: u64, english: &str, chinese: &str) -> String {
        let plural = if number == 1 { "" } else { "s" };
        match self.language {
            Language::En => format!("{} {english}{plural}", count(number)),
            Language::Zh => format!("{} {chinese}", count(number)),
        }
    }

    /// Shows a time and how long ago it was; a dash where it is not known.
    pub(super) fn ago(&self, at: Option<Timestamp>) -> Markup {
        html! {
            @match at {
                Some(at) => { (self.distance(at)) " " span.dim { (moment(at)) } }
                None => "–",
            }
        }
    }

    /// Returns the word for a status.
    pub(super) const fn status(&self, status: Status) -> &'static str {
        match status {
            Status::Active => self.say("active", "使用中"),
            Status::Inactive => self.say("inactive", "未启用"),
            Status::Pending => self.say("pending", "待激活"),
            Status::Revoked => self.say("revoked", "已吊销"),
            Status::Superseded => self.say("superseded", "已被替换"),
            Status::Retired => self.say("retired", "已停用"),
            Status::Undated => self.say("undated", "无到期日"),
        }
    }

    /// Returns the word for a kind.
    pub(super) const fn kind(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Device => self.say("device", "设备"),
            Kind::Ca => self.say("CA", "CA"),
            Kind::Server => self.say("server", "服务器"),
            Kind::Client => self.say("client", "客户端"),
        }
    }

    /// Returns the words for a rung's label.
    pub(super) fn rung(&self, label: &str) -> String {
        match (label, self.language) {
            (share, Language::En) if share.ends_with('%') => format!("last {share}"),
            (share, Language::Zh) if share.ends_with('%') => format!("最后 {share}"),
            ("expired", _) => self.say("expired", "已过期").to_owned(),
            (label, Language::En) => format!("within {label}"),
            (label, _) => format!("{label} 内"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(language: Language) -> Reader {
        Reader { language, here: "/".to_owned(), now: Timestamp::from_seconds(1_000_000) }
    }

    #[test]
    fn distances_are_in_the_unit_that_says_enough() {
        for (seconds, english, chinese) in [
            (0, "now", "现在"),
            (59, "in 59 seconds", "59 秒后"),
            (-3600, "60 minutes ago", "60 分钟前"),
            (86_400, "in 24 hours", "24 小时后"),
            (-7_199, "119 minutes ago", "119 分钟前"),
            (30 * 86_400 + 7200, "in 30 days", "30 天后"),
            (5 * 365 * 86_400, "in 5 years", "5 年后"),
        ] {
            let at = Timestamp::from_seconds(1_000_000 + seconds);
            assert_eq!(reader(Language::En).distance(at), english);
            assert_eq!(reader(Language::Zh).distance(at), chinese);
        }
        let far = reader(Language::En).distance(Timestamp::from_seconds(i64::MIN));
        assert!(far.ends_with("years ago"), "{far}");
    }

    #[test]
    fn counts_and_times_can_be_read() {
        let counts = [0, 999, 1000, 12_003, 10_000_000].map(count);
        assert_eq!(counts, ["0", "999", "1\u{a0}000", "12\u{a0}003", "10\u{a0}000\u{a0}000"]);
        assert_eq!(utc(Timestamp::from_seconds(1_795_305_600)), "2026-11-22 00:00 UTC");
        assert_eq!(day(Timestamp::from_seconds(i64::MAX)), "9223372036854775807 s after 1970");
    }

    #[test]
    fn a_long_text_is_cut_with_the_whole_in_the_title() {
        assert_eq!(cut("abc", 3).into_string(), "<bdi>abc</bdi>");
        assert_eq!(cut("a\"bcd", 4).into_string(), "<bdi title=\"a&quot;bcd\">a&quot;b…</bdi>");
        assert!(!cut("a\u{202e}b", 9).into_string().contains('\u{202e}'));
    }
}
