//! The guard against mass removal: what is missing at once is believed only up to a bound.

use std::collections::BTreeMap;

use super::super::certificate::Kind;
use super::super::inventory::ScopeId;
use super::part::Part;
use super::rows::Rows;

/// Certificates that may be missing at once without an alarm, whatever the size of the scope.
const FEW: usize = 20;

/// One in this many may be missing at once without an alarm: 2 %.
const SHARE: usize = 50;

/// What becomes of the certificates that a proven reading did not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// No more are missing than may be at any time.
    Usual,
    /// So many are missing at once that none is removed.
    Frozen,
    /// As many, but two proven scans agree about them.
    Agreed,
}

/// A loss that is believed because two proven scans agree about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Certificates that were known.
    pub known: u64,
    /// Those of them that are gone.
    pub missing: u64,
}

/// What two readings have in common that can confirm each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Guarded {
    scope: ScopeId,
    kind: Option<Kind>,
    /// Whether it is only what expires in the near window.
    near: bool,
}

impl Guarded {
    const fn of(part: &Part) -> Self {
        Self { scope: part.scope, kind: part.kind, near: part.span.is_some() }
    }
}

/// What is missing from a part, in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loss {
    /// Certificates that are known in the part.
    pub(super) known: usize,
    /// Those of them that were not listed.
    pub(super) missing: usize,
    /// Those of the missing that were not missing when the part was frozen.
    pub(super) fresh: usize,
}

impl Loss {
    /// More than may go missing at once, or all there is.
    const fn is_too_much(&self) -> bool {
        self.missing > few(self.known) || self.known > 0 && self.missing == self.known
    }
}

/// Returns how many of so many may be missing at any time.
pub(super) const fn few(known: usize) -> usize {
    if known / SHARE > FEW { known / SHARE } else { FEW }
}

/// The parts from which too much was missing at once.
#[derive(Debug, Default)]
pub(super) struct Guard {
    frozen: BTreeMap<Guarded, Frozen>,
    /// The largest loss of each scope that was believed since its removals were last frozen.
    accepted: BTreeMap<ScopeId, Accepted>,
}

#[derive(Debug)]
struct Frozen {
    missing: Rows,
    agreed: bool,
}

impl Guard {
    /// Returns what was missing when the part was frozen, if it is.
    pub(super) fn frozen(&self, part: &Part) -> Option<&Rows> {
        self.frozen.get(&Guarded::of(part)).map(|frozen| &frozen.missing)
    }

    /// Judges a loss.
    ///
    /// A part that lost too much at once is frozen until two proven scans agree about what is missing: what went
    /// missing between them is no more than may go missing at any time, or a busy part would stay frozen for ever.
    pub(super) fn judge(&self, part: &Part, loss: Loss) -> Removal {
        let agreed = || self.frozen(part).is_some() && loss.fresh <= few(loss.known);
        if !loss.is_too_much() {
            Removal::Usual
        } else if agreed() {
            Removal::Agreed
        } else {
            Removal::Frozen
        }
    }

    /// Judges the loss of a whole reading, and keeps what was missing for the next one to agree with.
    pub(super) fn settle(&mut self, part: &Part, loss: Loss, missing: Rows) -> Removal {
        let removal = self.judge(part, loss);
        self.frozen.remove(&Guarded::of(part));
        if removal != Removal::Usual {
            let agreed = removal == Removal::Agreed;
            self.frozen.insert(Guarded::of(part), Frozen { missing, agreed });
        }
        match removal {
            Removal::Usual => {}
            Removal::Frozen => drop(self.accepted.remove(&part.scope)),
            Removal::Agreed => self.accept(part.scope, loss),
        }
        removal
    }

    fn accept(&mut self, scope: ScopeId, loss: Loss) {
        let accepted = Accepted { known: loss.known as u64, missing: loss.missing as u64 };
        // The near window loses some of what the whole loses.
        let known = self.accepted.entry(scope).or_insert(accepted);
        if known.missing < accepted.missing {
            *known = accepted;
        }
    }

    /// Returns the loss that was believed since the scope was frozen, once.
    pub(super) fn take_accepted(&mut self, scope: ScopeId) -> Option<Accepted> {
        self.accepted.remove(&scope)
    }

    /// Returns whether some part of the scope lost too much and is not agreed upon.
    pub(super) fn is_frozen(&self, scope: ScopeId) -> bool {
        self.frozen.iter().any(|(part, frozen)| part.scope == scope && !frozen.agreed)
    }
}
