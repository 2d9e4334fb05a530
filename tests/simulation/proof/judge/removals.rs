//! 5: nothing is removed without two absences, and nothing in bulk without three: one froze, two agreed.

use notafter::facade::expiry::RowId;

use super::Judge;

/// So many may be missing at any time, and one in so many.
const FEW: usize = 20;
const SHARE: usize = 50;

impl Judge {
    /// These certificates are removed in one step.
    pub(super) fn removed(&mut self, rows: &[RowId]) {
        let places: Vec<usize> =
            rows.iter().filter_map(|row| self.written.rows.remove(row)).collect();
        let mut by_source = vec![Vec::new(); self.scene.sources.len()];
        for place in places {
            by_source[self.certificate(place).source].push(place);
        }
        for (source, gone) in by_source.into_iter().enumerate() {
            self.removed_of(source, &gone);
        }
    }

    fn removed_of(&mut self, source: usize, gone: &[usize]) {
        if gone.is_empty() {
            return;
        }
        let left =
            self.written.rows.values().filter(|place| self.certificate(**place).source == source);
        let known = left.count() + gone.len();
        let bulk = gone.len() > FEW.max(known / SHARE);
        // A scope that is not listed is gone when the next poll agrees.
        let wanted = if bulk && !self.is_scope_gone(source) { 3 } else { 2 };
        for place in gone {
            let (now, one) = (self.right(), self.certificate(*place));
            let is_asked = self.scene.sources[source].confirms && !self.is_scope_gone(source);
            if is_asked && one.is_listed(now - 600) && one.is_listed(now) {
                self.violates(5, format!("removed, and there when asked for: {one:?}"));
                return;
            }
            let absences = self.shown.certificates[*place].absences();
            if absences < wanted {
                let text = format!("removed after {absences} of {wanted} absences: {one:?}");
                return self.violates(5, text);
            }
        }
        self.reach(if bulk { "many removed at once" } else { "removed" });
    }
}
