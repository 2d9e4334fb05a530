//! What is wrong with what an endpoint serves, as a client that verifies sees it.

/// Why clients that verify refuse what is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The reason, from a closed list.
    pub reason: InvalidReason,
    /// What else is known of it: names, counts, shares of several addresses. May have texts of the far side; never a
    /// secret.
    pub detail: String,
}

/// What is said of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointNews {
    /// Clients that verify refuse what is served.
    Invalid(Invalid),
    /// It could not be reached for a while: what was served is kept, and a change of it would not be seen.
    Unreachable {
        /// What went wrong the last time.
        error: String,
    },
    /// It is reached again.
    Reachable,
}

impl EndpointNews {
    /// Returns the kind of event.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "endpoint.invalid",
            Self::Unreachable { .. } => "endpoint.unreachable",
            Self::Reachable => "endpoint.reachable",
        }
    }
}

/// Why it is refused. Closed: it is said in words, and once as long as it stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvalidReason {
    /// No authority that is trusted has signed it.
    Untrusted,
    /// It has other names than the one that was asked for.
    NameMismatch,
    /// It has expired.
    Expired,
    /// It begins to be valid later.
    NotYetValid,
    /// It has signed itself.
    SelfSigned,
    /// An authority between it and a trusted one is not served.
    ChainIncomplete,
    /// What is served is whole, and not each certificate after the one that it signed.
    WrongOrder,
}

impl InvalidReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Untrusted,
        Self::NameMismatch,
        Self::Expired,
        Self::NotYetValid,
        Self::SelfSigned,
        Self::ChainIncomplete,
        Self::WrongOrder,
    ];

    /// Returns the word used in the store and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::NameMismatch => "name_mismatch",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::SelfSigned => "self_signed",
            Self::ChainIncomplete => "chain_incomplete",
            Self::WrongOrder => "wrong_order",
        }
    }

    /// Returns the reason that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}
