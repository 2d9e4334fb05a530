//! Patterns with `*` and `?`.

/// Returns whether all of `text` matches `pattern`: `*` stands for any text, `?` for any one character.
///
/// Goes back to the last star only, so the time is bounded by the product of the lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last star, and the text that it has not swallowed yet.
    let mut star = None;
    loop {
        let before = (pattern.clone(), text.clone());
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = before.1;
                star = Some((pattern.clone(), text.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(expected), Some(found)) if expected == found => {}
            _ => {
                let Some((after, rest)) = &mut star else { return false };
                if rest.next().is_none() {
                    return false;
                }
                (pattern, text) = (after.clone(), rest.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("iot-*", "iot-prod", true),
            ("iot-*", "iot", false),
            ("*prod", "iot-prod-prod", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
            ("pl?nt-?", "plant-7", true),
            ("?", "证", true),
            ("?", "", false),
            ("A", "a", false),
            ("**", "x", true),
            ("*?", "", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        assert!(!matches(&"a*".repeat(2_000), &("a".repeat(1_999) + "b")));
        assert!(!matches(&("*a".repeat(50) + "b"), &"a".repeat(5_000)));
    }

    /// The definition, slow and plain.
    fn defined(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|n| defined(rest, &text[n..])),
            (['?', rest @ ..], [_, text @ ..]) => defined(rest, text),
            ([a, rest @ ..], [b, text @ ..]) if a == b => defined(rest, text),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let (p, t): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text), defined(&p, &t));
        }
    }
}
