//! 12: signs of life tell the truth.

use super::super::scene::StoreFault;
use super::{Judge, LIVENESS};

/// Something is written that often at least, so that a store that takes nothing is known by then.
const KNOWN: i64 = 900;

/// Two signs are so far apart at most.
const APART: i64 = 2 * 3600;

impl Judge {
    /// Somebody hears that all is well, or that it is not.
    pub(crate) fn beat(&mut self, is_well: bool) {
        let now = self.right();
        if !is_well {
            return self.reach("a sign that something is wrong");
        }
        self.reach("a sign of life");
        self.well = Some(now);
        let takes_nothing = matches!(
            self.times.store_fault,
            Some(StoreFault::Full | StoreFault::UnavailableBefore)
        );
        let since = self.times.fault_since.max(self.times.started);
        if takes_nothing && now - since > KNOWN {
            self.violates(12, format!("all is well, and since {since} the store takes nothing"));
        }
    }

    /// In the end there are signs of life.
    pub(super) fn beats(&mut self) {
        let now = self.right();
        let is_late = self.well.is_none_or(|at| now - at > APART);
        if self.scene.heartbeat && is_late {
            self.violates(LIVENESS, format!("no sign of life since {:?}", self.well));
        }
    }
}
