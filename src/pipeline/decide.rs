//! What is notified now: rungs crossed, certificates renewed, and the daemon's own conditions.

use std::sync::Arc;

use tokio::time::Instant;

use super::draft::BATCH;
use super::ended::newer;
use super::self_checks::Moment;
use super::{Health, Pipeline};
use crate::config::Config;
use crate::expiry::{
    Condition, DecisionReason, Event, Facts, Kind, Newer, Notice, Notified, Occasion, RowId,
    Severity, Timestamp, Topic, Transition, event_id, has_long_ended, plan, severity,
};
use crate::metrics::ActiveAlerts;
use crate::store::{About, Post};

/// A reminder that is hushed is looked at again after this many seconds: it may not be covered any more.
const DAY: i64 = 86_400;

impl Pipeline {
    /// Evaluates what may have changed and drafts what is to be notified.
    pub(super) async fn decide(&mut self) -> anyhow::Result<()> {
        let moment = self.moment();
        let now = moment.wall;
        let clock = self.look_at_clock(moment);
        self.report(clock);
        self.publish_troubles();
        if !self.checks.clock_is_trusted() {
            return Ok(());
        }
        if let Some((key, at)) = self.checks.good_time_alone() {
            self.draft.condition(key, Some(at));
        }
        self.follow_channels().await?;
        self.check_sources(moment);
        self.check_offsets(moment);
        self.publish_troubles();
        self.notify_renewed(now).await?;
        self.tell_found().await?;
        self.notify_rungs(now).await?;
        self.notify_snoozed(now).await?;
        self.notify_reminders(now).await?;
        self.notify_ahead(now).await?;
        self.notify_digest(now).await
    }

    /// Checks the machine's clock, and shows whether it is trusted.
    pub(super) fn look_at_clock(&mut self, moment: Moment) -> Option<Transition> {
        let transition = self.checks.check_clock(moment);
        let trusted = self.checks.clock_is_trusted();
        self.outputs.clock_trusted.send_if_modified(|shown| {
            *shown != trusted && {
                *shown = trusted;
                true
            }
        });
        transition
    }

    /// Ladders may ask who issued a certificate, and a start reads no issuers back: looks up one of each, once.
    async fn name_issuers(&mut self) -> anyhow::Result<()> {
        if self.issuers_named || !self.settings.config.alerts.ladders.asks_issuer() {
            return Ok(());
        }
        self.issuers_named = true;
        let rows = self.inventory.unnamed_issuers();
        for (row, facts) in rows.iter().zip(self.facts(&rows).await?) {
            if let Some(facts) = facts {
                self.inventory.name_issuer_of(*row, &facts.issuer);
            }
        }
        self.evaluator.revisit();
        Ok(())
    }

