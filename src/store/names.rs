//! What certificates are looked for by.

use super::Kept;

/// Returns the text that a part of a name is looked for in: every name once, in small letters, each on a line of its own.
pub(super) fn index_text(kept: &Kept) -> String {
    let facts = &kept.facts;
    let mut text = String::new();
    let own = [&facts.common_name, &facts.holder, &facts.serial, &facts.place];
    let mut seen: Vec<&str> = Vec::new();
    for name in own.into_iter().chain(&kept.names) {
        if !name.is_empty() && !seen.contains(&name.as_str()) {
            text.push_str(&name.to_lowercase());
            text.push('\n');
            // Of many names few are alike, and a look at each before would be slow.
            if seen.len() < 8 {
                seen.push(name);
            }
        }
    }
    text
}

impl Kept {
    /// Returns whether one of its names has this part, which is in small letters.
    pub fn is_named(&self, part: &str) -> bool {
        index_text(self).contains(part)
    }
}
