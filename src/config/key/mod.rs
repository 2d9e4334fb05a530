//! What may be written under a key: for people whose editor knows it, as JSON Schema.
//!
//! Each table of keys stands beside the code that reads it, and a test holds one against the other.

mod render;

pub use render::table;

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub(super) name: &'static str,
    shape: Shape,
    about: &'static str,
    pub(super) is_required: bool,
    default: Option<&'static str>,
}

impl Key {
    /// Returns a key that may be left out. `about` says what it means, in which unit.
    pub const fn new(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, shape, about, is_required: false, default: None }
    }

    /// Returns a key that must be there.
    pub const fn required(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { is_required: true, ..Self::new(name, shape, about) }
    }

    /// Says what holds where the key is left out, as JSON.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A string that is not empty.
    Text,
    /// A string that this regular expression matches.
    Like(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Mostly one of these words.
    Usually(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// A list of strings, one at least.
    SomeTexts,
    /// `true` or `false`.
    Boolean,
    /// A whole number, 0 or more.
    Count,
    /// A whole number.
    Integer,
    /// A string or a whole number.
    NameOrNumber,
    /// A number above 0.
    Rate,
    /// A length of time.
    Duration,
    /// A length of time, or this word.
    DurationOr(&'static str),
    /// When to do something.
    Schedule,
    /// Thresholds before the end.
    Rungs,
    /// A number of bytes.
    Size,
    /// A time zone.
    Timezone,
    /// `https`, or `http` to this machine.
    Url,
    /// A path from the root.
    Path,
    /// Where a secret is.
    Secret,
    /// What may be written as it is, or as a secret.
    SecretOrText,
    /// A table of secrets.
    Secrets,
    /// A pattern or a list of them, mostly for one of these words.
    Patterns(fn() -> Vec<&'static str>),
    /// A table of patterns.
    LabelPatterns,
    /// A table of labels.
    Labels,
    /// A table.
    Table(fn() -> Vec<Key>),
    /// A list of tables, each under a heading of its own or within braces.
    Tables(fn() -> Vec<Key>),
}
