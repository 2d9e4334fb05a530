//! Labels of certificates: what routes choose by, and what metrics show on request.

use std::collections::BTreeMap;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// More labels of one certificate are left out, the last by name first.
pub const MOST_LABELS: usize = 32;

/// Characters of a value that are kept.
const LONGEST_VALUE: usize = 1024;

/// Returns the name of a label: every character that has no place in one is `_`. `None`: nothing is left of it.
pub fn label_name(text: &str) -> Option<String> {
    let fits = |(at, letter): (usize, char)| {
        let good =
            letter.is_ascii_alphabetic() || letter == '_' || (at > 0 && letter.is_ascii_digit());
        if good { letter } else { '_' }
    };
    let name: String = text.trim().chars().enumerate().map(fits).collect();
    (!name.is_empty()).then_some(name)
}

/// Returns the labels that `pairs` make. Of names that become the same the first in byte order wins; a label without a
/// value is none.
pub fn labels_of<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Labels
where
    N: AsRef<str> + Ord,
    V: AsRef<str> + Ord,
{
    let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
    pairs.sort();
    let mut labels = Labels::new();
    for (name, value) in &pairs {
        let value: String = value.as_ref().trim().chars().take(LONGEST_VALUE).collect();
        if let Some(name) = label_name(name.as_ref()).filter(|_| !value.is_empty()) {
            labels.entry(name).or_insert(value);
        }
    }
    bounded(labels)
}

/// Returns the labels of a certificate: the `fixed` ones of its source, which win, and those that came with it.
pub fn with_fixed(fixed: &Labels, own: Labels) -> Labels {
    if fixed.is_empty() {
        return own;
    }
    let room = MOST_LABELS.saturating_sub(fixed.len());
    let own = own.into_iter().filter(|(name, _)| !fixed.contains_key(name)).take(room);
    fixed.clone().into_iter().chain(own).collect()
}

fn bounded(mut labels: Labels) -> Labels {
    while labels.len() > MOST_LABELS {
        labels.pop_last();
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit() {
        for (text, name) in [
            ("team", Some("team")),
            ("cost-center", Some("cost_center")),
            ("7up", Some("_up")),
            ("a7", Some("a7")),
            ("环境", Some("__")),
            (" x ", Some("x")),
            ("", None),
            (" ", None),
        ] {
            assert_eq!(label_name(text).as_deref(), name, "{text:?}");
        }
    }

    #[test]
    fn the_first_of_names_that_clash_wins_and_an_empty_value_is_none() {
        let labels = labels_of([("a_b", "second"), ("a-b", "first"), ("c", " "), ("d", "e")]);
        let expected = [("a_b", "first"), ("d", "e")];
        assert_eq!(labels, expected.map(|(name, value)| (name.into(), value.into())).into());
    }

    #[test]
    fn no_certificate_has_more_than_are_allowed() {
        let many = |prefix: &str, count: usize| {
            labels_of((0..count).map(|number| (format!("{prefix}{number:03}"), "x")))
        };
        assert_eq!(many("a", 40).len(), MOST_LABELS);
        let fixed = many("z", 30);
        let all = with_fixed(&fixed, many("a", 10));
        assert_eq!(all.len(), MOST_LABELS);
        assert!(fixed.keys().all(|name| all.contains_key(name)));
        let own = labels_of([("z000", "provider")]);
        assert_eq!(with_fixed(&fixed, own)["z000"], "x", "a fixed label wins");
    }
}
