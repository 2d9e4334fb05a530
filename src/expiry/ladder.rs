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
