//! Sizes: a number and a unit.

/// The units, the longest first: each ends with the next.
const UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a size such as `16MiB`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let unclear = || "not a size: write a whole number with its unit, such as `16MiB`".to_owned();
    let unit = UNITS.into_iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
    let (number, bytes) = unit.ok_or_else(unclear)?;
    let number: usize = number.trim_end().parse().map_err(|_| unclear())?;
    number.checked_mul(bytes).ok_or_else(|| "larger than any memory".to_owned())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("16MiB", Some(16 << 20)),
            ("1 GiB", Some(1 << 30)),
            ("512KiB", Some(512 << 10)),
            ("77B", Some(77)),
            ("16", None),
            ("16M", None),
            ("-1MiB", None),
            ("1.5MiB", None),
            ("MiB", None),
            ("99999999999999999GiB", None),
        ] {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
    }
}
