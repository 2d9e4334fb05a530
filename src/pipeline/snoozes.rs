//! Snoozes begin, end, and say in the end what still stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Pipeline;
use super::draft::BATCH;
use crate::expiry::{
    Cover, DecisionReason, Evaluator, IdPrefix, Notice, RefusedWish, RowId, Snooze, SnoozeEnd,
    Snoozed, Status, Timestamp, Verdict, View, Wanted, Wish, WishCover,
};

impl Pipeline {
    /// Grants a wish for quiet, and answers once it is kept.
    pub(super) async fn snooze(
        &mut self,
        wish: Wish,
        answer: oneshot::Sender<Result<Snooze, RefusedWish>>,
    ) -> anyhow::Result<()> {
        let granted = self.grant(wish);
        if let Ok(snooze) = &granted {
            tracing::info!(snooze = snooze.id, until = snooze.until.seconds(), "a snooze began");
            self.snoozed(snooze);
            self.draft.snooze(snooze.clone());
            self.quiet.add(snooze.clone());
            self.keep_snoozes().await?;
        }
        tell(answer, granted);
        Ok(())
    }

    /// Ends a snooze because somebody wants so, and answers once that is kept; `None` where there is none.
    pub(super) async fn end_snooze(
        &mut self,
        id: &str,
        answer: oneshot::Sender<Option<Snooze>>,
    ) -> anyhow::Result<()> {
        let found = self.quiet.snoozes().iter().find(|snooze| snooze.id == id).cloned();
        let ended = found.map(|snooze| self.end_one(&snooze, SnoozeEnd::ByHand));
        if ended.is_some() {
            // What still stands is said in the same breath, unless nobody knows what time it is.
            if self.checks.clock_is_trusted() {
                self.notify_snoozed(self.parts.clock.now()).await?;
            }
            self.keep_snoozes().await?;
        }
        tell(answer, ended);
        Ok(())
    }

    /// Makes a change of the snoozes durable and shows it.
    async fn keep_snoozes(&mut self) -> anyhow::Result<()> {
        self.save().await?;
        self.settle().await?;
        self.publish_snoozes();
        Ok(())
    }

    /// Shows readers and outboxes what is snoozed.
    pub(super) fn publish_snoozes(&self) {
        let snoozes = Arc::new(self.quiet.snoozes().clone());
        let is_new = self.outputs.snoozes.send_if_modified(|known| {
            let is_new = *known != snoozes;
            if is_new {
                *known = snoozes;
            }
            is_new
        });
        if is_new {
            // Outboxes look again at what waits.
            self.outputs.outbox.send_modify(|count| *count += 1);
        }
    }

    fn grant(&mut self, wish: Wish) -> Result<Snooze, RefusedWish> {
        if let Some(mistake) = wish.mistake() {
            return Err(RefusedWish::Mistaken(mistake));
        }
        if self.quiet.is_full() {
            return Err(RefusedWish::TooMany);
        }
        let same = |snooze: &Arc<Snooze>| snooze.link.is_some() && snooze.link == wish.link;
        if self.quiet.snoozes().iter().any(same) {
            return Err(RefusedWish::LinkUsed);
        }
        let now = self.parts.clock.now();
        let cover = match &wish.cover {
            WishCover::Match(wanted) => Cover::Match(wanted.clone()),
            WishCover::Certificate(id) => {
                Cover::Certificate(self.standing(id, now).ok_or(RefusedWish::Unknown)?)
            }
        };
        let id = self.parts.random.uuid(now.seconds().saturating_mul(1000));
        Ok(wish.grant(id.simple().to_string(), cover, now))
    }

    /// Returns how a certificate stands now.
    fn standing(&mut self, id: &str, now: Timestamp) -> Option<Snoozed> {
        let view = self.inventory.view();
        let whole = IdPrefix::parse(id).filter(|id| id.is_whole())?;
        let row = view.find_ids(whole, 1).into_iter().next()?;
        let rung = view.rung(row, &self.settings.config.alerts.ladders, now);
        Some(Snoozed { id: view.id(row)?, row, rung, not_after: view.row(row)?.not_after })
    }

    /// Ends what is over, and says what of that still stands.
    pub(super) async fn notify_snoozed(&mut self, now: Timestamp) -> anyhow::Result<()> {
        if self.end_snoozes(now) {
            self.publish_snoozes();
        }
        if self.quiet.is_due(now) {
            self.look_what_is_covered(now).await?;
        }
        let (certificates, snoozes) = self.quiet.sums();
        self.parts.metrics.snoozed(certificates, snoozes);
        Ok(())
    }

    async fn look_what_is_covered(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.quiet.begin_look();
        let mut notices = self.covered(now);
        self.once_for_each_authority(&mut notices);
        for some in notices.chunks(BATCH) {
            self.notify_some(some, now).await?;
            if notices.len() > BATCH {
                self.outputs.pulse.send_replace(Instant::now());
            }
        }
        self.quiet.end_look(now);
        Ok(())
    }

