//! 10: after a power cut what was durable is there.

use std::collections::BTreeSet;

use notafter::facade::store::Store;

use super::super::config::room_of;
use super::super::scene::Scene;
use super::Judge;

/// What of a store survives a power cut: all of it but scopes, certificates, statuses and checkpoints.
pub(crate) async fn kept(store: &dyn Store, scene: &Scene) -> BTreeSet<String> {
    let mut kept = BTreeSet::new();
    for channel in 0..scene.channels.len() {
        let room = room_of(channel);
        for one in store.pending(&room, usize::MAX).await.unwrap() {
            kept.insert(format!("{room} waits for {one:?}"));
        }
        kept.insert(format!("{room} {:?}", store.channel_state(&room).await.unwrap()));
    }
    let saved = store.saved().await.unwrap();
    kept.extend(saved.ledger.iter().map(|entry| format!("{entry:?}")));
    kept.extend(saved.conditions.iter().map(|entry| format!("{entry:?}")));
    kept.extend(saved.scans.iter().map(|entry| format!("{entry:?}")));
    kept
}

impl Judge {
    pub(crate) fn power_is_back(&mut self, before: &BTreeSet<String>, after: &BTreeSet<String>) {
        if let Some(lost) = before.difference(after).next() {
            self.violates(10, format!("the power took {lost}"));
        }
        if let Some(half) = after.difference(before).next() {
            self.violates(10, format!("the power brought back {half}"));
        }
    }
}
