//! What answers of several services have in common.

use serde_json::Value;

use super::Answer;

/// Returns an answer of JSON.
pub(super) fn json(status: u16, body: &Value) -> Answer {
    Answer { status, headers: Vec::new(), body: body.to_string() }
}

/// Returns an answer without a body.
pub(super) fn empty(status: u16) -> Answer {
    Answer { status, headers: Vec::new(), body: String::new() }
}

/// Returns Markdown as it is shown, near enough: without the backslashes before what would mean something.
pub(super) fn unescaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        shown.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    shown
}
