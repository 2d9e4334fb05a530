//! How words from the file are shown, and which known word somebody may have meant.

use std::fmt::Write as _;

/// Returns `word` in backticks, with its control characters spelled out.
pub fn quoted(word: &str) -> String {
    let mut text = String::from("`");
    for letter in word.chars().take(120) {
        if letter.is_control() {
            write!(text, "{}", letter.escape_unicode()).expect("a String takes every text");
        } else {
            text.push(letter);
        }
    }
    text.push('`');
    text
}

/// Returns the known word that is nearest to `word`, if one is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // One slip in three letters, at most three: `regoin` is `region`, `tls` is nothing.
    let allowed = (word.chars().count() / 3).min(3);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the end of a mistake about an unknown word: what may have been meant, and what is known.
pub fn known(word: &str, known: &[&str]) -> String {
    let all = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`? (known: {all})"),
        None => format!("known: {all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{nearest, quoted};

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let known = ["region", "secret_id", "secret_key"];
        assert_eq!(nearest("regoin", known), Some("region"));
        assert_eq!(nearest("Region", known), Some("region"));
        assert_eq!(nearest("secretkey", known), Some("secret_key"));
        assert_eq!(nearest("zone", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn a_word_cannot_move_the_cursor() {
        assert_eq!(quoted("a\u{1b}[2Jb\n"), "`a\\u{1b}[2Jb\\u{a}`");
    }
}
