//! The outermost structure of DER, as far as it takes to tell formats apart and to find certificates in them.

/// SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// INTEGER.
pub const INTEGER: u8 = 0x02;
/// OBJECT IDENTIFIER.
pub const OID: u8 = 0x06;
/// The context-specific, constructed tag 0.
pub const CONTEXT_0: u8 = 0xA0;

/// One element: its tag, and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The tag.
    pub tag: u8,
    /// The content.
    pub content: &'a [u8],
    /// The element with its tag and its length.
    pub whole: &'a [u8],
}

/// Reads the element that `bytes` begin with, and returns it with what follows. Lengths that are not stated, as BER
/// allows, are refused.
pub fn first(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (tag, length) = (*bytes.first()?, *bytes.get(1)?);
    let (length, header) = if length < 0x80 {
        (usize::from(length), 2)
    } else {
        let count = usize::from(length & 0x7F);
        let stated = bytes.get(2..2 + count).filter(|_| (1..=4).contains(&count))?;
        let length = stated.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        (length, 2 + count)
    };
    let end = header.checked_add(length)?;
    let (whole, rest) = bytes.split_at_checked(end)?;
    Some((Element { tag, content: whole.get(header..)?, whole }, rest))
}

/// Returns the elements that stand one after another in `bytes`, up to the first that is not one.
pub fn all(bytes: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (element, after) = first(rest)?;
        rest = after;
        Some(element)
    })
}

/// Returns what is in the first element of `bytes`, if it has that tag.
pub fn content(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    first(bytes).map(|(element, _)| element).filter(|one| one.tag == tag).map(|one| one.content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_and_what_is_none() {
        let read =
            |bytes: &'static [u8]| first(bytes).map(|(one, rest)| (one.tag, one.content, rest));
        assert_eq!(read(&[2, 1, 5, 9]), Some((2, &[5][..], &[9][..])));
        assert_eq!(read(&[0x30, 0x81, 1, 5]), Some((0x30, &[5][..], &[][..])));
        for none in
            [&[][..], &[2], &[2, 2, 1], &[0x30, 0x80, 0, 0], &[0x30, 0x85, 0, 0, 0, 0, 1, 1]]
        {
            assert_eq!(read(none), None, "{none:?}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn elements_never_panic_and_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let read: usize = all(&bytes).map(|one| one.whole.len()).sum();
            prop_assert!(read <= bytes.len());
        }
    }
}
