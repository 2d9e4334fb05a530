//! A message as a letter: text and HTML that say the same, and a list as a table beside them.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message as Mail};

use crate::channel::fit::{self, Page, fit};
use crate::channel::keys;
use crate::expiry::text::{cut_chars, iso};
use crate::expiry::{Event, EventKind, Facts, Message, Rung, Severity, severity};

const LARGEST_SUBJECT: usize = 200;
/// Of each of both forms; the list beside them has no limit but the servers' own.
const LARGEST_BODY: usize = 200_000;

/// Returns the letter to one recipient, the same each time. `id` is the request's own.
pub(super) fn write(message: &Message, id: &str, from: &Mailbox, to: &Address) -> String {
    letter(message, id, from, to)
        .map_or_else(String::new, |mail| String::from_utf8_lossy(&mail.formatted()).into_owned())
}

fn letter(message: &Message, id: &str, from: &Mailbox, to: &Address) -> Option<Mail> {
    let domain = from.email.domain();
    let seconds = u64::try_from(message.at.seconds()).unwrap_or_default();
    let mut builder = Mail::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(subject(message))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(format!("<{}@{domain}>", plain_id(id))));
    if let Some(thread) = thread(message) {
        let root = format!("<notafter-{thread}@{domain}>");
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    let mut mail = builder.multipart(parts(message)).ok()?;
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("List-Id", "notafter <notafter>"),
    ] {
        let name = HeaderName::new_from_ascii_str(name);
        mail.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
    }
    Some(mail)
}

fn subject(message: &Message) -> String {
    let title = if message.events.is_empty() { message.one_line() } else { message.title.clone() };
    let title = match message.severity {
        Severity::Info => title,
        severity => title.replacen(
            "[notafter] ",
            &format!("[notafter] {}: ", severity.as_str().to_uppercase()),
            1,
        ),
    };
    cut_chars(&title, LARGEST_SUBJECT)
}

/// Returns what all letters about one problem have in common; none for a list.
fn thread(message: &Message) -> Option<String> {
    match message.events.as_slice() {
        [event] => Some(keys::problem(event).chars().take(16).collect()),
        _ => None,
    }
}

/// An id stands between `<` and `@`.
fn plain_id(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

fn parts(message: &Message) -> MultiPart {
    let text = fit(message, None, LARGEST_BODY, fit::plain_text, String::len);
    let html = fit(message, None, LARGEST_BODY, html, String::len);
    let boundary = |part: &str| format!("notafter-{part}-{}", plain_id(&message.id));
    let both = MultiPart::alternative()
        .boundary(boundary("forms"))
        .singlepart(SinglePart::plain(text))
        .singlepart(SinglePart::html(html));
    let all = MultiPart::mixed().boundary(boundary("all")).multipart(both);
    match table(message) {
        Some(table) => all.singlepart(attached(table)),
        None => all,
    }
}

fn attached(table: Vec<u8>) -> SinglePart {
    let kind = ContentType::parse("text/csv; charset=utf-8").unwrap_or(ContentType::TEXT_PLAIN);
    Attachment::new("certificates.csv".to_owned()).body(table, kind)
}

fn html(page: &Page<'_>) -> String {
    let row = |label: &str, value: &str, is_end: bool| {
        let value = if is_end { format!("<b>{}</b>", escaped(value)) } else { escaped(value) };
        format!(
            "<tr><td style=\"padding:2px 16px 2px 0;color:#5f6368\">{}</td><td>{value}</td></tr>",
            escaped(label)
        )
    };
    let rows: String =
        page.facts.iter().map(|fact| row(&fact.label, &fact.value, fact.is_end)).collect();
    let items: String = page.entries.iter().map(|line| entry(line, page.link_label)).collect();
    let left_out = page.left_out.as_deref().map(|text| format!("<p>{}</p>", escaped(text)));
    let paragraph = |(label, link)| ["<p>", &anchor(label, link), "</p>"].concat();
    let links = page.links().map(paragraph).collect::<Vec<_>>().concat();
    format!(
        "<div style=\"border-left:6px solid #{:06x};padding:4px 16px;font-family:sans-serif\">\
         <h2 style=\"font-size:18px\">{}</h2><table>{rows}</table><ul style=\"padding-left:16px\">{items}</ul>{}{}\
         <p style=\"color:#5f6368;font-size:12px\">{}</p></div>",
        page.tone.rgb(),
        escaped(&page.title),
        left_out.unwrap_or_default(),
        links,
        escaped(&page.footer),
    )
}

fn entry(line: &fit::Line<'_>, label: &str) -> String {
    let open = line.link.map(|link| format!(" {}", anchor(label, link))).unwrap_or_default();
    format!("<li><b>{}</b>{}{open}</li>", escaped(line.name), escaped(line.rest))
}

fn anchor(label: &str, link: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escaped(link), escaped(label))
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Returns what a list is about as CSV, every line of it; nothing for a single event.
fn table(message: &Message) -> Option<Vec<u8>> {
    let daily = message.events.iter().find_map(Event::daily);
    if message.events.len() < 2 && daily.is_none_or(|daily| daily.soonest.is_empty()) {
        return None;
    }
    let mut csv = csv::Writer::from_writer(Vec::new());
    let head = [
        "severity",
        "event",
        "common_name",
        "holder",
        "source",
        "scope",
        "place",
        "issuer",
        "serial",
        "not_after",
    ];
    csv.write_record(head).ok()?;
    for ending in daily.iter().flat_map(|daily| &daily.soonest) {
        let severity = severity(ending.facts.status, ending.rung).as_str();
        let kind = match ending.rung {
            Rung::Expired => EventKind::CertificateExpired,
            _ => EventKind::CertificateExpiring,
        };
        let line = ((severity, kind.as_str()), Some(&ending.facts), &*ending.facts.source);
        csv.write_record(cells(line)).ok()?;
    }
    for event in message.events.iter().filter(|event| event.daily().is_none()) {
        let said = (event.severity.as_str(), event.kind());
        let line = (said, event.facts(), event.source().unwrap_or_default());
        csv.write_record(cells(line)).ok()?;
    }
    csv.into_inner().ok()
}

type Line<'a> = ((&'a str, &'a str), Option<&'a Facts>, &'a str);

fn cells(((severity, kind), facts, source): Line<'_>) -> [String; 10] {
    let of = |read: fn(&Facts) -> &str| facts.map_or("", read).to_owned();
    let end = facts.and_then(|facts| facts.not_after).map(iso).unwrap_or_default();
    let cells = [
        severity.to_owned(),
        kind.to_owned(),
        of(|facts| &facts.common_name),
        of(|facts| &facts.holder),
        source.to_owned(),
        of(|facts| &facts.scope),
        of(|facts| &facts.place),
        of(|facts| &facts.issuer),
        of(|facts| &facts.serial),
        end,
    ];
    cells.map(|cell| inert_cell(&cell))
}

/// A cell that begins as a formula does is one to a program that shows tables.
fn inert_cell(cell: &str) -> String {
    let cell = cell.replace(char::is_control, " ");
    if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell }
}
