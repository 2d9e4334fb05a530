//! What a client asks a provider for.

use std::fmt;

/// An action of a provider's API: a metric label. A source states those that it sends where it is described, so that each
/// has a counter from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action(&'static str);

impl Action {
    /// Returns the action that the provider calls `name`.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Returns the provider's name of it.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
