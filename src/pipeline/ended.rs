//! Which alerts are over, and what is said of that: renewed, gone, or nothing.

use std::collections::BTreeMap;

use super::Pipeline;
use crate::expiry::{
    Event, Facts, Newer, Occasion, Renewing, RowId, ScopeId, Severity, Status, Timestamp, Topic,
    event_id,
};
use crate::store::Post;

impl Pipeline {
    /// Closes the alerts about certificates that are gone: as renewed where something took their place. They are still
    /// known, and are forgotten after this.
    pub(super) async fn close_gone(&mut self, rows: &[RowId]) -> anyhow::Result<()> {
        self.count_gone(rows);
        self.hand_over(rows).await?;
        let alerted: Vec<RowId> =
            rows.iter().copied().filter(|row| self.ledger.contains(*row)).collect();
        if alerted.is_empty() {
            return Ok(());
        }
        let now = self.parts.clock.now();
        let stays = |other: &RowId| !rows.contains(other);
        let replaced = |row: &RowId| self.inventory.replacement(*row).filter(stays);
        let elsewhere = |row: &RowId| self.inventory.elsewhere(*row).filter(stays);
        let replacements: Vec<_> = alerted.iter().map(replaced).collect();
        let others: Vec<_> = alerted.iter().map(elsewhere).collect();
        let facts = self.facts(&alerted).await?;
        let replacements = self.facts_of_some(&replacements).await?;
        let others = self.facts_of_some(&others).await?;
        for (((row, old), new), other) in
            alerted.into_iter().zip(facts).zip(replacements).zip(others)
        {
            match (old, new) {
                (Some(old), Some(new)) => self.close_renewed(row, old, &new, now),
                (Some(old), None) => {
                    let elsewhere = other.as_ref().map(|other| newer(&old, other));
                    self.close(row, Some(Topic::Gone { facts: old, elsewhere }));
                }
                (None, _) => self.close(row, None),
            }
        }
        Ok(())
    }

    /// Counts those that are gone, for the digest. What was superseded before was counted as renewed then.
    fn count_gone(&mut self, rows: &[RowId]) {
        let mut renewed = BTreeMap::<ScopeId, u64>::new();
        for row in rows {
            let known = self.inventory.row(*row);
            if known.is_none_or(|known| known.status != Status::Superseded) {
                let is_replaced = self.inventory.replacement(*row).is_some();
                self.draft.note_gone(is_replaced);
                if let Some(known) = known.filter(|_| is_replaced) {
                    *renewed.entry(known.scope).or_default() += 1;
                }
            }
        }
        for (scope, count) in renewed {
            self.count_renewed_in(scope, count);
        }
    }

    pub(super) fn close_renewed(&mut self, row: RowId, facts: Facts, new: &Facts, now: Timestamp) {
        self.parts.metrics.renewed(&facts.source, &facts.scope, 1);
        // Nothing is said where the successor has expired too.
        let topic = new.not_after.filter(|end| *end > now).map(|end| Topic::Renewed {
            facts,
            successor: new.serial.clone(),
            successor_not_after: end,
        });
        self.close(row, topic);
    }

    /// Closes the alert about a certificate, if one is open.
    pub(super) fn close(&mut self, row: RowId, topic: Option<Topic>) {
        if self.renewing.remove(row) {
            self.draft.condition(Renewing::key(row), None);
        }
        self.forget_missed(row);
        if !self.ledger.remove(row) {
            return;
        }
        let at = self.parts.clock.now();
        let event = topic.and_then(|topic| {
            let id = event_id(&topic, Severity::Info, &Occasion::First);
            let event = Event { id, at, severity: Severity::Info, topic };
            let hushed = self.quiet.hushing(&event, at).is_some();
            let reason = if hushed { "snoozed" } else { "closed" };
            self.parts.metrics.event(event.kind(), reason);
            self.draft.decided(&event, reason, &[]);
            Some(event).filter(|_| !hushed)
        });
        self.draft.post(Post::Closed { row, at, event, channels: self.channel_names() });
    }

    /// Looks up certificates, where there are any.
    pub(super) async fn facts_of_some(
        &mut self,
        rows: &[Option<RowId>],
    ) -> anyhow::Result<Vec<Option<Facts>>> {
        let asked: Vec<RowId> = rows.iter().copied().flatten().collect();
        if asked.is_empty() {
            return Ok(vec![None; rows.len()]);
        }
        let mut found = self.facts(&asked).await?.into_iter();
        Ok(rows.iter().map(|row| row.and_then(|_| found.next().flatten())).collect())
    }
}

/// Returns what a message about `old` says of another certificate for its names.
pub(super) fn newer(old: &Facts, other: &Facts) -> Newer {
    let place = if other.place.is_empty() { &other.scope } else { &other.place };
    Newer {
        source: other.source.clone(),
        place: place.clone(),
        serial: other.serial.clone(),
        not_after: other.not_after,
        deployment_unknown: old.place.is_empty(),
    }
}
