//! Names of sources and channels: they are metric labels, words in messages and keys in the store.

use super::spelling::quoted;
use super::{Fields, Shape};

const LONGEST: usize = 64;

/// What a name looks like.
pub(super) const NAME: Shape = Shape::Like("^[a-z0-9][a-z0-9_.-]{0,63}$");

/// Every name in the file.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) sources: Vec<String>,
    pub(super) channels: Vec<String>,
}

/// Reads `name`, which must differ from the names `taken` so far.
pub(super) fn unique_name(fields: &mut Fields<'_>, taken: &mut Vec<String>) -> Option<String> {
    let name = fields.required_string("name")?;
    if !is_name(&name.value) {
        let rule = "1 to 64 of a-z, 0-9, `_`, `.` and `-`, and begins with a letter or a digit";
        fields
            .mistake(name.span, format!("{} is not a name: a name is {rule}", quoted(&name.value)));
        return None;
    }
    if taken.contains(&name.value) {
        fields.mistake(name.span, format!("the name `{}` is taken above", name.value));
        return None;
    }
    taken.push(name.value.clone());
    Some(name.value)
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = |byte: u8| plain(byte) || matches!(byte, b'_' | b'.' | b'-');
    text.len() <= LONGEST && text.bytes().next().is_some_and(plain) && text.bytes().all(rest)
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names() {
        for name in ["iot-prod", "a", "7", "web_certs.2", &"a".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "Prod", "a b", "a/b", "证书", &"a".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
