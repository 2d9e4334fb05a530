//! Every warning of the log is in the operations guide, with what to do about it; and the guide quotes no other.

use proc_macro2::{TokenStream, TokenTree};

use super::tree::package;

const OPERATIONS: &str = include_str!("../../../OPERATIONS.md");

/// Stands for what differs from one line to the next.
const ANYTHING: &str = "…";

/// Returns the lines that the guide quotes.
fn quoted() -> Vec<&'static str> {
    let table = OPERATIONS.split("| line | what it means, what to do |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').nth(1).unwrap()).collect()
}

/// Returns what a stretch of code warns of: the text of each `tracing::warn!` and `tracing::error!`.
fn warnings(code: TokenStream) -> Vec<String> {
    let tokens: Vec<_> = code.into_iter().collect();
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        if warns(&tokens[..index]) {
            found.extend(group.stream().into_iter().find_map(text));
        }
        found.extend(warnings(group.stream()));
    }
    found
}

fn warns(before: &[TokenTree]) -> bool {
    let words: Vec<_> = before.iter().rev().take(5).map(ToString::to_string).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    matches!(words[..], ["!", "warn" | "error", ":", ":", "tracing"])
}

fn text(token: TokenTree) -> Option<String> {
    let literal: syn::LitStr = syn::parse2(token.into()).ok()?;
    // A line of the guide is one line, and in quotes of its own.
    Some(literal.value().replace('`', "").split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Returns whether anything is said beside what differs.
fn says_something(text: &str) -> bool {
    let outside = text.split('{').map(|part| part.rsplit('}').next().unwrap_or_default());
    outside.flat_map(str::chars).any(char::is_alphabetic)
}

fn fits(quoted: &str, text: &str) -> bool {
    let mut parts = quoted.split(ANYTHING);
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    for part in parts {
        let Some((_, after)) = rest.rsplit_once(part) else { return false };
        rest = after;
    }
    rest.is_empty()
}

#[test]
fn every_warning_is_in_the_operations_guide_and_every_line_of_it_is_one() {
    let files = package().files;
    let code = files.iter().map(|file| file.code().join("\n").parse::<TokenStream>().unwrap());
    let said: Vec<_> = code.flat_map(warnings).filter(|text| says_something(text)).collect();
    let quoted = quoted();
    assert!(said.len() > 25 && quoted.len() > 25, "{} {}", said.len(), quoted.len());
    let unknown: Vec<_> =
        said.iter().filter(|text| !quoted.iter().any(|line| fits(line, text))).collect();
    assert!(unknown.is_empty(), "say in OPERATIONS.md what to do about {unknown:#?}");
    let unsaid: Vec<_> =
        quoted.iter().filter(|line| !said.iter().any(|text| fits(line, text))).collect();
    assert!(unsaid.is_empty(), "nothing says what OPERATIONS.md quotes: {unsaid:#?}");
}

#[test]
fn a_line_fits_when_all_but_what_differs_is_the_same() {
    for (quoted, text, expected) in [
        ("poll of … failed", "poll of `{name}` failed", true),
        ("poll of … failed", "poll of `{name}` failed twice", false),
        ("poll of … failed", "a poll of `{name}` failed", false),
        ("while stopping: …", "while stopping: {error:#}", true),
        ("a part is late", "a part is late", true),
        ("a part is late", "a part is late; {why}", false),
    ] {
        assert_eq!(fits(quoted, text), expected, "{quoted} {text}");
    }
    assert!(!says_something("{error:#}: {}") && says_something("{error} again"));
    let code = "fn f() { select! { a => tracing::warn!(%error, \"one\n two\") } }";
    assert_eq!(warnings(code.parse().unwrap()), ["one two"]);
}