    /// Ends the snoozes that are over. Answers whether any is.
    fn end_snoozes(&mut self, now: Timestamp) -> bool {
        if self.quiet.snoozes().is_empty() {
            return false;
        }
        let view = self.inventory.view();
        let snoozes: Vec<Arc<Snooze>> = self.quiet.snoozes().iter().cloned().collect();
        let over: Vec<_> = snoozes
            .into_iter()
            .filter_map(|snooze| Some((self.is_over(&snooze, &view, now)?, snooze)))
            .collect();
        for (end, snooze) in &over {
            self.end_one(snooze, *end);
        }
        !over.is_empty()
    }

    fn end_one(&mut self, snooze: &Snooze, end: SnoozeEnd) -> Snooze {
        let ended = Some((self.parts.clock.now(), end));
        let ended = Snooze { ended, ..snooze.clone() };
        tracing::info!(snooze = ended.id, why = end.as_str(), "a snooze ended");
        self.quiet.remove(&ended);
        self.snoozed(&ended);
        self.draft.snooze(ended.clone());
        ended
    }

    /// Returns why a snooze is over. What is said of its certificate waits while it is not sure what became of it, and so
    /// does the end of the snooze.
    fn is_over(&mut self, snooze: &Snooze, view: &View, now: Timestamp) -> Option<SnoozeEnd> {
        let time = snooze.is_past(now).then_some(SnoozeEnd::Time);
        let Cover::Certificate(one) = &snooze.cover else { return time };
        let Some(row) = view.row(one.row).filter(|_| is_here(view, one)) else { return time };
        if self.is_unsure(one.row) {
            return None;
        }
        let rung = view.rung(one.row, &self.settings.config.alerts.ladders, now);
        let lifetime = row.not_before.zip(row.not_after);
        let lifetime = lifetime.and_then(|(from, to)| u32::try_from(to.since(from)).ok());
        let is_replaced = row.status == Status::Superseded;
        snooze.over((row.not_after, lifetime), rung, is_replaced).or(time)
    }

    /// Returns whether it is not sure what became of a certificate.
    pub(super) fn is_unsure(&mut self, row: RowId) -> bool {
        self.renewing.holds(row) || self.missed.contains(&row) || self.absence.holds_back(row)
    }

    /// Returns what stands on a rung and may be covered.
    fn covered(&mut self, now: Timestamp) -> Vec<Notice> {
        let view = self.inventory.view();
        let mut found = BTreeMap::new();
        let mut wanted: Vec<&Wanted> = Vec::new();
        for snooze in self.quiet.looked_for() {
            match &snooze.cover {
                Cover::Match(one) => wanted.push(one),
                Cover::Certificate(one) if is_here(&view, one) => {
                    found.extend(self.verdict(&view, one.row, now).map(|it| (it.row, it)));
                }
                Cover::Certificate(_) => {}
            }
        }
        if !wanted.is_empty() {
            self.matched(&view, &wanted, now, &mut found);
        }
        found.retain(|row, _| !self.is_unsure(*row));
        let reason = DecisionReason::SnoozeEnded;
        found.into_values().map(|verdict| Notice { verdict, reason }).collect()
    }

    /// Finds what stands on a rung in the scopes that one of these may match.
    fn matched(
        &self,
        view: &View,
        wanted: &[&Wanted],
        now: Timestamp,
        found: &mut BTreeMap<RowId, Verdict>,
    ) {
        let may_match =
            |source: &str, scope: &str| wanted.iter().any(|it| it.may_match(source, scope));
        let scopes: Vec<_> = view
            .scopes()
            .filter(|(_, source, scope)| may_match(source, scope))
            .map(|(id, ..)| id)
            .collect();
        let mut evaluator = Evaluator::new(self.settings.config.alerts.ladders.clone());
        evaluator.due(view, now, |verdict| {
            if scopes.contains(&verdict.scope) {
                found.insert(verdict.row, verdict);
            }
        });
    }

    fn verdict(&self, view: &View, row: RowId, now: Timestamp) -> Option<Verdict> {
        let rung = view.rung(row, &self.settings.config.alerts.ladders, now)?;
        let known = view.row(row)?;
        Some(Verdict {
            row,
            scope: known.scope,
            rung,
            crossed: now,
            status: known.status,
            kind: known.kind,
            not_after: known.not_after?,
            lifetime: None,
        })
    }
}

/// Returns whether the number of a certificate is its own still.
fn is_here(view: &View, one: &Snoozed) -> bool {
    view.id(one.row).as_deref() == Some(one.id.as_str())
}

fn tell<T>(answer: oneshot::Sender<T>, what: T) {
    if answer.send(what).is_err() {
        tracing::debug!("nobody waited for the answer to a wish for quiet");
    }
}
