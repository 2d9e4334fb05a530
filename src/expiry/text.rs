//! Making untrusted text inert; cutting to bytes, characters, UTF-16 units.

/// Returns `text` without control and direction characters, cut to `limit` characters. PLACEHOLDER.
pub fn inert(text: &str, limit: usize) -> String {
    let plain = |c: &char| {
        !c.is_control()
            && !matches!(*c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(plain).take(limit).collect()
}
