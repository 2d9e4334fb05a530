//! Lines of iCalendar (RFC 5545).

use crate::expiry::text::printable;

/// Octets of a line at most.
const LONGEST: usize = 75;

/// A calendar that is being written.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// Adds a line whose value is ours.
    pub(super) fn plain(&mut self, name: &str, value: &str) {
        self.fold(&format!("{name}:{value}"));
    }

    /// Adds a line whose value may be anything.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        let lines: Vec<String> = value.split('\n').map(escaped).collect();
        self.fold(&format!("{name}:{}", lines.join("\\n")));
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// Breaks a line where it is too long, never inside a character.
    fn fold(&mut self, line: &str) {
        let mut room = LONGEST;
        for letter in line.chars() {
            if letter.len_utf8() > room {
                self.0.push_str("\r\n ");
                room = LONGEST - 1;
            }
            self.0.push(letter);
            room -= letter.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

/// Spells out what would end the line or the value.
fn escaped(line: &str) -> String {
    let mut text = String::new();
    for letter in printable(line).chars() {
        if matches!(letter, '\\' | ';' | ',') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_neither_its_line_nor_itself() {
        let mut lines = Lines::default();
        lines.text("SUMMARY", "a;b,c\\d\nEND:VEVENT\r\u{2028}");
        let text = lines.into_string();
        assert!(text.starts_with("SUMMARY:a\\;b\\,c"), "{text:?}");
        assert_eq!(text.matches("\r\n").count(), 1, "{text:?}");
        assert!(!text.contains('\u{2028}') && text.contains("\\nEND:VEVENT"), "{text:?}");
    }

    #[test]
    fn a_long_line_is_folded_between_characters() {
        let mut lines = Lines::default();
        let long = "证书".repeat(60);
        lines.text("X", &long);
        let text = lines.into_string();
        assert!(text.split("\r\n").all(|line| line.len() <= LONGEST));
        assert_eq!(text.replace("\r\n ", ""), format!("X:{long}\r\n"));
    }
}
