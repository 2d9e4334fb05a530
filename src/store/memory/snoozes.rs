//! Snoozes, ended ones included.

use std::collections::BTreeMap;

use super::super::types::KEPT_DEAD;
use crate::expiry::Snooze;

/// Snoozes by id.
#[derive(Clone, Default)]
pub(super) struct Shelf(BTreeMap<String, Snooze>);

impl Shelf {
    /// Keeps the newest of each id.
    pub(super) fn write(&mut self, snoozes: &[Snooze]) {
        for snooze in snoozes {
            self.0.insert(snooze.id.clone(), snooze.clone());
            let at = snooze.ended.map_or(snooze.made, |(at, _)| at);
            let stays =
                |one: &Snooze| one.ended.is_none_or(|(ended, _)| ended >= at.plus(-KEPT_DEAD));
            self.0.retain(|_, one| stays(one));
        }
    }

    /// Returns those that have not ended, by id.
    pub(super) fn standing(&self) -> Vec<Snooze> {
        self.0.values().filter(|snooze| snooze.ended.is_none()).cloned().collect()
    }

    /// Returns all, the newest first.
    pub(super) fn all(&self) -> Vec<Snooze> {
        let mut all: Vec<Snooze> = self.0.values().cloned().collect();
        all.sort_by(|one, other| (other.made, &other.id).cmp(&(one.made, &one.id)));
        all
    }
}
