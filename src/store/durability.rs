//! What a transaction survives.

use super::Commit;

/// What a transaction survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// The death of the process. After a power cut it may be missing, but never be half there.
    Process,
    /// A power cut as well. Everything committed before it then survives too: the log is one file.
    Power,
}

impl Durability {
    /// Returns how safe a step must be.
    ///
    /// What was sent, is to be sent, is gone or is proven survives a power cut. Certificates alone need only survive
    /// the process: a power cut costs a reread of what the provider lists anyway, and the scan record that would call
    /// them proven is itself written for a power cut, after them. Notes go with the certificates that were read
    /// before them: the log is one file, so a power cut never leaves a checkpoint without those.
    pub(super) fn of(commit: &Commit) -> Self {
        let only_certificates = commit.removed.is_empty()
            && commit.ledger.is_empty()
            && commit.inherited.is_empty()
            && commit.conditions.is_empty()
            && commit.outbox.is_empty()
            && commit.unlisted.is_empty()
            && commit.scans.is_empty()
            && commit.snoozes.is_empty();
        if only_certificates { Self::Process } else { Self::Power }
    }

    /// Returns the value of the `synchronous` setting that keeps the promise.
    pub(super) const fn synchronous(self) -> &'static str {
        match self {
            Self::Process => "NORMAL",
            Self::Power => "FULL",
        }
    }
}
