//! Making untrusted text inert; cutting to bytes, characters, UTF-16 units.

use std::fmt::Write as _;

use super::certificate::Timestamp;

/// Letters by Unicode's account that render as nothing.
const INVISIBLE: [char; 4] = ['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}'];

const ELLIPSIS: char = '…';

/// Returns whether `text` is a host name, a leading `*.` allowed.
pub fn is_hostname(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    text.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

/// Maps `text` to an alphabet that means nothing in any chat dialect, in at most `max_chars` characters.
///
/// Host names pass unchanged. Elsewhere letters, digits, space and `. - _ : = , ( ) ' +` are kept, and `/` where it begins no
/// address, so that paths and distinguished names stay readable. Every other character becomes `%XX` of its UTF-8 bytes, so that no mention, link, tag, line break or bidirectional control
/// survives and the original can still be read.
pub fn inert(text: &str, max_chars: usize) -> String {
    if is_hostname(text) && text.len() <= max_chars {
        return text.to_owned();
    }
    let mut out = String::new();
    let (mut chars, mut cut) = (0, 0);
    let mut before = None;
    for c in text.chars() {
        let is_path = c == '/' && !matches!(before, Some(':' | '/'));
        chars += if is_path { push(&mut out, c) } else { push_inert(&mut out, c) };
        before = Some(c);
        if chars > max_chars {
            out.truncate(cut);
            out.extend((max_chars > 0).then_some(ELLIPSIS));
            return out;
        }
        if chars < max_chars {
            cut = out.len();
        }
    }
    out
}

/// Spells out what could move the cursor, change colours, or turn the direction of the text around. Everything else
/// stays readable: for pages and terminals, which have no chat dialect to break out of.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_invisible(letter) {
            out.extend(letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
    out
}

/// Marks of direction, joiners and line separators of Unicode: they show nothing and change what is shown.
const fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

/// Cuts `text` to at most `max` bytes, with an ellipsis when something is left out.
pub fn cut_bytes(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let Some(room) = max.checked_sub(ELLIPSIS.len_utf8()) else { return String::new() };
    cut_at(text, text.floor_char_boundary(room))
}

/// Cuts `text` to at most `max` characters, with an ellipsis when something is left out.
pub fn cut_chars(text: &str, max: usize) -> String {
    cut_counting(text, max, |_| 1)
}

/// Returns `time` as `2026-01-08T00:00:00Z`.
pub fn iso(time: Timestamp) -> String {
    chrono::DateTime::from_timestamp(time.seconds(), 0).map_or_else(
        || format!("{} s", time.seconds()),
        |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}

fn push(out: &mut String, c: char) -> usize {
    out.push(c);
    1
}

/// Appends one character in its inert form and returns how many characters that took.
fn push_inert(out: &mut String, c: char) -> usize {
    let plain = matches!(c, ' ' | '.' | '-' | '_' | ':' | '=' | ',' | '(' | ')' | '\'' | '+');
    if plain || (c.is_alphanumeric() && !INVISIBLE.contains(&c)) {
        return push(out, c);
    }
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        write!(out, "%{byte:02X}").expect("writing to a string cannot fail");
    }
    3 * c.len_utf8()
}

fn cut_counting(text: &str, max: usize, width: impl Fn(char) -> usize) -> String {
    let (mut used, mut end) = (0, 0);
    for (start, c) in text.char_indices() {
        used += width(c);
        if used > max {
            return if max == 0 { String::new() } else { cut_at(text, end) };
        }
        if used < max {
            end = start + c.len_utf8();
        }
    }
    text.to_owned()
}

fn cut_at(text: &str, end: usize) -> String {
    let kept = text.get(..before_group(text, end)).unwrap_or_default();
    format!("{kept}{ELLIPSIS}")
}

/// Returns `end`, or the start of the `%XX` group that `end` would split.
fn before_group(text: &str, end: usize) -> usize {
    let bytes = text.as_bytes();
    let is_group = |start: usize| {
        matches!(bytes.get(start..start + 3), Some([b'%', high, low])
            if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    };
    (1..=2).filter_map(|back| end.checked_sub(back)).find(|start| is_group(*start)).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn inert_leaves_nothing_that_a_chat_acts_on() {
        for (text, expected) in [
            ("www.example.com", "www.example.com"),
            ("*.example.com", "*.example.com"),
            ("我的证书 CA", "我的证书 CA"),
            ("@all", "%40all"),
            ("<!channel>", "%3C%21channel%3E"),
            ("<at id=all></at>", "%3Cat id=all%3E%3C/at%3E"),
            ("[点击](https://evil.test)", "%5B点击%5D(https:%2F%2Fevil.test)"),
            ("a\u{202E}b\u{200B}\u{3164}\n", "a%E2%80%AEb%E2%80%8B%E3%85%A4%0A"),
            ("*.*.example.com", "%2A.%2A.example.com"),
            ("C=JP, O=SECOM (a): x", "C=JP, O=SECOM (a): x"),
            ("O=Let's Encrypt+1", "O=Let's Encrypt+1"),
            ("/etc/ssl/a.pem", "/etc/ssl/a.pem"),
            ("//evil.test", "/%2Fevil.test"),
            ("", ""),
        ] {
            assert_eq!(inert(text, 64), expected, "{text:?}");
        }
    }

    #[test]
    fn inert_cuts_between_groups() {
        for (max, expected) in [
            (0, ""),
            (1, "…"),
            (2, "a…"),
            (4, "a…"),
            (5, "a%40…"),
            (7, "a%40…"),
            (8, "a%40%40b"),
            (9, "a%40%40b"),
        ] {
            assert_eq!(inert("a@@b", max), expected, "{max}");
        }
    }

    #[test]
    fn host_names_are_known() {
        for name in ["a", "a.b", "*.a.b", "xn--fiq228c.example", "_dmarc.example.com", "10.0.0.1"] {
            assert!(is_hostname(name), "{name}");
        }
        let long = "a".repeat(64);
        let deep = ["a"; 200].join(".");
        for name in ["", "*.", "*", "a..b", ".a", "a.", "a b", "a.*.b", "例.com", &long, &deep] {
            assert!(!is_hostname(name), "{name}");
        }
    }

    #[test]
    fn cuts_count_in_their_own_unit() {
        for (cut, expected) in [
            (cut_bytes("证书abc", 8), "证…"),
            (cut_bytes("证书abc", 9), "证书abc"),
            (cut_bytes("abcd", 2), ""),
            (cut_chars("证书abc", 4), "证书a…"),
            (cut_chars("证书abc", 5), "证书abc"),
            (cut_chars("a%40b", 4), "a…"),
            (cut_bytes("5% off the price", 5), "5%…"),
        ] {
            assert_eq!(cut, expected);
        }
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(iso(Timestamp::from_seconds(1_767_830_400)), "2026-01-08T00:00:00Z");
        assert_eq!(iso(Timestamp::from_seconds(i64::MAX)), "9223372036854775807 s");
    }

    fn splits_a_group(cut: &str) -> bool {
        let Some(kept) = cut.strip_suffix('…') else { return false };
        let tail: Vec<char> = kept.chars().rev().take(2).collect();
        tail.contains(&'%')
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn inert_keeps_to_its_alphabet_and_its_limit(text in "\\PC*|[@<>\\[\\]()`*~#|:/&%\u{202E}\n\r\t]*", max in 0_usize..80) {
            let out = inert(&text, max);
            prop_assert!(out.chars().count() <= max);
            let body = if is_hostname(&text) { out.trim_start_matches("*.") } else { &out };
            let dangerous = |c: char| {
                !(c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | ':' | '=' | ',' | '(' | ')' | '\'' | '+' | '/' | '%' | '…')) || INVISIBLE.contains(&c)
            };
            prop_assert!(!body.contains(dangerous), "{out:?}");
            prop_assert!(!body.contains("//"), "{out:?}");
            prop_assert!(!splits_a_group(&out), "{out:?}");
        }

        #[test]
        fn inert_can_be_read_back(text in "\\PC{0,30}") {
            let out = inert(&text, 1000);
            let mut bytes = Vec::new();
            let mut rest = out.bytes();
            while let Some(byte) = rest.next() {
                if byte == b'%' {
                    let pair = [rest.next().unwrap(), rest.next().unwrap()];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap());
                } else {
                    bytes.push(byte);
                }
            }
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), text);
        }

        #[test]
        fn cuts_never_exceed(text in "\\PC{0,40}|(%[0-9A-F]{2}|[a-z]){0,20}", max in 0_usize..64) {
            let (bytes, chars) = (cut_bytes(&text, max), cut_chars(&text, max));
            prop_assert!(bytes.len() <= max);
            prop_assert!(chars.chars().count() <= max);
            for cut in [bytes, chars] {
                let kept = cut.strip_suffix('…').unwrap_or(&cut);
                prop_assert!(text.starts_with(kept) || cut == text);
            }
        }

        #[test]
        fn cuts_of_inert_text_split_no_group(text in "\\PC{0,40}", max in 0_usize..64) {
            let whole = inert(&text, 1000);
            for cut in [cut_bytes(&whole, max), cut_chars(&whole, max)] {
                prop_assert!(!splits_a_group(&cut), "{cut:?} of {whole:?}");
            }
        }
    }
}
