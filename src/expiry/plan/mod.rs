//! (verdicts, ledger) become notices to send and a ledger to keep.
//!
//! An entry of the ledger is about one certificate and one end. It is dropped when that end was replaced by a later
//! one, when a successor took over (both are reported as *renewed*, to the channels that heard of the old end, once two
//! readings in a row show it), and when the certificate is gone. After that its ladder starts anew. What was sent about a
//! certificate that is not in use was mild, and is sent again once it is in use; not the other way round.
//!
//! Verdicts that were planned have to be committed. When that fails, the evaluator has to look at everything
//! again ([`Evaluator::revisit`](super::Evaluator::revisit)).

mod again;
mod forecast;
mod ledger;
mod reminders;
mod renewal;
mod renewing;

#[cfg(test)]
mod tests;

use super::certificate::{Status, Timestamp};
use super::evaluate::{Evaluator, Verdict};
use super::event::Severity;
use super::inventory::View;
use super::ladder::Rung;

pub use again::{Again, Heard, again};
pub use forecast::{Forecast, Prospect};
pub use ledger::Ledger;
pub use reminders::{Reminders, Reminding};
pub use renewal::{Renewals, plan_renewed};
pub use renewing::Renewing;

/// Up to this long before the end an active certificate is critical.
const CRITICAL_SECONDS: u32 = 3 * 86_400;

/// An entry of the ledger from further ahead than this, in seconds, was written when the clock was wrong. A clock that is
/// trusted may be off by as much: what was sent then was sent.
const TRUSTED_ERROR: i64 = 3600;

/// What was last notified about a certificate, or is on its way. Who was told is known where deliveries are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notified {
    /// The tightest rung that was notified.
    pub rung: Rung,
    /// When: the time that the verdict was evaluated for.
    pub at: Timestamp,
    /// Whether it was said mildly: the certificate was not in use.
    pub mild: bool,
    /// How often that rung was said again.
    pub count: u16,
}

/// What is to be notified now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The certificates to notify of, each with the tightest rung that it crossed.
    pub notices: Vec<Notice>,
}

/// A certificate on a rung that is to be notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The certificate and the rung.
    pub verdict: Verdict,
    /// Why it is notified.
    pub reason: DecisionReason,
}

/// Why a certificate on a rung is notified, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionReason {
    /// Nothing was notified of it yet.
    FirstSight,
    /// Nothing was notified of it yet, and it had ended long before.
    LongEnded,
    /// The rung that was notified still stands, for the how manieth time it is said again.
    Reminder(u16),
    /// It crossed a tighter rung than the one that was notified.
    TighterRung,
    /// What was notified cannot have been about this end: its rung was crossed only later. So it is with an end that was
    /// unknown for a while and came back as another one.
    EndChanged,
    /// The ledger has an entry from the future: what was notified then was not true.
    FromTheFuture,
    /// It was notified mildly while it was not in use, and it is in use now.
    InUse,
    /// A snooze ended that had covered it, and it stands still.
    SnoozeEnded,
    /// This rung or a tighter one was notified.
    AlreadySaid,
}

impl DecisionReason {
    /// Returns the word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstSight => "first_sight",
            Self::LongEnded => "long_ended",
            Self::Reminder(_) => "reminder",
            Self::TighterRung => "tighter_rung",
            Self::EndChanged => "end_changed",
            Self::FromTheFuture => "from_the_future",
            Self::InUse => "in_use",
            Self::SnoozeEnded => "snooze_ended",
            Self::AlreadySaid => "already_said",
        }
    }

    /// Returns whether it is a reason to notify.
    pub const fn notifies(self) -> bool {
        match self {
            Self::FirstSight
            | Self::LongEnded
            | Self::Reminder(_)
            | Self::TighterRung
            | Self::EndChanged
            | Self::FromTheFuture
            | Self::InUse
            | Self::SnoozeEnded => true,
            Self::AlreadySaid => false,
        }
    }
}

/// Returns which of the verdicts on a state of the inventory are to be notified, and why.
pub fn plan(evaluator: &mut Evaluator, view: &View, now: Timestamp, ledger: &Ledger) -> Plan {
    let mut notices = Vec::new();
    evaluator.due(view, now, |verdict| {
        let reason = reason(&verdict, now, ledger);
        if reason.notifies() {
            notices.push(Notice { verdict, reason });
        }
    });
    Plan { notices }
}

/// Returns whether a certificate that ends at `end` had ended so long before that nobody is to be called for it.
pub const fn has_long_ended(end: Timestamp, at: Timestamp) -> bool {
    at.since(end) > reminders::LAST_AFTER_THE_END
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

/// Returns why a verdict is notified, or is not.
fn reason(verdict: &Verdict, now: Timestamp, ledger: &Ledger) -> DecisionReason {
    let certificate = (verdict.not_after, verdict.lifetime, verdict.status);
    reason_of((verdict.rung, verdict.crossed), certificate, now, ledger.last(verdict.row))
}

/// Returns why a rung, crossed at a time, is notified of a certificate, with its end, lifetime and status; `last` is what was
/// notified: the rung, when, and whether mildly.
fn reason_of(
    (rung, crossed): (Rung, Timestamp),
    (not_after, lifetime, status): (Timestamp, Option<u32>, Status),
    now: Timestamp,
    last: Option<(Rung, Timestamp, bool)>,
) -> DecisionReason {
    let in_use = status == Status::Active;
    match last {
        None if has_long_ended(not_after, now) => DecisionReason::LongEnded,
        None => DecisionReason::FirstSight,
        Some((_, at, _)) if at > now.plus(TRUSTED_ERROR) => DecisionReason::FromTheFuture,
        Some((said, ..)) if rung.is_tighter_for(lifetime, said) => DecisionReason::TighterRung,
        Some((_, at, _)) if at < crossed => DecisionReason::EndChanged,
        Some((.., mild)) if mild && in_use => DecisionReason::InUse,
        Some(_) => DecisionReason::AlreadySaid,
    }
}
