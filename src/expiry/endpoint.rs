//! Endpoints: what is wrong with what is served there, as a client that verifies sees it, and which names were asked for.

use std::collections::{BTreeMap, BTreeSet};

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

/// The names that the endpoints of each source were asked for, and whether all of those endpoints were read.
#[derive(Clone, Debug, Default)]
pub struct Looked(BTreeMap<String, Asked>);

#[derive(Clone, Debug, Default)]
struct Asked {
    read: NameSet,
    unread: NameSet,
}

/// Names, and what a wildcard for them has behind its first label.
#[derive(Clone, Debug, Default)]
struct NameSet {
    names: BTreeSet<String>,
    parents: BTreeSet<String>,
}

impl Looked {
    /// A source looked at these places; each with whether it was read.
    pub fn replace<'a>(&mut self, source: &str, places: impl Iterator<Item = (&'a str, bool)>) {
        let mut asked = Asked::default();
        for (place, was_read) in places {
            let names = if was_read { &mut asked.read } else { &mut asked.unread };
            names.add(name_asked(place));
        }
        self.0.insert(source.to_owned(), asked);
    }

    /// Forgets the sources that are not kept.
    pub fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.0.retain(|source, _| is_kept(source));
    }

    /// Returns whether an endpoint of one of these names was read, and none of them could not be.
    pub(super) fn shows(&self, names: &[Box<str>]) -> bool {
        let has = |set: fn(&Asked) -> &NameSet| {
            self.0.values().any(|asked| names.iter().any(|name| set(asked).has(name)))
        };
        has(|asked| &asked.read) && !has(|asked| &asked.unread)
    }
}

impl NameSet {
    fn add(&mut self, name: &str) {
        let name = name.to_lowercase();
        self.parents.extend(name.split_once('.').map(|(_, parent)| parent.to_owned()));
        self.names.insert(name);
    }

    /// Returns whether a name of a certificate, a wildcard perhaps, stands for one of them.
    fn has(&self, pattern: &str) -> bool {
        let pattern = pattern.to_lowercase();
        match pattern.strip_prefix("*.") {
            Some(parent) => self.parents.contains(parent),
            None => self.names.contains(&pattern),
        }
    }
}

/// Returns the name that an endpoint was asked for: its place is `host:port/name`.
fn name_asked(place: &str) -> &str {
    let named = place.rsplit_once('/').map(|(_, name)| name);
    named.or_else(|| place.rsplit_once(':').map(|(host, _)| host)).unwrap_or(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_when_each_of_its_endpoints_was_read() {
        let mut looked = Looked::default();
        let web = ["1.2.3.4:443/A.test", "b.test:443", "[::1]:443/c.x.test"];
        looked.replace("web", web.into_iter().map(|place| (place, true)));
        looked.replace(
            "mqtt",
            [("b.test:8883/b.test", false), ("d.y.test:1/d.y.test", false)].into_iter(),
        );
        let shows = |looked: &Looked, names: &[&str]| {
            let names: Vec<Box<str>> = names.iter().map(|name| Box::from(*name)).collect();
            looked.shows(&names)
        };
        for (names, expected) in [
            (&["a.TEST"][..], true),
            (&["else.test", "a.test"], true),
            (&["else.test"], false),
            (&["b.test"], false),
            (&["a.test", "*.y.test"], false),
            (&["*.X.test"], true),
            (&["x.test"], false),
            (&["*.test"], false),
            (&[], false),
        ] {
            assert_eq!(shows(&looked, names), expected, "{names:?}");
        }
        looked.retain(|source| source == "web");
        assert!(shows(&looked, &["b.test"]));
    }
}
