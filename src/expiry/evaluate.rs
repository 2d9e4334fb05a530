//! (inventory, ladder, now) become verdicts.

/// A certificate that stands on a rung now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict;

/// Remembers when each chunk has to be looked at again.
pub struct Evaluator;
