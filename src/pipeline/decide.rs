//! What is notified now: rungs crossed, certificates renewed, and the daemon's own conditions.

use std::sync::Arc;

use tokio::time::Instant;

use super::draft::{AlertChanges, BATCH};
use super::self_checks::Moment;
use super::{Health, Pipeline};
use crate::config::Config;
use crate::expiry::{
    Condition, Event, Facts, Kind, Notice, Renewal, RowId, Said, Severity, Timestamp, Topic,
    Transition, Verdict, plan, plan_renewed, severity,
};
use crate::metrics::ActiveAlerts;

impl Pipeline {
    /// Evaluates what may have changed and drafts what is to be notified.
    pub(super) async fn decide(&mut self) -> anyhow::Result<()> {
        let moment = self.moment();
        let now = moment.wall;
        let clock = self.checks.check_clock(moment);
        self.report(clock);
        if !self.checks.clock_is_trusted() {
            return Ok(());
        }
        if let Some((key, at)) = self.checks.good_time_alone() {
            self.draft.condition(key, Some(at));
        }
        self.check_sources(moment);
        self.check_offsets(moment);
        self.notify_renewed(now).await?;
        self.notify_rungs(now).await
    }

    async fn notify_rungs(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let mut notices = Vec::new();
        if !self.evaluator.is_settled(self.inventory.version(), now) {
            let view = self.inventory.view();
            notices = plan(&mut self.evaluator, &view, now, &self.ledger).notices;
            notices.retain(|notice| !self.absence.holds_back(notice.verdict.row));
        }
        self.count_active();
        if self.settings.config.channels.is_empty() {
            return Ok(());
        }
        // A ladder or a first channel that is new has many notices of a large fleet: it is never in memory all at once.
        for some in notices.chunks(BATCH) {
            self.notify_some(some, now).await?;
            if notices.len() > BATCH {
                self.save().await?;
                self.outputs.pulse.send_replace(Instant::now());
            }
        }
        Ok(())
    }

    async fn notify_some(&mut self, notices: &[Notice], now: Timestamp) -> anyhow::Result<()> {
        let rows: Vec<RowId> = notices.iter().map(|notice| notice.verdict.row).collect();
        let facts = self.facts(&rows).await?;
        for (notice, facts) in notices.iter().zip(facts) {
            if let Some(facts) = facts {
                tracing::trace!(
                    serial = facts.serial,
                    reason = notice.reason.as_str(),
                    "a rung is notified"
                );
                self.notify_rung(notice.verdict, facts, now);
            }
        }
        Ok(())
    }

    fn notify_rung(&mut self, verdict: Verdict, facts: Facts, now: Timestamp) {
        let is_authority = verdict.kind == Kind::Ca;
        let leaves = is_authority.then(|| self.inventory.leaves(verdict.row)).flatten();
        let severity = severity(verdict.status, verdict.rung);
        let rung = verdict.rung;
        let told = self.draft_event(severity, Topic::Expiring { facts, rung, leaves }, None);
        let mild = severity == Severity::Info;
        let said = Said { rung, at: now, told, mild };
        self.ledger.set(verdict.row, said.clone());
        self.draft.ledger(verdict.row, Some(said));
    }

    /// Notifies those who heard of the old one that it has a successor.
    pub(super) async fn notify_renewed(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let AlertChanges { applied, statuses } = self.draft.take_alert_changes();
        let renewals = plan_renewed(&applied, &statuses, &self.inventory, &self.ledger);
        for row in &renewals.forgotten {
            self.ledger.remove(*row);
            self.draft.ledger(*row, None);
        }
        if renewals.renewed.is_empty() {
            return Ok(());
        }
        let successor = |renewal: &Renewal| renewal.successor.unwrap_or(renewal.row);
        let rows: Vec<RowId> = renewals.renewed.iter().map(|renewal| renewal.row).collect();
        let successors: Vec<RowId> = renewals.renewed.iter().map(successor).collect();
        let old = self.facts(&rows).await?;
        let new = self.facts(&successors).await?;
        for ((renewal, old), new) in renewals.renewed.iter().zip(old).zip(new) {
            if let (Some(old), Some(new)) = (old, new) {
                self.notify_one_renewed(renewal, old, &new, now);
            }
        }
        Ok(())
    }

    fn notify_one_renewed(&mut self, renewal: &Renewal, facts: Facts, new: &Facts, now: Timestamp) {
        self.parts.metrics.renewed(&facts.source, &facts.scope, 1);
        // Skip the notice: the successor has expired too.
        let Some(end) = new.not_after.filter(|end| *end > now) else { return };
        let topic =
            Topic::Renewed { facts, successor: new.serial.clone(), successor_not_after: end };
        self.draft_event(Severity::Info, topic, Some(&renewal.told));
    }

    /// Looks up certificates, in the order asked: as the store has them, and as they are drafted.
    pub(super) async fn facts(&mut self, rows: &[RowId]) -> anyhow::Result<Vec<Option<Facts>>> {
        self.settle().await?;
        let mut known = self.parts.store.facts(rows).await?;
        self.draft.amend(rows, &mut known, &self.scope_names());
        Ok(known)
    }

