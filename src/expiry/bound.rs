//! Where a provider uses a certificate that it lists: what tells one that is superseded from one that was only issued anew.

use std::sync::Arc;

/// What a provider answered, asked where it uses a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It is in use at these: product and region, `clb ap-guangzhou`. None are named of what was known before a restart.
    To(Arc<[String]>),
    /// It is in use nowhere.
    Nowhere,
    /// The provider could not be asked, or did not know.
    Unknown,
}

impl Bound {
    /// Returns the word under which it is kept.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::To(_) => "to",
            Self::Nowhere => "nowhere",
            Self::Unknown => "unknown",
        }
    }

    /// Returns what was kept under a word, without the places.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "to" => Some(Self::To(Arc::default())),
            "nowhere" => Some(Self::Nowhere),
            "unknown" => Some(Self::Unknown),
            _ => None,
        }
    }

    /// Returns whether it is known to be in use.
    pub const fn is_in_use(&self) -> bool {
        matches!(self, Self::To(_))
    }
}
