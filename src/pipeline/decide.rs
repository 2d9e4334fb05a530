//! What is said now: rungs crossed, certificates renewed, and the daemon's own troubles.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::{BATCH, Health, Pipeline};
use crate::client::ClockOffset;
use crate::config::Config;
use crate::expiry::{
    Condition, Event, Facts, Kind, Renewal, RowId, Said, Severity, Timestamp, Topic, Transition,
    Verdict, plan, plan_renewed, severity,
};
use crate::metrics::ActiveAlerts;

/// A provider's clock may differ from ours by this many seconds before it is said.
const OFFSET: i64 = 60;

/// Returns the channels that the routes choose for an event. What is said of a channel is said to the others: to those
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

impl Pipeline {
    /// Evaluates what may have changed and drafts what is to be said.
    pub(super) async fn decide(&mut self) -> anyhow::Result<()> {
        let now = self.parts.clock.now();
        let why = self.sanity.check(now, Instant::now()).map(str::to_owned);
        self.trusted = why.is_none();
        if let Some(detail) = why {
            self.raise(Condition::Clock, Topic::ClockSuspect { detail });
            return Ok(());
        }
        self.clear(&Condition::Clock);
        self.watch_sources(now);
        self.watch_offsets();
        self.say_renewed(now).await?;
        self.say_rungs(now).await
    }

    async fn say_rungs(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let mut say = Vec::new();
        if !self.evaluator.is_settled(self.inventory.version(), now) {
            let view = self.inventory.view();
            say = plan(&mut self.evaluator, &view, now, &self.ledger).say;
        }
        self.count_active();
        if self.settings.config.channels.is_empty() {
            return Ok(());
        }
        // A ladder or a first channel that is new has much to say of a large fleet: it is never in memory all at once.
        for some in say.chunks(BATCH) {
            self.say_some(some, now).await?;
            if say.len() > BATCH {
                self.save().await?;
                self.outputs.pulse.send_replace(Instant::now());
            }
        }
        Ok(())
    }

    async fn say_some(&mut self, say: &[Verdict], now: Timestamp) -> anyhow::Result<()> {
        let rows: Vec<RowId> = say.iter().map(|verdict| verdict.row).collect();
        let facts = self.facts(&rows).await?;
        for (verdict, facts) in say.iter().zip(facts) {
            if let Some(facts) = facts {
                self.say_rung(*verdict, facts, now);
            }
        }
        Ok(())
    }

    fn say_rung(&mut self, verdict: Verdict, facts: Facts, now: Timestamp) {
        let is_authority = verdict.kind == Kind::Ca;
        let leaves = is_authority.then(|| self.inventory.leaves(verdict.row)).flatten();
        let severity = severity(verdict.status, verdict.rung);
        let rung = verdict.rung;
        let told = self.say(severity, Topic::Expiring { facts, rung, leaves }, None);
        let said = Said { rung, at: now, told };
        self.ledger.set(verdict.row, said.clone());
        self.draft.ledger.push((verdict.row, Some(said)));
    }

    /// Says to those who were told of the old one that it has a successor.
    pub(super) async fn say_renewed(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let applied = std::mem::take(&mut self.applied);
        let restated = std::mem::take(&mut self.restated);
        let renewals = plan_renewed(&applied, &restated, &self.inventory, &self.ledger);
        for row in &renewals.forgotten {
            self.ledger.remove(*row);
            self.draft.ledger.push((*row, None));
        }
        if renewals.renewed.is_empty() {
            return Ok(());
        }
        let rows: Vec<RowId> = renewals.renewed.iter().map(|renewal| renewal.row).collect();
        let successors: Vec<RowId> = renewals
            .renewed
            .iter()
            .map(|renewal| renewal.successor.unwrap_or(renewal.row))
            .collect();
        let old = self.facts(&rows).await?;
        let new = self.facts(&successors).await?;
        for ((renewal, old), new) in renewals.renewed.iter().zip(old).zip(new) {
            if let (Some(old), Some(new)) = (old, new) {
                self.say_one_renewed(renewal, old, &new, now);
            }
        }
        Ok(())
    }

    fn say_one_renewed(&mut self, renewal: &Renewal, facts: Facts, new: &Facts, now: Timestamp) {
        self.parts.metrics.renewed(&facts.source, &facts.scope, 1);
        // Nothing to cheer about while the successor has itself ended.
        let Some(end) = new.not_after.filter(|end| *end > now) else { return };
        let topic =
            Topic::Renewed { facts, successor: new.serial.clone(), successor_not_after: end };
        self.say(Severity::Info, topic, Some(&renewal.told));
    }

    /// Drafts one event for the channels that `only` names, or for those that the routes choose.
    fn say(
        &mut self,
        severity: Severity,
        topic: Topic,
        only: Option<&[Arc<str>]>,
    ) -> Arc<[Arc<str>]> {
        let id = self.parts.random.uuid(self.parts.clock.millis()).simple().to_string();
        let event = Event { id, at: self.parts.clock.now(), severity, topic };
        let config = &self.settings.config;
        let channels: Vec<String> = match only {
            Some(told) => config
                .channels
                .iter()
                .map(|channel| &channel.name)
                .filter(|name| told.iter().any(|told| **told == ***name))
                .cloned()
                .collect(),
            None => routed(config, &event),
        };
        let told = channels.iter().map(|name| Arc::from(name.as_str())).collect();
        if !channels.is_empty() {
            self.draft.outbox.push((event, channels));
        }
        told
    }