    async fn notify_rungs(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.name_issuers().await?;
        let mut notices = Vec::new();
        let settled = self.evaluator.is_settled(self.inventory.version(), now);
        if !settled {
            let view = self.inventory.view();
            notices = plan(&mut self.evaluator, &view, now, &self.ledger).notices;
            let all = notices.len();
            notices.retain(|notice| {
                let row = notice.verdict.row;
                let held = self.renewing.holds(row) || self.missed.contains(&row);
                !self.absence.holds_back(row) && !held
            });
            self.holds_back |= notices.len() < all;
            self.once_for_each_authority(&mut notices);
        }
        if self.sources.take_parts_changed() || !settled {
            self.count_active();
        }
        self.publish_undeployed();
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

    pub(super) async fn notify_some(
        &mut self,
        notices: &[Notice],
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let rows: Vec<RowId> = notices.iter().map(|notice| notice.verdict.row).collect();
        let facts = self.facts(&rows).await?;
        let newer = self.newer(&rows).await?;
        for ((notice, facts), newer) in notices.iter().zip(facts).zip(newer) {
            if let Some(facts) = facts {
                tracing::trace!(
                    serial = facts.serial,
                    reason = notice.reason.as_str(),
                    "a rung is notified"
                );
                self.notify_rung(notice, facts, newer.as_ref(), now);
            }
        }
        Ok(())
    }

    fn notify_rung(
        &mut self,
        notice: &Notice,
        facts: Facts,
        newer: Option<&Facts>,
        now: Timestamp,
    ) {
        let (row, rung) = (notice.verdict.row, notice.verdict.rung);
        if notice.reason == DecisionReason::EndChanged {
            // What was said was about another end.
            self.close(row, None);
        }
        let mild = severity(facts.status, rung) == Severity::Info;
        let notified = Notified { rung, at: now, mild, count: self.times_reminded(notice) };
        let event = self.rung_event(row, notified, facts, newer);
        let Some(event) = self.unless_hushed(notice, event, now) else { return };
        let channels = self.choose(&event, notice.reason.as_str());
        // What goes to nobody is not said.
        if !channels.is_empty() {
            self.keep_notified(row, notified);
            self.draft.post(Post::Rung { row, event, channels });
            self.draft.ledger(row, Some(notified));
        }
    }

    /// Returns how often a rung was said again, this time included. After a snooze it goes on where it was.
    fn times_reminded(&self, notice: &Notice) -> u16 {
        let verdict = &notice.verdict;
        let before = || self.ledger.get(verdict.row).filter(|said| said.rung == verdict.rung);
        match notice.reason {
            DecisionReason::Reminder(count) => count,
            DecisionReason::SnoozeEnded => before().map_or(0, |said| said.count),
            _ => 0,
        }
    }

    /// Returns what is said, unless it is snoozed. What is said because a snooze ended has an id of its own.
    pub(super) fn unless_hushed(
        &mut self,
        notice: &Notice,
        event: Event,
        now: Timestamp,
    ) -> Option<Event> {
        let Notice { verdict, reason } = notice;
        if let Some(snooze) = self.quiet.hushing(&event, now) {
            if self.quiet.note(verdict.row, verdict.rung, &snooze) {
                self.parts.metrics.event(event.kind(), "snoozed");
            }
            if matches!(reason, DecisionReason::Reminder(_)) {
                let tomorrow = now.plus(DAY);
                self.reminders.put_off_until(verdict.row, snooze.until.min(tomorrow));
            }
            return None;
        }
        if *reason != DecisionReason::SnoozeEnded {
            return Some(event);
        }
        let occasion = Occasion::Snooze(self.quiet.ended(&event)?.id.clone());
        let id = event_id(&event.topic, event.severity, &occasion);
        Some(Event { id, ..event })
    }

    pub(super) fn rung_event(
        &self,
        row: RowId,
        notified: Notified,
        facts: Facts,
        other: Option<&Facts>,
    ) -> Event {
        let leaves = (facts.kind == Kind::Ca).then(|| self.inventory.leaves(row)).flatten();
        let bound = self.bound_to(row);
        let known = |newer: Newer| Newer { deployment_unknown: false, ..newer };
        let newer = other.map(|other| newer(&facts, other));
        let newer = if bound.is_some() { newer.map(known) } else { newer };
        let severity = severity_of(&facts, notified, newer.as_ref());
        let since = other.and_then(|other| other.not_before);
        let rung = notified.rung;
        let topic = match newer {
            Some(newer) if self.inventory.is_served(row) || bound.is_some() => {
                let bound = bound.unwrap_or_default();
                Topic::NotDeployed { facts, rung, newer, since, bound }
            }
            newer => {
                let unserved = self.inventory.is_served_nowhere(row, &self.looked);
                let places = self.places_of(row);
                Topic::Expiring { facts, rung, leaves, newer, unserved, places }
            }
        };
        let occasion = match notified.count {
            0 => Occasion::First,
            count => Occasion::Reminder(count),
        };
        let id = event_id(&topic, severity, &occasion);
        Event { id, at: notified.at, severity, topic }
    }

    /// Returns what was last said of each certificate, as it would be said now.
    pub(super) async fn rungs(&mut self, rows: &[RowId]) -> anyhow::Result<Vec<Option<Event>>> {
        let facts = self.facts(rows).await?;
        let newer = self.newer(rows).await?;
        let event = |((row, facts), newer): ((&RowId, Option<Facts>), Option<Facts>)| {
            let notified = self.ledger.get(*row)?;
            Some(self.rung_event(*row, notified, facts?, newer.as_ref()))
        };
        Ok(rows.iter().zip(facts).zip(newer).map(event).collect())
    }

    /// Looks up the certificates for the same names that end later and supersede nothing.
    pub(super) async fn newer(&mut self, rows: &[RowId]) -> anyhow::Result<Vec<Option<Facts>>> {
        let newer = self.inventory.newer(rows);
        self.facts_of_some(&newer).await
    }

    /// Looks up certificates, in the order asked: as the store has them, and as they are drafted.
    pub(super) async fn facts(&mut self, rows: &[RowId]) -> anyhow::Result<Vec<Option<Facts>>> {
        self.settle().await?;
        let mut known = self.parts.store.facts(rows).await?;
        self.draft.amend(rows, &mut known, &self.scope_names());
        known.iter_mut().flatten().for_each(|facts| self.settings.config.label(facts));
        Ok(known)
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
        let Self { settings, checks, sources, .. } = &mut *self;
        let watched = settings.watched.iter();
        let changed = watched.filter_map(|source| checks.check_source(source, sources, now));
        for transition in changed.collect::<Vec<_>>() {
            self.report(Some(transition));
        }
    }

    fn check_offsets(&mut self, now: Moment) {
        for transition in self.checks.check_offsets(now) {
            self.report(Some(transition));
        }
    }

    pub(super) fn channel_changed(&mut self, channel: String, health: Health) {
        if let Health::GaveUp { code, at } = health {
            let topic = Topic::NotificationDead { channel, code };
            let event = self.event(Severity::Critical, topic, &Occasion::Since(at));
            let channels = self.choose(&event, "given_up");
            self.draft.post((event, channels).into());
            return;
        }
        let transition = self.checks.channel(channel, health, self.parts.clock.now());
        self.report(transition);
    }

    pub(super) fn raise(&mut self, condition: Condition, topic: Topic) {
        self.raise_since(condition, topic, self.parts.clock.now());
    }

    /// A condition holds, and follows from what happened at `since`.
    pub(super) fn raise_since(&mut self, condition: Condition, topic: Topic, since: Timestamp) {
        let transition = self.checks.raise(condition, topic, since);
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
    pub(super) fn report(&mut self, transition: Option<Transition>) {
        let Some(Transition { condition, raised, topic, severity, since }) = transition else {
            return;
        };
        let key = condition.key();
        tracing::info!(condition = %key.replace('\u{1f}', " "), raised = raised.is_some(), "condition changed");
        let event = topic.map(|topic| {
            let occasion = occasion(&topic, since);
            self.event(severity, topic, &occasion)
        });
        match (raised, event) {
            (None, event) => self.tell_over(&key, event),
            (Some(_), Some(event)) => {
                let channels = self.choose(&event, "began");
                let about = About::Condition(key.clone());
                self.draft.post(Post::Say { event, channels, about });
            }
            (Some(_), None) => {}
        }
        self.draft.condition(key, raised);
    }

    /// A condition is over: whoever was told that it began is told of that, and nobody else.
    fn tell_over(&mut self, key: &str, event: Option<Event>) {
        let mut otherwise = Vec::new();
        if let Some(event) = &event {
            self.parts.metrics.event(event.kind(), "ended");
            self.draft.decided(event, "ended", &[]);
            otherwise = routed(&self.settings.config, event);
        }
        let (key, at, channels) = (key.to_owned(), self.parts.clock.now(), self.channel_names());
        self.draft.post(Post::Over { key, at, event, channels, otherwise });
    }

    pub(super) fn event(&self, severity: Severity, topic: Topic, occasion: &Occasion) -> Event {
        let id = event_id(&topic, severity, occasion);
        Event { id, at: self.parts.clock.now(), severity, topic }
    }
}

impl Pipeline {
    /// Returns the channels that the routes choose for an event that is decided now, and counts it with its reason.
    pub(super) fn choose(&mut self, event: &Event, reason: &'static str) -> Vec<String> {
        self.parts.metrics.event(event.kind(), reason);
        if self.settings.config.goes_by_default(event) {
            self.parts.metrics.default_route();
        }
        let channels = routed(&self.settings.config, event);
        // What is said again was decided before.
        if !channels.is_empty() && reason != DecisionReason::Reminder(1).as_str() {
            self.draft.decided(event, reason, &channels);
        }
        channels
    }
}

/// Returns how much a certificate asks of the reader. One whose provider lists a newer one for its names may be replaced
/// already; for one that had ended long before nobody is called.
fn severity_of(facts: &Facts, notified: Notified, newer: Option<&Newer>) -> Severity {
    let severity = severity(facts.status, notified.rung);
    if facts.not_after.is_some_and(|end| has_long_ended(end, notified.at)) {
        return Severity::Info;
    }
    match newer {
        Some(newer) if newer.deployment_unknown => severity.min(Severity::Warning),
        _ => severity,
    }
}

/// Returns the occasion of a condition: the instant that it follows from, which may not be when it was found. What is ahead is
/// said once, whenever that is.
fn occasion(topic: &Topic, since: Timestamp) -> Occasion {
    match topic {
        Topic::SourceStale { last_proven, .. } => Occasion::Since(last_proven.unwrap_or(since)),
        Topic::EndsFirst { .. } | Topic::FleetCliff { .. } => Occasion::First,
        _ => Occasion::Since(since),
    }
}

/// Returns the channels that the routes choose for an event.
pub(super) fn routed(config: &Config, event: &Event) -> Vec<String> {
    config.route(event).into_iter().map(str::to_owned).collect()
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
        let dead =
            Topic::NotificationDead { channel: "ops".to_owned(), code: "no_text".to_owned() };
        assert_eq!(channels(Severity::Warning, dead), ["room"]);
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
