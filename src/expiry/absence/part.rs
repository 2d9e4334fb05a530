//! What a reading is about, in the words of the core.

use super::super::certificate::{Kind, Timestamp};
use super::super::inventory::ScopeId;

/// Two times, both included.
pub type Span = (Timestamp, Timestamp);

/// The part of a scope that is read by itself and proven by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The scope.
    pub scope: ScopeId,
    /// The kind of certificate it holds; `None`: any kind. Only certificates of this kind can be missing from it.
    pub kind: Option<Kind>,
    /// The ends it covers; `None`: every certificate, whether it says when it expires or not.
    pub span: Option<Span>,
    /// Which poll reads it: two of them may read the same certificates side by side.
    pub window: WindowName,
    /// How much of it a reading lists.
    pub coverage: Coverage,
}

/// Which certificates a poll is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowName {
    /// Every certificate.
    All,
    /// Those that expired a little while ago or expire soon.
    Near,
}

impl WindowName {
    /// Returns the word used in metrics and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Near => "near",
        }
    }

    /// Returns the window that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::All, Self::Near].into_iter().find(|window| window.as_str() == word)
    }
}

/// How much of what a part holds is listed by a reading of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every certificate.
    Whole,
    /// Every certificate that no reading before it in the same scan listed: what they saw counts together.
    Once,
    /// Those that are new or due. Nothing can be said about absence.
    Skimmed,
}

/// Which ends of a part were read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// All of them.
    All,
    /// What expires within a span.
    Within(Span),
    /// What does not say when it expires.
    Unknown,
}

/// What the end of a reading proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Everything in the part was listed and understood: what was not listed is not there.
    Complete,
    /// Something could not be read or understood, and may hide a certificate: nothing follows about absence.
    Incomplete,
}
