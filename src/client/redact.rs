//! Takes our own secrets out of what a provider answers: some repeat the request that they refuse, headers and body.

/// What stands in the place of a secret.
const SECRET: &str = "[secret]";

/// What stands in the place of a signature.
const SIGNATURE: &str = "[signature]";

/// Shorter ones are no secrets, and would be found within ordinary words.
const LEAST_SECRET: usize = 6;

/// Digits of a digest from which on it can be a signature; ours have 64. Request ids have 32 at most.
const LEAST_DIGEST: usize = 48;

/// Digits that are hidden all the same: after the word, and where a text was cut off within them.
const LEAST_REST: usize = 8;

/// Ends a text that was cut off.
const CUT: char = '…';

/// Returns the text without these secrets, without the beginning of one where it was cut off, and without anything that
/// looks like a signature.
pub(super) fn without(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= LEAST_SECRET) {
        text = without_cut(&text.replace(secret, SECRET), secret);
    }
    without_signatures(&text)
}

/// Hides what is left of a secret where the provider's text was cut off.
fn without_cut(text: &str, secret: &str) -> String {
    let mut parts: Vec<String> = text.split(CUT).map(str::to_owned).collect();
    let last = parts.len() - 1;
    for part in parts.iter_mut().take(last) {
        if let Some(kept) = without_rest(part, secret) {
            *part = format!("{kept}{SECRET}");
        }
    }
    parts.join("…")
}

/// Returns what is left of `text` without the beginning of `secret` at its end, if there is one.
fn without_rest<'a>(text: &'a str, secret: &str) -> Option<&'a str> {
    let ends = secret.char_indices().map(|(end, _)| end).rev();
    let mut beginnings =
        ends.take_while(|end| *end >= LEAST_SECRET).filter_map(|end| secret.get(..end));
    beginnings.find_map(|beginning| text.strip_suffix(beginning))
}

fn without_signatures(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, digits) = rest.split_at(start);
        let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
        let (digits, after) = digits.split_at(end);
        kept.push_str(before);
        let is_announced = follows_the_word(&kept) || after.starts_with(CUT);
        let is_long = digits.len() >= if is_announced { LEAST_REST } else { LEAST_DIGEST };
        kept.push_str(if is_long { SIGNATURE } else { digits });
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// Returns whether a text ends with a word for a signature and what stands between it and the value.
fn follows_the_word(text: &str) -> bool {
    let words = text.trim_end_matches([' ', '=', ':', '"', '\'', '\\', '[']);
    let last = words.rsplit(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    words.len() < text.len() && last.to_ascii_lowercase().ends_with("signature")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "7706a84bb838b28c21970facf292294a1a768e73ad1c3e4e5897967d9e381ebd";

    #[test]
    fn what_is_hidden() {
        let secrets = ["AKIDexample", "hunter", "short", "tmp==日本"];
        for (text, expected) in [
            ("plain", "plain"),
            ("no such AKIDexample, AKIDexample", "no such [secret], [secret]"),
            ("a short one stays", "a short one stays"),
            ("tmp==日本!", "[secret]!"),
            ("Signature=0123abcd9, x", "Signature=[signature], x"),
            (r#"{\"apim-signature\": \"0123ABCD9\"}"#, r#"{\"apim-signature\": \"[signature]\"}"#),
            ("the signature is bad", "the signature is bad"),
            ("signature expired at 1763827200123", "signature expired at 1763827200123"),
            // Numbers of requests and certificates are for people to look up.
            (
                "request 3c140219-cfe9-470e-b241-907877d6fb03",
                "request 3c140219-cfe9-470e-b241-907877d6fb03",
            ),
            ("0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
            // Cut off within a secret.
            ("no such AKIDexa…", "no such [secret]…"),
            ("no such AKIDe…", "no such AKIDe…"),
            ("it was 0123abcd9…", "it was [signature]…"),
            ("cut …", "cut …"),
            ("1: no such AKIDexa… (request hunt… r)", "1: no such [secret]… (request hunt… r)"),
        ] {
            assert_eq!(without(text, &secrets), expected, "{text}");
        }
        let echo =
            format!("TC3-HMAC-SHA256 Credential=AKIDexample/2026, Signature={DIGEST}; {DIGEST}.");
        let hidden =
            "TC3-HMAC-SHA256 Credential=[secret]/2026, Signature=[signature]; [signature].";
        assert_eq!(without(&echo, &secrets), hidden);
    }

    proptest::proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn nothing_else_is_lost(text in "\\PC{0,60}") {
            proptest::prop_assume!(!text.contains(CUT) && !text.to_lowercase().contains("signature"));
            proptest::prop_assert_eq!(without(&text, &[]), text);
        }
    }
}
