//! Which ladder a certificate stands on: the first whose matcher fits it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::certificate::Kind;
use super::ladder::{Ladder, Rung};
use super::matcher::{Field, Matcher};

/// Issuers by what the columns keep of them.
pub type Issuers = BTreeMap<u64, Arc<str>>;

/// The ladders of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladders {
    rules: Arc<[(Matcher, Ladder)]>,
    last: Ladder,
}

impl From<Ladder> for Ladders {
    fn from(ladder: Ladder) -> Self {
        Self::new(Vec::new(), ladder)
    }
}

impl Ladders {
    /// Returns ladders with what they are for, and the one of all others.
    pub fn new(rules: Vec<(Matcher, Ladder)>, last: Ladder) -> Self {
        Self { rules: rules.into(), last }
    }

    /// Returns the same with rules before the last ladder.
    #[must_use]
    pub fn with(&self, rules: Vec<(Matcher, Ladder)>) -> Self {
        Self::new(rules, self.last.clone())
    }

    /// Returns the ladder of a certificate.
    pub fn of(&self, source: &str, scope: &str, kind: Kind, issuer: &str) -> &Ladder {
        let value = |field| match field {
            Field::Source => Some(source),
            Field::Scope => Some(scope),
            Field::Kind => Some(kind.as_str()),
            Field::Issuer => Some(issuer),
            _ => None,
        };
        let fitting = self.rules.iter().find(|(matcher, _)| matcher.fits(value));
        fitting.map_or(&self.last, |(_, ladder)| ladder)
    }

    /// Returns every rung of every ladder, loosest first.
    pub fn rungs(&self) -> BTreeSet<Rung> {
        self.all().flat_map(Ladder::rungs).collect()
    }

    /// Returns whether it matters who issued a certificate.
    pub fn asks_issuer(&self) -> bool {
        self.rules.iter().any(|(matcher, _)| matcher.asks(Field::Issuer))
    }

    /// Returns the loosest threshold of all in seconds. No rung is crossed earlier before an end than this.
    pub(super) fn reach(&self) -> i64 {
        self.all().map(Ladder::reach).max().unwrap_or(0)
    }

    /// Returns the ladders of one scope.
    pub(super) fn inside<'a>(
        &'a self,
        source: &'a str,
        scope: &'a str,
        issuers: &'a Issuers,
    ) -> InScope<'a> {
        let plain = self.rules.is_empty();
        let asks_issuer = !plain && self.asks_issuer();
        let kept = BTreeMap::new();
        InScope {
            ladders: self,
            source,
            scope,
            issuers,
            plain,
            asks_issuer,
            reach: self.reach(),
            kept,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Ladder> {
        self.rules.iter().map(|(_, ladder)| ladder).chain([&self.last])
    }
}

/// The ladders of the certificates of one scope. A fleet asks a million times, and has few answers.
pub(super) struct InScope<'a> {
    ladders: &'a Ladders,
    source: &'a str,
    scope: &'a str,
    issuers: &'a Issuers,
    plain: bool,
    asks_issuer: bool,
    reach: i64,
    kept: BTreeMap<(Kind, u64), &'a Ladder>,
}

impl<'a> InScope<'a> {
    /// Returns the loosest threshold in seconds; no rung is crossed earlier before an end than this.
    pub(super) fn reach(&self) -> i64 {
        self.reach
    }

    /// Returns the ladder of a certificate of a kind; `issuer` is what the columns keep of it.
    pub(super) fn of(&mut self, kind: Kind, issuer: u64) -> &'a Ladder {
        if self.plain {
            return &self.ladders.last;
        }
        let issuer = if self.asks_issuer { issuer } else { 0 };
        let Self { ladders, source, scope, issuers, kept, .. } = self;
        kept.entry((kind, issuer)).or_insert_with(|| {
            let name = issuers.get(&issuer).map_or("", |name| name);
            ladders.of(source, scope, kind, name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::matcher::Patterns;
    use super::*;

    const DAY: u32 = 86_400;

    fn rule(field: Field, pattern: &str, days: u32) -> (Matcher, Ladder) {
        let mut matcher = Matcher::default();
        matcher.ask(field, Patterns::new([pattern]));
        (matcher, Ladder::new(vec![days * DAY]).unwrap())
    }

    #[test]
    fn the_first_that_fits_is_a_certificates_own() {
        let rules = vec![
            rule(Field::Kind, "ca", 365),
            rule(Field::Issuer, "*Let's Encrypt*", 20),
            rule(Field::Source, "iot-*", 60),
        ];
        let ladders = Ladders::new(rules, Ladder::default());
        let loosest = |ladder: &Ladder| ladder.rungs().next().map(|rung| rung.as_label());
        let of = |source, kind, issuer| loosest(ladders.of(source, "all", kind, issuer)).unwrap();
        assert_eq!(of("iot-1", Kind::Ca, "O=Let's Encrypt"), "365d");
        assert_eq!(of("iot-1", Kind::Server, "O=Let's Encrypt"), "20d");
        assert_eq!(of("iot-1", Kind::Device, ""), "60d");
        assert_eq!(of("web", Kind::Device, ""), "30d");
        assert_eq!(ladders.reach(), i64::from(365 * DAY));
        let labels: Vec<_> = ladders.rungs().iter().map(Rung::as_label).collect();
        assert_eq!(labels, ["365d", "60d", "30d", "20d", "14d", "7d", "3d", "1d", "expired"]);
        let issuers = Issuers::from([(7, Arc::from("O=Let's Encrypt"))]);
        let mut inside = ladders.inside("web", "all", &issuers);
        assert_eq!(loosest(inside.of(Kind::Server, 7)).unwrap(), "20d");
        assert_eq!(loosest(inside.of(Kind::Server, 8)).unwrap(), "30d", "not known");
        assert_eq!(loosest(inside.of(Kind::Ca, 8)).unwrap(), "365d");
    }
}
