//! Texts in names, in every character set that X.509 allows.

use x509_parser::asn1_rs::{Any, Tag};

/// Returns the text, whatever it is written in; `None` where it is no text, or not what it says it is.
pub(super) fn of(value: &Any<'_>) -> Option<String> {
    let bytes = value.data;
    match value.tag() {
        Tag::BmpString => utf16(bytes),
        Tag::UniversalString => utf32(bytes),
        // T.61 proper is in nobody's use: what is written is Latin-1, or UTF-8.
        Tag::T61String => {
            let latin1 = || bytes.iter().map(|byte| char::from(*byte)).collect();
            Some(std::str::from_utf8(bytes).map_or_else(|_| latin1(), str::to_owned))
        }
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::Ia5String
        | Tag::NumericString
        | Tag::VisibleString => std::str::from_utf8(bytes).ok().map(str::to_owned),
        _ => None,
    }
}

fn utf16(bytes: &[u8]) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    String::from_utf16(&units).ok().filter(|_| rest.is_empty())
}

fn utf32(bytes: &[u8]) -> Option<String> {
    let (quads, rest) = bytes.as_chunks::<4>();
    let text = quads.iter().map(|quad| char::from_u32(u32::from_be_bytes(*quad))).collect();
    if rest.is_empty() { text } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_set_is_decoded() {
        let told = |tag: Tag, bytes: &[u8]| of(&Any::from_tag_and_data(tag, bytes));
        for (tag, bytes, expected) in [
            (Tag::BmpString, &b"\x8B\xBE\x59\x07\0-\x007"[..], Some("设备-7")),
            (Tag::BmpString, b"\xD8\x3D\xDE\x00", Some("😀")),
            (Tag::BmpString, b"\0", None),
            (Tag::BmpString, b"\xD8\0", None),
            (Tag::T61String, b"Z\xFCrich", Some("Zürich")),
            (Tag::T61String, "Zürich".as_bytes(), Some("Zürich")),
            (Tag::UniversalString, b"\0\0\x8B\xBE\0\x01\xF6\0", Some("设😀")),
            (Tag::UniversalString, b"\0\x11\0\0", None),
            (Tag::UniversalString, b"\0\0\0", None),
            (Tag::Utf8String, "plant-7".as_bytes(), Some("plant-7")),
            (Tag::Utf8String, b"\xFC", None),
            (Tag::Integer, b"7", None),
        ] {
            assert_eq!(told(tag, bytes).as_deref(), expected, "{tag} {bytes:?}");
        }
    }
}
