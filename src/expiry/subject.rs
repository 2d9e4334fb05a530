//! Distinguished names as text, the attributes in any order: `EMAILADDRESS=x, OU=EnOS, CN=device, O=EnOS`.

/// Returns the first value of `attribute`, or nothing.
///
/// Commas within a value are escaped with a backslash or stand between quotes (RFC 2253).
pub fn attribute_of(name: &str, attribute: &str) -> String {
    parts(name)
        .iter()
        .filter_map(|part| part.split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(attribute))
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

/// Splits at commas that separate, and takes quotes and escapes off.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        let part = match character {
            ',' if !quoted => {
                parts.push(String::new());
                continue;
            }
            '"' => {
                quoted = !quoted;
                continue;
            }
            '\\' => characters.next(),
            other => Some(other),
        };
        if let Some(last) = parts.last_mut() {
            last.extend(part);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes() {
        for (name, wanted, expected) in [
            ("EMAILADDRESS=xT7EaR, OU=EnOS, CN=xMen1, O=EnOS, L=Shanghai", "CN", "xMen1"),
            ("EMAILADDRESS=xT7EaR, OU=EnOS, CN=xMen1, O=EnOS, L=Shanghai", "OU", "EnOS"),
            ("CN=a, CN=b", "CN", "a"),
            ("cn=lower", "CN", "lower"),
            (r"CN=a\, b, O=x", "CN", "a, b"),
            (r#"CN="a, b", O=x"#, "CN", "a, b"),
            ("O=x", "CN", ""),
            ("CN=设备=1", "CN", "设备=1"),
            ("", "CN", ""),
            (r"CN=x\", "CN", "x"),
        ] {
            assert_eq!(attribute_of(name, wanted), expected, "{name}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn never_panics(name in "\\PC{0,40}") {
            prop_assert!(attribute_of(&name, "CN").len() <= name.len());
        }
    }
}