    /// Publishes how many certificates stand on each rung, in the scopes that are scanned: one that its provider lists
    /// no more is empty for ever.
    fn count_active(&mut self) {
        let scanned: HashSet<(&str, &str)> =
            self.scans.keys().map(|(source, scope, _)| (source.as_str(), scope.as_str())).collect();
        let names: HashMap<_, _> = self
            .inventory
            .scopes()
            .map(|(id, source, scope)| (id, (Arc::clone(source), Arc::clone(scope))))
            .collect();
        let counts: Vec<_> = self
            .evaluator
            .counts()
            .iter()
            .filter_map(|((scope, rung), count)| {
                let (source, scope) = names.get(scope)?;
                if *count == 0 && !scanned.contains(&(&**source, &**scope)) {
                    return None;
                }
                let (source, scope) = (Arc::clone(source), Arc::clone(scope));
                Some(ActiveAlerts { source, scope, rung: rung.as_label(), count: *count })
            })
            .collect();
        self.parts.metrics.alerts_active(counts);
    }

    /// A source without a proven scan for 2.5 of its intervals is itself an alert.
    fn watch_sources(&mut self, now: Timestamp) {
        let watched = self.settings.watched.clone();
        for source in &watched {
            let subject = Condition::Source(source.name.clone());
            let mut stale = false;
            let mut last = None;
            for (window, interval) in &source.intervals {
                last = self.last_proven(source, window);
                // Time without the daemon is not held against a source: after a start it has its intervals again.
                let since = now.since(last.unwrap_or(self.started).max(self.started));
                if since.saturating_mul(2) > interval.saturating_mul(5) {
                    stale = true;
                    break;
                }
            }
            if stale {
                let error =
                    self.statuses.get(&source.name).and_then(|status| status.last_error.clone());
                let source = source.name.clone();
                self.raise(subject, Topic::SourceStale { source, last_proven: last, error });
            } else if source.intervals.iter().all(|(w, _)| self.last_proven(source, w).is_some()) {
                self.clear(&subject);
            }
        }
    }

    fn watch_offsets(&mut self) {
        let watched = &self.settings.watched;
        self.offsets.retain(|name, _| watched.iter().any(|source| source.name == *name));
        for (source, ClockOffset { seconds, .. }) in self.offsets.clone() {
            let subject = Condition::Offset(source.clone());
            if seconds.abs() > OFFSET {
                self.raise(subject, Topic::ClockOffset { source, seconds });
            } else {
                self.clear(&subject);
            }
        }
    }

    pub(super) fn channel_turned(&mut self, channel: String, health: Health) {
        let subject = Condition::Channel(channel.clone());
        match health {
            Health::Down { code, hint } => {
                self.raise(subject, Topic::ChannelDown { channel, code, hint });
            }
            Health::Up => self.clear(&subject),
        }
    }

    pub(super) fn raise(&mut self, subject: Condition, topic: Topic) {
        let now = self.parts.clock.now();
        if let Some(turn) = self.conditions.raise(subject, topic, now) {
            self.turned(turn);
        }
    }

    pub(super) fn clear(&mut self, subject: &Condition) {
        if let Some(turn) = self.conditions.clear(subject) {
            self.turned(turn);
        }
    }

    fn turned(&mut self, turn: Transition) {
        let key = turn.condition.key();
        tracing::info!(condition = %key.replace('\u{1f}', " "), raised = turn.raised.is_some(), "condition changed");
        if let Some(topic) = turn.topic {
            self.say(turn.severity, topic, None);
        }
        self.draft.conditions.push((key, turn.raised));
    }

    /// Forgets the conditions of sources and channels that are not configured any more.
    pub(super) fn drop_conditions(&mut self) {
        let settings = &self.settings;
        let source = |name: &str| settings.watched.iter().any(|source| source.name == name);
        let channel =
            |name: &str| settings.config.channels.iter().any(|channel| channel.name == name);
        let dropped = self.conditions.retain(|subject| match subject {
            Condition::Source(name) | Condition::Scope(name, _) | Condition::Offset(name) => {
                source(name)
            }
            Condition::Channel(name) => channel(name),
            Condition::Clock => true,
        });
        for subject in dropped {
            self.draft.conditions.push((subject.key(), None));
        }
    }
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

    fn told(severity: Severity, topic: Topic) -> Vec<String> {
        let config = load(TEXT, &Environment::of([]), |_| None).0.unwrap();
        let at = Timestamp::from_seconds(0);
        routed(&config, &Event { id: String::new(), at, severity, topic })
    }

    #[test]
    fn what_is_said_of_a_channel_is_said_to_the_others() {
        let down = |channel: &str| Topic::ChannelDown {
            channel: channel.to_owned(),
            code: String::new(),
            hint: String::new(),
        };
        let up = |channel: &str| Topic::ChannelUp { channel: channel.to_owned() };
        assert_eq!(told(Severity::Critical, down("ops")), ["urgent"]);
        assert_eq!(
            told(Severity::Critical, down("urgent")),
            ["ops", "room"],
            "its route leads nowhere else"
        );
        assert_eq!(told(Severity::Info, up("ops")), ["room"]);
        assert_eq!(told(Severity::Info, up("urgent")), ["ops", "room"]);
        assert_eq!(told(Severity::Info, Topic::ClockRecovered), ["ops", "room"]);
    }
}
