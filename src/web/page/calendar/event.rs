//! The events of a calendar.

use chrono::DateTime;
use xxhash_rust::xxh3::xxh3_64;

use super::ics::Lines;
use super::{Agenda, Day};
use crate::catalog::Entry;
use crate::expiry::{Language, Timestamp};
use crate::web::page::reader::Reader;
use crate::web::page::texts::{count, name, utc};

/// Writes a whole calendar.
pub(super) fn written(agenda: &Agenda, reader: &Reader) -> String {
    let mut lines = Lines::default();
    for (name, value) in [
        ("BEGIN", "VCALENDAR"),
        ("VERSION", "2.0"),
        ("PRODID", "-//notafter//notafter//EN"),
        ("CALSCALE", "GREGORIAN"),
        ("METHOD", "PUBLISH"),
        ("X-WR-CALNAME", reader.say("Certificates", "证书")),
        ("REFRESH-INTERVAL;VALUE=DURATION", "PT1H"),
        ("X-PUBLISHED-TTL", "PT1H"),
    ] {
        lines.plain(name, value);
    }
    for ((at, source), day) in &agenda.days {
        event(&mut lines, (*at, source), day, reader);
    }
    if let Some(at) = agenda.broken_off {
        the_rest(&mut lines, at, reader);
    }
    lines.plain("END", "VCALENDAR");
    lines.into_string()
}

fn event(lines: &mut Lines, (at, source): (Timestamp, &str), day: &Day, reader: &Reader) {
    begin(lines, at, &format!("{:016x}", xxh3_64(source.as_bytes())), reader);
    let summary = summary(source, day, reader);
    lines.text("SUMMARY", &summary);
    lines.text("DESCRIPTION", &description(day, reader));
    lines.text("CATEGORIES", source);
    let ahead = day.rungs.iter().filter(|(_, at)| *at > reader.now);
    for at in ahead.filter_map(|(_, at)| instant(*at)) {
        lines.plain("BEGIN", "VALARM");
        lines.plain("ACTION", "DISPLAY");
        lines.plain("TRIGGER;VALUE=DATE-TIME", &at);
        lines.text("DESCRIPTION", &summary);
        lines.plain("END", "VALARM");
    }
    lines.plain("END", "VEVENT");
}

/// Says where the calendar ends before the certificates do.
fn the_rest(lines: &mut Lines, at: Timestamp, reader: &Reader) {
    begin(lines, at, "rest", reader);
    lines.text(
        "SUMMARY",
        reader.say(
            "More certificates expire from here on than a calendar holds",
            "此后到期的证书超出日历容量",
        ),
    );
    lines.text(
        "DESCRIPTION",
        reader.say(
            "Ask for less of them, such as one source, or look at the page.",
            "请缩小范围（例如只选一个来源），或查看页面。",
        ),
    );
    lines.plain("END", "VEVENT");
}

fn begin(lines: &mut Lines, at: Timestamp, of: &str, reader: &Reader) {
    let date = |at: Timestamp| formatted(at, "%Y%m%d").unwrap_or_default();
    lines.plain("BEGIN", "VEVENT");
    lines.plain("UID", &format!("{}-{of}@notafter", date(at)));
    lines.plain("DTSTAMP", &instant(reader.now).unwrap_or_default());
    lines.plain("DTSTART;VALUE=DATE", &date(at));
    lines.plain("DTEND;VALUE=DATE", &date(at.plus(86_400)));
    lines.plain("TRANSP", "TRANSPARENT");
}

fn summary(source: &str, day: &Day, reader: &Reader) -> String {
    match (day.first.first(), day.count, reader.language) {
        (Some(one), 1, Language::En) => {
            format!("{} expires ({source})", name(&one.facts, &one.names))
        }
        (Some(one), 1, Language::Zh) => {
            format!("{} 到期（{source}）", name(&one.facts, &one.names))
        }
        (_, number, Language::En) => format!("{} certificates expire ({source})", count(number)),
        (_, number, Language::Zh) => format!("{} 个证书到期（{source}）", count(number)),
    }
}

fn description(day: &Day, reader: &Reader) -> String {
    let line = |entry: &Entry| {
        let end = entry.facts.not_after.map(utc).unwrap_or_default();
        // One certificate, one line.
        let named = name(&entry.facts, &entry.names).replace('\n', " ");
        format!("{end}  {named}  {}", entry.facts.serial.replace('\n', " "))
    };
    let mut lines: Vec<String> = day.first.iter().map(line).collect();
    let more = day.count.saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(format!("{} {}", reader.say("and more:", "还有"), count(more)));
    }
    lines.join("\n")
}

fn instant(at: Timestamp) -> Option<String> {
    formatted(at, "%Y%m%dT%H%M%SZ")
}

/// Returns a time in a form of iCalendar.
fn formatted(at: Timestamp, form: &str) -> Option<String> {
    Some(DateTime::from_timestamp(at.seconds(), 0)?.format(form).to_string())
}
