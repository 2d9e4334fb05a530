//! (verdicts, ledger) become events to say and a ledger to keep.

use std::sync::Arc;

use super::certificate::Timestamp;
use super::ladder::Rung;

/// Channels that were told something.
pub type Told = Arc<[Arc<str>]>;

/// What was last said about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The tightest rung said.
    pub rung: Rung,
    /// When.
    pub at: Timestamp,
    /// To whom.
    pub told: Told,
}

/// What was said about each certificate, for as long as it is known.
pub struct Ledger;

/// What is to be said now.
pub struct Plan;
