//! A text that is asked for: as it is, or with `*` and `?`.

use crate::expiry::glob;

/// What a text must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) const fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.0 == text || (!self.is_exact() && glob::matches(&self.0, text))
    }

    /// Returns the longest part that every text has that it matches, in small letters.
    pub(super) fn part(&self) -> String {
        let parts = self.0.split(['*', '?']);
        parts.max_by_key(|part| part.len()).unwrap_or_default().to_lowercase()
    }

    fn is_exact(&self) -> bool {
        !self.0.contains(['*', '?'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_itself_and_what_its_stars_stand_for() {
        for (pattern, text, expected, part) in [
            ("iot", "iot", true, "iot"),
            ("iot", "iot-prod", false, "iot"),
            ("iot-*", "iot-prod", true, "iot-"),
            ("a?c*Long*", "abclong", false, "long"),
            ("a?c*Long*", "abcLong", true, "long"),
            // A name with a star of its own is found by it.
            ("*.example.com", "*.example.com", true, ".example.com"),
            ("a[b", "a[b", true, "a[b"),
        ] {
            let pattern = Pattern::new(pattern.to_owned());
            assert_eq!(pattern.matches(text), expected, "{pattern:?} {text}");
            assert_eq!(pattern.part(), part);
        }
    }
}
