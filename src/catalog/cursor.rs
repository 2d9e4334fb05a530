//! Where a page ended, as a text that is good for the same question only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xxhash_rust::xxh3::xxh3_64;

use super::{CatalogError, Query};
use crate::expiry::{Position, RowId, Timestamp};

/// Told from those of other releases.
const VERSION: u8 = 1;

/// Bytes of a cursor.
const LENGTH: usize = 1 + 8 * 5 + 4;

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The last certificate that was looked at.
    pub(super) after: Position,
    /// The time that the first page was made at: what the order depends on stays as it was.
    pub(super) began: Timestamp,
    /// Certificates that were found before.
    pub(super) found: u64,
}

impl Cursor {
    /// Returns where the page before ended, and `None` for the first page.
    pub(super) fn of(query: &Query) -> Result<Option<Self>, CatalogError> {
        let unknown = || {
            let detail = "cursor: it is not one of this list; begin again without it";
            CatalogError::NoSuchPage(detail.to_owned())
        };
        let Some(text) = &query.cursor else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| unknown())?;
        Self::read(&bytes, digest(query)).map(Some).ok_or_else(unknown)
    }

    /// Returns the text for who asks for the page after it.
    pub(super) fn encode(self, query: &Query) -> String {
        let numbers = [
            digest(query),
            self.after.class.cast_unsigned(),
            self.after.end.cast_unsigned(),
            self.began.seconds().cast_unsigned(),
            self.found,
        ];
        let mut bytes = vec![VERSION];
        bytes.extend(numbers.into_iter().flat_map(u64::to_be_bytes));
        bytes.extend(self.after.row.0.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(bytes: &[u8], digest: u64) -> Option<Self> {
        let (version, rest) = bytes.split_first().filter(|_| bytes.len() == LENGTH)?;
        let (numbers, rest) = rest.as_chunks::<8>();
        let [of, class, end, began, found] = numbers else { return None };
        let row = u32::from_be_bytes(rest.try_into().ok()?);
        let signed = |bytes: &[u8; 8]| i64::from_be_bytes(*bytes);
        let after = Position { class: signed(class), end: signed(end), row: RowId(row) };
        let began = Timestamp::from_seconds(signed(began));
        let known = *version == VERSION && u64::from_be_bytes(*of) == digest;
        known.then(|| Self { after, began, found: u64::from_be_bytes(*found) })
    }
}

/// Returns what tells one question from another. How many are wanted at once is no part of it.
fn digest(query: &Query) -> u64 {
    xxh3_64(format!("{:?} {}", query.sort, query.filter.describe()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(parameters: &[(&str, &str)]) -> Query {
        Query::read(parameters.iter().copied()).unwrap()
    }

    #[test]
    fn a_cursor_is_good_for_its_own_question() {
        let asked = query(&[("source", "iot"), ("limit", "7")]);
        let after = Position { class: 1, end: i64::MIN + 1, row: RowId(u32::MAX) };
        let cursor = Cursor { after, began: Timestamp::from_seconds(9), found: 3 };
        let text = cursor.encode(&asked);
        let read = |parameters: &[(&str, &str)]| Cursor::of(&query(parameters)).ok().flatten();
        assert_eq!(read(&[("source", "iot"), ("cursor", &text)]), Some(cursor));
        assert_eq!(read(&[("source", "web"), ("cursor", &text)]), None);
        assert_eq!(read(&[("source", "iot"), ("sort", "status"), ("cursor", &text)]), None);
        for broken in ["x", "====", text.split_at(1).1, &format!("{text}AA"), "AAAA"] {
            let asked = query(&[("source", "iot"), ("cursor", broken)]);
            assert!(matches!(Cursor::of(&asked), Err(CatalogError::NoSuchPage(_))), "{broken}");
        }
        assert_eq!(Cursor::of(&query(&[])).unwrap(), None);
    }
}
