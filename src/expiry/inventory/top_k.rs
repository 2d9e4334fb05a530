//! The lowest of very many values, in bounded memory.

/// The lowest `most` of the values offered. Keeps up to twice as many and halves them when full, which costs a constant
/// amount of work per value.
pub(super) struct TopK<T> {
    most: usize,
    kept: Vec<T>,
    worst: Option<T>,
}

impl<T: Copy + Ord> TopK<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: Vec::new(), worst: None }
    }

    /// Returns whether a value can still be among them.
    pub(super) fn wants(&self, value: T) -> bool {
        self.most > 0 && self.worst.is_none_or(|worst| value < worst)
    }

    pub(super) fn offer(&mut self, value: T) {
        if !self.wants(value) {
            return;
        }
        self.kept.push(value);
        if self.kept.len() >= self.most.saturating_mul(2) {
            self.halve();
        }
    }

    /// Returns them, the lowest first.
    pub(super) fn into_sorted(mut self) -> Vec<T> {
        self.kept.sort_unstable();
        self.kept.truncate(self.most);
        self.kept
    }

    fn halve(&mut self) {
        if let Some(last) = self.most.checked_sub(1) {
            let (_, worst, _) = self.kept.select_nth_unstable(last);
            self.worst = Some(*worst);
        }
        self.kept.truncate(self.most);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(crate::property::config())]

        #[test]
        fn they_are_the_first_of_all_sorted(
            values in proptest::collection::vec(0..50_i64, 0..200), most in 0..60_usize
        ) {
            let mut top = TopK::new(most);
            for value in &values {
                top.offer(*value);
                prop_assert!(top.kept.len() <= most * 2);
            }
            let mut sorted = values;
            sorted.sort_unstable();
            sorted.truncate(most);
            prop_assert_eq!(top.into_sorted(), sorted);
        }
    }
}
