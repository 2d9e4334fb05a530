//! What an event or a certificate must be like: for routes, ladders and snoozes.

use std::collections::BTreeMap;
use std::fmt;

use super::glob;

/// What can be asked of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The source's name.
    Source,
    /// The scope.
    Scope,
    /// Where it was looked at.
    Place,
    /// The certificate's kind.
    Kind,
    /// The certificate's status.
    Status,
    /// How much it asks of the reader.
    Severity,
    /// The issuer.
    Issuer,
    /// The serial.
    Serial,
    /// The subject's common name.
    CommonName,
    /// Who presents it.
    Holder,
    /// The organizational unit.
    OrganizationalUnit,
    /// The rung that it stands on.
    Rung,
    /// The kind of event.
    Event,
}

impl Field {
    /// Every field, as configuration lists them.
    pub const ALL: [Self; 13] = [
        Self::Source,
        Self::Scope,
        Self::Place,
        Self::Kind,
        Self::Status,
        Self::Severity,
        Self::Issuer,
        Self::Serial,
        Self::CommonName,
        Self::Holder,
        Self::OrganizationalUnit,
        Self::Rung,
        Self::Event,
    ];

    /// Returns the word used in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Scope => "scope",
            Self::Place => "place",
            Self::Kind => "kind",
            Self::Status => "status",
            Self::Severity => "severity",
            Self::Issuer => "issuer",
            Self::Serial => "serial",
            Self::CommonName => "common_name",
            Self::Holder => "holder",
            Self::OrganizationalUnit => "organizational_unit",
            Self::Rung => "rung",
            Self::Event => "event",
        }
    }

    /// Returns the field that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == word)
    }
}

/// Globs of which one must match, and globs of which none may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns {
    any: Vec<String>,
    none: Vec<String>,
}

impl Patterns {
    /// Reads patterns; `!` in front of one means "not". Where all of them have it, everything else matches.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut patterns = Self::default();
        for text in texts {
            match text.as_ref().strip_prefix('!') {
                Some(pattern) => patterns.none.push(pattern.to_owned()),
                None => patterns.any.push(text.as_ref().to_owned()),
            }
        }
        patterns
    }

    /// Returns whether `text` is what is asked for.
    pub fn matches(&self, text: &str) -> bool {
        let fits = |pattern: &String| glob::matches(pattern, text);
        (self.any.is_empty() || self.any.iter().any(fits)) && !self.none.iter().any(fits)
    }
}

impl fmt::Display for Patterns {
    /// Shows them as they are configured.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = self.none.iter().map(|pattern| format!("`!{pattern}`"));
        let any = self.any.iter().map(|pattern| format!("`{pattern}`"));
        f.write_str(&any.chain(none).collect::<Vec<_>>().join(" or "))
    }
}

/// What an event must be like. What is not asked for matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    pub(super) fields: BTreeMap<Field, Patterns>,
    pub(super) labels: BTreeMap<String, Patterns>,
}

impl Matcher {
    /// Asks for one more field.
    pub fn ask(&mut self, field: Field, patterns: Patterns) {
        self.fields.insert(field, patterns);
    }

    /// Asks for one more label.
    pub fn ask_label(&mut self, name: String, patterns: Patterns) {
        self.labels.insert(name, patterns);
    }

    /// Returns whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.labels.is_empty()
    }

    /// Returns whether a field is asked for.
    pub fn asks(&self, field: Field) -> bool {
        self.fields.contains_key(&field)
    }

    /// Returns whether what `value` tells of is everything that is asked for.
    pub fn fits<'a>(&self, value: impl Fn(Field) -> Option<&'a str>) -> bool {
        let fits = |(field, patterns): (&Field, &Patterns)| {
            value(*field).is_some_and(|found| patterns.matches(found))
        };
        self.labels.is_empty() && self.fields.iter().all(fits)
    }
}

impl fmt::Display for Matcher {
    /// Shows what is asked for; nothing where that is nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields.iter().map(|(field, it)| format!("{} {it}", field.as_str()));
        let labels = self.labels.iter().map(|(name, it)| format!("label {name} {it}"));
        f.write_str(&fields.chain(labels).collect::<Vec<_>>().join(", "))
    }
}
