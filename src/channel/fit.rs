//! Packing: as many lines of a message as a service takes, measured in the service's own unit.

use serde_json::Value;

use crate::expiry::text::inert;
use crate::expiry::{Detail, Entry, Fact, Language, Message, Tone};

/// One rendering of a message: what fits, and how the rest is announced.
pub(super) struct Page<'a> {
    /// The title, with what the channel must put in front.
    pub(super) title: String,
    /// How it looks.
    pub(super) tone: Tone,
    /// What is known, as much as fits.
    pub(super) facts: &'a [Fact],
    /// One line an event, as many as fit.
    pub(super) entries: Vec<Line<'a>>,
    /// The line that counts the entries left out, if any are.
    pub(super) left_out: Option<String>,
    /// Where to see everything.
    pub(super) link: Option<&'a str>,
    /// The text of links.
    pub(super) link_label: &'static str,
    /// Where to snooze it, and the text of that link.
    snooze: Option<(&'static str, &'a str)>,
    /// The message's id, so that a reader recognizes a duplicate. A configured keyword stands in front of it.
    pub(super) footer: String,
    /// Whether the service is to be asked for plain text.
    pub(super) plain: bool,
    /// The language of its words.
    pub(super) language: Language,
}

impl<'a> Page<'a> {
    /// Returns every link of the whole message, with its text.
    pub(super) fn links(&self) -> impl Iterator<Item = (&'static str, &'a str)> + use<'a> {
        let open = self.link.map(|link| (self.link_label, link));
        open.into_iter().chain(self.snooze)
    }

    /// Returns the title behind a marker of its colour.
    pub(super) fn marked_title(&self) -> String {
        format!("{} {}", self.tone.marker(), self.title)
    }
}

/// One line about one event, inert.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// The certificate's name, which may be empty.
    pub(super) name: &'a str,
    /// What is said of it.
    pub(super) rest: &'a str,
    /// Where to read more.
    pub(super) link: Option<&'a str>,
}

impl Line<'_> {
    /// Returns the whole line.
    pub(super) fn text(&self) -> String {
        [self.name, self.rest].concat()
    }
}

/// Renders `message` with as many lines as keep its size within `limit`, or within 70 % of it when shortened.
///
/// `keyword` is what the robot's own filter asks for; it is put into title and footer.
pub(super) fn fit<T>(
    message: &Message,
    keyword: Option<&str>,
    limit: usize,
    render: impl Fn(&Page<'_>) -> T,
    size: impl Fn(&T) -> usize,
) -> T {
    let limit = if message.detail == Detail::Full { limit } else { limit / 10 * 7 };
    let total = match message.detail {
        Detail::OneLine => 0,
        _ => message.facts.len() + message.entries.len(),
    };
    let attempt = |count| render(&page(message, keyword, count));
    let whole = attempt(total);
    if size(&whole) <= limit {
        return whole;
    }
    // The size grows with the count, so the largest count that fits is found by halving.
    let (mut fits, mut exceeds) = (0, total);
    while fits + 1 < exceeds {
        let middle = usize::midpoint(fits, exceeds);
        if size(&attempt(middle)) <= limit { fits = middle } else { exceeds = middle }
    }
    attempt(fits)
}

/// Returns the size of a body in bytes as it is sent, for services that limit that.
pub(super) fn body_size(body: &Value) -> usize {
    body.to_string().len()
}

/// Returns `page`'s texts as plain lines.
pub(super) fn plain_text(page: &Page<'_>) -> String {
    let mut lines = vec![page.title.clone()];
    lines.extend(page.facts.iter().map(|fact| fact.line(page.language)));
    lines.extend(page.entries.iter().map(Line::text));
    lines.extend(page.left_out.clone());
    lines.extend(page.link.map(str::to_owned));
    lines.push(page.footer.clone());
    lines.join("\n")
}

/// Returns an entry with its name in the bold letters of Markdown, unless the name has a letter that would end them.
pub(super) fn with_bold_name(line: &Line<'_>) -> String {
    if line.name.is_empty() || line.name.contains(['*', '_']) {
        return line.text();
    }
    format!("**{}**{}", line.name, line.rest)
}

fn page<'a>(message: &'a Message, keyword: Option<&str>, count: usize) -> Page<'a> {
    let plain = matches!(message.detail, Detail::Plain | Detail::OneLine);
    let title = match message.detail {
        Detail::OneLine => message.one_line(),
        _ => message.title.clone(),
    };
    let line = |entry: &'a Entry| {
        let (name, rest) = entry.parts();
        Line { name, rest, link: entry.link.as_deref().filter(|_| !plain) }
    };
    let facts = message.facts.get(..count).unwrap_or(&message.facts);
    let shown = count.saturating_sub(message.facts.len());
    let left_out = message.entries.len().saturating_sub(shown);
    Page {
        title: prefixed(keyword, title),
        tone: message.tone(),
        facts,
        entries: message.entries.iter().take(shown).map(line).collect(),
        left_out: (left_out > 0 && message.detail != Detail::OneLine)
            .then(|| message.left_out(left_out)),
        link: message.link.as_deref().filter(|_| message.detail != Detail::Plain),
        link_label: message.link_label(),
        snooze: message
            .snooze
            .as_deref()
            .filter(|_| !plain)
            .map(|link| (message.snooze_label(), link)),
        footer: prefixed(keyword, format!("id {}", inert(&message.id, 64))),
        plain,
        language: message.language,
    }
}

