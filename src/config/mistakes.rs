//! Mistakes with their places.

use std::fmt::Write as _;

use super::Span;

/// One mistake and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands in the text.
    pub span: Span,
    /// What is wrong and what to do. Never quotes a secret.
    pub text: String,
}

/// Every mistake found so far, and every warning.
#[derive(Clone, Debug, Default)]
pub struct Mistakes {
    /// What makes the configuration unusable.
    pub errors: Vec<Mistake>,
    /// What is legal and dangerous.
    pub warnings: Vec<Mistake>,
}

impl Mistakes {
    /// Adds a mistake.
    pub fn push(&mut self, span: Span, text: impl Into<String>) {
        self.errors.push(Mistake { span, text: text.into() });
    }

    /// Adds a warning.
    pub fn warn(&mut self, span: Span, text: impl Into<String>) {
        self.warnings.push(Mistake { span, text: text.into() });
    }

    /// Returns one line for each mistake and warning, in the order of the file: `path:line:column: text`.
    pub fn render(&self, path: &str, text: &str) -> String {
        let errors = self.errors.iter().map(|mistake| (mistake, ""));
        let warnings = self.warnings.iter().map(|mistake| (mistake, "warning: "));
        let mut all: Vec<_> = errors.chain(warnings).collect();
        all.sort_by_key(|(mistake, _)| mistake.span.start);
        let mut lines = String::new();
        for (mistake, word) in all {
            let (line, column) = place(text, mistake.span.start);
            writeln!(lines, "{path}:{line}:{column}: {word}{}", mistake.text)
                .expect("a String takes every text");
        }
        lines
    }
}

/// Returns line and column, both from 1, the column in characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.bytes().take(offset);
    let line = before.clone().filter(|byte| *byte == b'\n').count() + 1;
    // Counting the bytes that begin a character counts characters, also when the offset is inside one.
    let column = before.fold(0, |column, byte| match byte {
        b'\n' => 0,
        _ => column + usize::from(byte & 0xC0 != 0x80),
    });
    (line, column + 1)
}

#[cfg(test)]
mod tests {
    use super::{Mistakes, place};

    #[test]
    fn a_place_counts_lines_and_characters() {
        let text = "ab\n证书 x\r\nz";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, 2), (1, 3));
        assert_eq!(place(text, 3), (2, 1));
        assert_eq!(place(text, 10), (2, 4));
        assert_eq!(place(text, 13), (3, 1));
        assert_eq!(place(text, 999), (3, 2));
    }

    #[test]
    fn lines_come_in_the_order_of_the_file() {
        let mut mistakes = Mistakes::default();
        mistakes.push(3..4, "second");
        mistakes.warn(0..1, "first");
        assert_eq!(
            mistakes.render("a.toml", "x\n\ny"),
            "a.toml:1:1: warning: first\na.toml:3:1: second\n"
        );
    }
}
