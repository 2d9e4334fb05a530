//! Where a provider uses a certificate that it lists: what tells one that is superseded from one that was only issued anew.

use std::sync::Arc;

use super::RowId;

/// Before the number of a certificate and the answer in the key under which that is kept.
const KEY: &str = "bound\u{1f}";

/// Places that are kept of an answer.
const MOST: usize = 16;

/// What a provider answered, asked where it uses a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It is in use at these: product and region, `clb ap-guangzhou`. None are named of what an earlier release kept.
    To(Arc<[String]>),
    /// It is in use nowhere.
    Nowhere,
    /// The provider could not be asked, or did not know.
    Unknown,
}

impl Bound {
    /// Returns the key under which the answer about a certificate is kept.
    pub fn key(&self, row: RowId) -> String {
        let word = match self {
            Self::To(_) => "to",
            Self::Nowhere => "nowhere",
            Self::Unknown => "unknown",
        };
        let mut key = format!("{KEY}{}\u{1f}{word}", row.0);
        if let Self::To(places) = self {
            let places = places.iter().take(MOST);
            key.extend(places.map(|place| format!("\u{1f}{}", place.replace('\u{1f}', " "))));
        }
        key
    }

    /// Reads a key: about which certificate, and what was answered. `None` where another thing is kept under it.
    pub fn of_key(key: &str) -> Option<(RowId, Self)> {
        let mut parts = key.strip_prefix(KEY)?.split('\u{1f}');
        let row = RowId(parts.next()?.parse().ok()?);
        let bound = match parts.next()? {
            "to" => Self::To(parts.map(str::to_owned).collect()),
            "nowhere" => Self::Nowhere,
            "unknown" => Self::Unknown,
            _ => return None,
        };
        Some((row, bound))
    }

    /// Returns whether it is known to be in use.
    pub const fn is_in_use(&self) -> bool {
        matches!(self, Self::To(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_back_as_it_was_kept() {
        let to =
            |places: &[&str]| Bound::To(places.iter().map(|&place| place.to_owned()).collect());
        let answers = [to(&["clb ap-guangzhou", "cdn"]), to(&[]), Bound::Nowhere, Bound::Unknown];
        for bound in answers {
            assert_eq!(Bound::of_key(&bound.key(RowId(7))), Some((RowId(7), bound)));
        }
        assert_eq!(
            Bound::of_key("bound\u{1f}7\u{1f}to"),
            Some((RowId(7), to(&[]))),
            "as it once was"
        );
        let odd = Bound::of_key(&to(&["a\u{1f}b"]).key(RowId(1)));
        assert_eq!(odd, Some((RowId(1), to(&["a b"]))));
        let many = to(&["x"; MOST + 1]).key(RowId(1));
        assert_eq!(Bound::of_key(&many), Some((RowId(1), to(&["x"; MOST]))));
        for other in [
            "bound",
            "bound\u{1f}7",
            "bound\u{1f}x\u{1f}to",
            "bound\u{1f}7\u{1f}odd",
            "source.stale",
        ] {
            assert_eq!(Bound::of_key(other), None, "{other}");
        }
    }
}