fn prefixed(keyword: Option<&str>, text: String) -> String {
    match keyword {
        Some(keyword) if !text.contains(keyword) => format!("{keyword} {text}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn sizes(message: &Message, limit: usize) -> (usize, String) {
        let text = fit(message, None, limit, plain_text, String::len);
        (text.lines().filter(|line| line.contains("expires in")).count(), text)
    }

    #[test]
    fn as_many_lines_as_possible_and_no_more() {
        let message = sample::digest(500);
        for limit in [400, 1000, 4000, 19_000] {
            let (shown, text) = sizes(&message, limit);
            assert!(text.len() <= limit, "{} > {limit}", text.len());
            assert!(text.contains(&format!("…and {} more", 500 - shown)), "{text}");
            let one_more = plain_text(&page(&message, None, shown + 1 + message.facts.len()));
            assert!(one_more.len() > limit, "{limit}: one more line fits");
        }
    }

    #[test]
    fn everything_when_everything_fits() {
        let (shown, text) = sizes(&sample::digest(20), 100_000);
        assert_eq!(shown, 20);
        assert!(!text.contains("more"), "{text}");
    }

    #[test]
    fn even_a_title_that_is_too_long_is_sent() {
        assert_eq!(sizes(&sample::digest(20), 1).0, 0);
    }

    #[test]
    fn each_detail_shows_less() {
        let mut message = sample::list();
        let mut shown = Vec::new();
        for detail in Detail::ALL {
            message.detail = detail;
            let page = page(&message, None, if detail == Detail::OneLine { 0 } else { 9 });
            let links = page.entries.iter().filter(|line| line.link.is_some()).count();
            shown.push((page.entries.len(), links, page.link.is_some(), page.plain));
        }
        assert_eq!(
            shown,
            [(2, 2, true, false), (2, 2, true, false), (2, 0, false, true), (0, 0, true, true)]
        );
        message.detail = Detail::Shorter;
        let text = fit(&message, None, 300, plain_text, String::len);
        assert!(text.len() <= 210, "{text}");
    }

    #[test]
    fn a_keyword_stands_in_title_and_footer_once() {
        let message = sample::single();
        let page = page(&message, Some("告警"), 0);
        assert!(
            page.title.starts_with("告警 [notafter] ") && page.footer.starts_with("告警 "),
            "{}",
            page.title
        );
        assert!(super::page(&message, Some("notafter"), 0).title.starts_with("[notafter] "));
    }
}
