//! Text in the Markdown of services that have an escape for it.

use super::fit::{Line, Page};
use crate::expiry::Fact;

/// What may mean something in one Markdown or another.
const SPECIAL: &[char] = &[
    '\\', '`', '*', '_', '{', '}', '[', ']', '(', ')', '#', '+', '-', '.', '!', '<', '>', '~', '@',
    ':', '|',
];

/// Returns `text` with a backslash before each character that may mean something.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        escaped.extend(SPECIAL.contains(&letter).then_some('\\'));
        escaped.push(letter);
    }
    escaped
}

/// Returns one line of a list: the name in bold, what is said of it, and its link.
pub(super) fn item(line: &Line<'_>, label: &str) -> String {
    let name = match line.name {
        "" => String::new(),
        name => format!("**{}**", escaped(name)),
    };
    let open = line.link.map(|link| format!(" [{label}]({link})")).unwrap_or_default();
    format!("- {name}{}{open}", escaped(line.rest))
}

/// Returns the entries and what counts those that are left out, one a line; nothing where there are none.
pub(super) fn items(page: &Page<'_>) -> Option<String> {
    let items = page.entries.iter().map(|line| item(line, page.link_label));
    let lines: Vec<_> = items.chain(page.left_out.clone()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Returns the same for services that show fields below it: what counts the entries stands in front, the link to the
/// form for a snooze behind.
pub(super) fn counted_items_and_snooze(page: &Page<'_>) -> Option<String> {
    let counts = (!page.entries.is_empty()).then(|| counts(page)).flatten();
    let snooze = page.links().skip(usize::from(page.link.is_some()));
    let snooze = snooze.map(|(label, link)| format!("[{label}]({link})"));
    let lines: Vec<String> = counts.into_iter().chain(items(page)).chain(snooze).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Returns the facts of a list in one line, so that they take little of a phone.
fn counts(page: &Page<'_>) -> Option<String> {
    let facts: Vec<_> = page.facts.iter().map(|fact| fact.line(page.language)).collect();
    (!facts.is_empty()).then(|| escaped(&facts.join(" · ")))
}

/// Returns the facts that are shown as fields: those of a single event.
pub(super) fn fields<'a>(page: &Page<'a>) -> &'a [Fact] {
    if page.entries.is_empty() { page.facts } else { &[] }
}

/// Returns the value of a fact, an end in bold.
pub(super) fn value(fact: &Fact) -> String {
    let mark = if fact.is_end { "**" } else { "" };
    format!("{mark}{}{mark}", escaped(&fact.value))
}

/// Returns a message in plain lines, escaped but for a link, which is ours.
pub(super) fn plain(page: &Page<'_>) -> String {
    let mut lines = vec![escaped(&page.title)];
    lines.extend(page.facts.iter().map(|fact| escaped(&fact.line(page.language))));
    lines.extend(page.entries.iter().map(|line| escaped(&line.text())));
    lines.extend(page.left_out.clone());
    lines.extend(page.link.map(str::to_owned));
    lines.push(page.footer.clone());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_has_a_backslash_before_it() {
        assert_eq!(escaped("*.a_b.test: x (1)"), r"\*\.a\_b\.test\: x \(1\)");
        let line = Line { name: "a_b", rest: " · x", link: Some("https://c/") };
        assert_eq!(item(&line, "Open"), r"- **a\_b** · x [Open](https://c/)");
    }
}
