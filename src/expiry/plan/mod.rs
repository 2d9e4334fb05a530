//! (verdicts, ledger) become events to say and a ledger to keep.
//!
//! An entry of the ledger is about one certificate and one end. It is dropped when that end was replaced by another
//! one, when a successor took over (both are said as *renewed*, to the channels that were told of the old end), when a
//! certificate that was switched off becomes active (what was said of it was said mildly), and when the certificate
//! is gone, which is never said as renewed. After that its ladder starts anew.
//!
//! Verdicts that were planned have to be committed. When that fails, the evaluator is told to look at everything
//! again ([`Evaluator::revisit`](super::Evaluator::revisit)).

mod ledger;
mod renewal;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::certificate::{Status, Timestamp};
use super::evaluate::{Evaluator, Verdict};
use super::event::Severity;
use super::inventory::View;
use super::ladder::Rung;

pub use ledger::Ledger;
pub use renewal::{Renewal, Renewals, plan_renewed};

/// Up to this long before the end an active certificate is critical.
const CRITICAL_SECONDS: u32 = 3 * 86_400;

/// Channels that were told something.
pub type Told = Arc<[Arc<str>]>;

/// What was last said about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The tightest rung said.
    pub rung: Rung,
    /// When: the time that the verdict was evaluated for.
    pub at: Timestamp,
    /// To whom.
    pub told: Told,
}

/// What is to be said now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The certificates to speak of, each with the tightest rung that it crossed.
    pub say: Vec<Verdict>,
}

/// Returns which of the verdicts on a state of the inventory are news.
///
/// News is a certificate that nothing was said about, one that crossed a tighter rung, and one whose rung was crossed
/// only after the last thing was said: that thing cannot have been about this end. The last covers an end that was
/// unknown for a while and came back as another one.
pub fn plan(evaluator: &mut Evaluator, view: &View, now: Timestamp, ledger: &Ledger) -> Plan {
    let mut say = Vec::new();
    evaluator.due(view, now, |verdict| {
        if is_news(&verdict, ledger) {
            say.push(verdict);
        }
    });
    Plan { say }
}

/// Returns how much a certificate on a rung asks of the reader.
pub fn severity(status: Status, rung: Rung) -> Severity {
    match status {
        Status::Active if rung.seconds() <= CRITICAL_SECONDS => Severity::Critical,
        Status::Active => Severity::Warning,
        Status::Inactive
        | Status::Pending
        | Status::Revoked
        | Status::Superseded
        | Status::Retired
        | Status::Undated => Severity::Info,
    }
}

fn is_news(verdict: &Verdict, ledger: &Ledger) -> bool {
    ledger
        .last(verdict.row)
        .is_none_or(|(rung, at)| verdict.rung.is_tighter_than(rung) || at < verdict.crossed)
}