    /// Drafts one event for the channels that `only` names, or for those that the routes choose. Answers with them.
    fn draft_event(
        &mut self,
        severity: Severity,
        topic: Topic,
        only: Option<&[Arc<str>]>,
    ) -> Arc<[Arc<str>]> {
        let id = self.parts.random.uuid(self.parts.clock.millis()).simple().to_string();
        let event = Event { id, at: self.parts.clock.now(), severity, topic };
        let config = &self.settings.config;
        let channels = only.map_or_else(|| routed(config, &event), |only| configured(config, only));
        let told = channels.iter().map(|name| Arc::from(name.as_str())).collect();
        self.draft.event(event, channels);
        told
    }

    /// Publishes how many certificates stand on each rung, in the scopes that are scanned: one that its provider lists
    /// no more is empty for ever.
    fn count_active(&self) {
        let names = self.scope_names();
        let counts = self.evaluator.counts().iter().filter_map(|((scope, rung), count)| {
            let (source, scope) = names.get(scope)?;
            if *count == 0 && !self.sources.is_scanned(source, scope) {
                return None;
            }
            let (source, scope) = (Arc::clone(source), Arc::clone(scope));
            Some(ActiveAlerts { source, scope, rung: rung.as_label(), count: *count })
        });
        self.parts.metrics.alerts_active(counts.collect());
    }

    fn check_sources(&mut self, now: Moment) {
        let watched = self.settings.watched.clone();
        for source in &watched {
            let transition = self.checks.check_source(source, &self.sources, now);
            self.report(transition);
        }
    }

    fn check_offsets(&mut self, now: Moment) {
        for transition in self.checks.check_offsets(now) {
            self.report(Some(transition));
        }
    }

    pub(super) fn channel_changed(&mut self, channel: String, health: Health) {
        let transition = self.checks.channel(channel, health, self.parts.clock.now());
        self.report(transition);
    }

    pub(super) fn raise(&mut self, condition: Condition, topic: Topic) {
        let transition = self.checks.raise(condition, topic, self.parts.clock.now());
        self.report(transition);
    }

    pub(super) fn clear(&mut self, condition: &Condition) {
        let transition = self.checks.clear(condition);
        self.report(transition);
    }

    /// A condition is over, and `topic` is what is reported of it.
    pub(super) fn end(&mut self, condition: &Condition, topic: Option<Topic>) {
        let transition = self.checks.end(condition, topic);
        self.report(transition);
    }

    /// Drafts what a condition that began or ended changes, and the event about it.
    fn report(&mut self, transition: Option<Transition>) {
        let Some(Transition { condition, raised, topic, severity }) = transition else { return };
        let key = condition.key();
        tracing::info!(condition = %key.replace('\u{1f}', " "), raised = raised.is_some(), "condition changed");
        if let Some(topic) = topic {
            self.draft_event(severity, topic, None);
        }
        self.draft.condition(key, raised);
    }
}

/// Returns those of some channels that are configured.
fn configured(config: &Config, names: &[Arc<str>]) -> Vec<String> {
    let known = config.channels.iter().map(|channel| &channel.name);
    known.filter(|known| names.iter().any(|name| **name == ***known)).cloned().collect()
}

/// Returns the channels that the routes choose for an event. What is reported of a channel goes to the others: to those
/// of its routes, or to all when these lead nowhere else.
fn routed(config: &Config, event: &Event) -> Vec<String> {
    let (Topic::ChannelDown { channel: about, .. } | Topic::ChannelUp { channel: about }) =
        &event.topic
    else {
        return config.route(event).into_iter().map(str::to_owned).collect();
    };
    let others = |names: Vec<&str>| -> Vec<String> {
        names.into_iter().filter(|name| *name != about.as_str()).map(str::to_owned).collect()
    };
    let chosen = others(config.route(event));
    if chosen.is_empty() {
        return others(config.channels.iter().map(|channel| channel.name.as_str()).collect());
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    const TEXT: &str = r#"
[[source]]
name = "machine"
kind = "files"
schedule = "every 1h"
[source.options]
paths = ["/x"]
[[channel]]
name = "ops"
kind = "slack"
[[channel]]
name = "room"
kind = "slack"
[[channel]]
name = "urgent"
kind = "slack"
[[route]]
match = { severity = ["critical"] }
channels = ["urgent"]
[[route]]
channels = ["ops", "room"]
"#;

    fn channels(severity: Severity, topic: Topic) -> Vec<String> {
        let config = load(TEXT, &Environment::of([]), |_| None).0.unwrap();
        let at = Timestamp::from_seconds(0);
        routed(&config, &Event { id: String::new(), at, severity, topic })
    }

    #[test]
    fn what_is_reported_of_a_channel_goes_to_the_others() {
        let down = |channel: &str| Topic::ChannelDown {
            channel: channel.to_owned(),
            code: String::new(),
            hint: String::new(),
        };
        let up = |channel: &str| Topic::ChannelUp { channel: channel.to_owned() };
        assert_eq!(channels(Severity::Critical, down("ops")), ["urgent"]);
        assert_eq!(
            channels(Severity::Critical, down("urgent")),
            ["ops", "room"],
            "its route leads nowhere else"
        );
        assert_eq!(channels(Severity::Info, up("ops")), ["room"]);
        assert_eq!(channels(Severity::Info, up("urgent")), ["ops", "room"]);
        assert_eq!(channels(Severity::Info, Topic::ClockRecovered), ["ops", "room"]);
    }
}
