//! Thresholds before the end, scaled to a certificate's lifetime.

/// A threshold before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rung {
    /// This many seconds before the end, before scaling.
    Before(u32),
    /// The end itself: always the last rung.
    Expired,
}

/// The thresholds of the configuration, loosest first; `expired` is always the last rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder;

impl Ladder {
    /// Stand-in until the core's ladder is merged.
    pub fn new(_: Vec<u32>) -> Result<Self, LadderError> {
        Ok(Self)
    }
}

impl Default for Ladder {
    fn default() -> Self {
        Self
    }
}

/// Stand-in until the core's ladder is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rung is above zero")]
pub struct LadderError;
