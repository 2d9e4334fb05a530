//! The whole story of one certificate: when it was seen, what is decided about it and why, what was said of it.

use tokio::sync::{mpsc, oneshot};

use super::topic::alert;
use super::{Catalog, CatalogError, Entry, Moment};
use crate::expiry::{
    Bound, Condition, Cover, Event, Facts, Kind, Notified, RowId, Rung, Snooze, Status, Timestamp,
    View, has_long_ended, severity,
};
use crate::store::{AuditQuery, Audited, Decided, OutboxEntry, Saved, ScanRecord};

/// A near window reaches so far back and ahead, in seconds.
const NEAR: std::ops::RangeInclusive<i64> = -30 * 86_400..=45 * 86_400;

/// Certificates that are named of those that serve the same or an older one.
const NAMED: usize = 20;

/// Decisions that are read.
const DECISIONS: usize = 1000;

/// Why something is said of a certificate now, or nothing is. The closed list.
#[cfg(test)]
pub const REASONS: [&str; 12] = [
    "snoozed",
    "first_sight",
    "tighter_rung",
    "already_said",
    "long_ended",
    "no_rung",
    "superseded",
    "revoked",
    "retired",
    "undated",
    "renewing",
    "missed",
];

/// What only the pipeline knows of a certificate.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What was last notified of it.
    pub notified: Option<Notified>,
    /// Why nothing is said of it for now, although something would be: `renewing` or `missed`.
    pub held: Option<&'static str>,
    /// Whether its place is an endpoint.
    pub is_served: bool,
    /// Where the same certificate is served.
    pub served_at: Vec<RowId>,
    /// Whether its names lead to endpoints that are looked at, and none serves it.
    pub served_nowhere: bool,
    /// Where its provider uses it, if it was asked.
    pub bound: Option<Bound>,
    /// Since when its place cannot be read: what is known of it is from before.
    pub hidden_since: Option<Timestamp>,
}

/// Asks how a certificate stands.
#[derive(Debug)]
pub struct StandingRequest {
    /// The certificate.
    pub row: RowId,
    /// Its source and place.
    pub place: (String, String),
    /// Where the answer goes.
    pub answer: oneshot::Sender<Standing>,
}

/// The story of one certificate.
#[derive(Clone, Debug)]
pub struct Story {
    /// The certificate.
    pub entry: Entry,
    /// When it comes to each rung.
    pub steps: Vec<(Rung, Timestamp)>,
    /// The channels that were told of the open alert.
    pub told: Vec<String>,
    /// The last scans of what it is in.
    pub scans: Vec<ScanRecord>,
    /// When the last proven one of them ended.
    pub last_seen: Option<Timestamp>,
    /// Ends that it had, each with the time until which it had it.
    pub former_ends: Vec<(Timestamp, Timestamp)>,
    /// What was said of it, the newest first.
    pub messages: Vec<OutboxEntry>,
    /// What was decided about it, the oldest first.
    pub decisions: Vec<(Timestamp, Decided)>,
    /// What took its place, and by which rule.
    pub successor: Option<(Entry, &'static str)>,
    /// What should be served in its place.
    pub newer: Option<Entry>,
    /// What is served although this one is newer.
    pub older: Vec<Entry>,
    /// Where the same certificate is served.
    pub served_at: Vec<Entry>,
    /// Snoozes that cover it, or did.
    pub snoozes: Vec<Snooze>,
    /// What only the pipeline knows.
    pub standing: Standing,
    /// Why something is said of it now, or nothing is: one of [`REASONS`].
    pub reason: &'static str,
}

impl Catalog {
    /// Tells the story of the certificate with this id. `standings` is where the pipeline is asked; without one what it knows
    /// is taken from the store, as far as it is there.
    pub async fn story(
        &self,
        id: &str,
        standings: Option<&mpsc::Sender<StandingRequest>>,
    ) -> Result<Option<Story>, CatalogError> {
        let Some(entry) = self.one(id).await? else { return Ok(None) };
        let moment = self.moment();
        let standing = match standings {
            Some(standings) => ask(standings, &entry).await.ok_or(CatalogError::Stopping)?,
            None => self.stored_standing(&entry).await?,
        };
        let scans = self.scans_of(&entry.facts, moment.now).await?;
        let messages = self.store.said_of(id).await?;
        Ok(Some(Story {
            steps: self.steps(&entry),
            told: self.told(&entry).await?,
            last_seen: scans.iter().filter_map(|scan| scan.last_proven).max(),
            former_ends: self.store.former_ends(entry.row).await?,
            decisions: self.decisions(id, &messages).await?,
            successor: self.successor(&entry).await?,
            newer: self.maybe(entry.not_deployed.as_deref()).await?,
            older: self.named(&moment, &older(&moment.view, entry.row)).await?,
            served_at: self.named(&moment, &standing.served_at).await?,
            snoozes: self.snoozes_of(&entry, moment.now).await?,
            reason: reason(&entry, &standing, moment.now),
            scans,
            messages,
            standing,
            entry,
        }))
    }

    /// Returns the snoozes that cover what is said of a certificate now, and those of it alone that have ended.
    async fn snoozes_of(&self, entry: &Entry, now: Timestamp) -> Result<Vec<Snooze>, CatalogError> {
        let (facts, id) = (entry.facts.clone(), entry.facts.id());
        let rung = entry.rung.unwrap_or(Rung::Expired);
        let topic = alert(facts, rung, false);
        let severity = severity(entry.facts.status, rung);
        let event = Event { id: String::new(), at: now, severity, topic };
        let mut found = self.store.snoozes().await?;
        found.retain(|snooze| match &snooze.cover {
            Cover::Certificate(one) => one.id == id,
            Cover::Match(_) => snooze.ended.is_none() && snooze.covers(&event),
        });
        Ok(found)
    }

    async fn stored_standing(&self, entry: &Entry) -> Result<Standing, CatalogError> {
        let Saved { ledger, conditions, .. } = self.store.saved().await?;
        let notified = ledger.into_iter().find(|(known, _)| *known == entry.row);
        let mut bound = conditions.iter().filter_map(|(key, _)| Bound::of_key(key));
        let Facts { source, place, .. } = &entry.facts;
        let hides = |(key, _): &&(String, Timestamp)| {
            Condition::from_key(key).is_some_and(|condition| condition.hides(source, place))
        };
        Ok(Standing {
            notified: notified.map(|(_, said)| said),
            bound: bound.find(|(known, _)| *known == entry.row).map(|(_, bound)| bound),
            hidden_since: conditions.iter().filter(hides).map(|(_, since)| *since).min(),
            ..Standing::default()
        })
    }

    /// Returns the last scans that a certificate was in, or would have been.
    async fn scans_of(
        &self,
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Vec<ScanRecord>, CatalogError> {
        let is_near = facts.not_after.is_some_and(|end| NEAR.contains(&end.since(now)));
        let covers = |scan: &ScanRecord| {
            let (window, kind) = scan.window.split_once('/').unwrap_or((scan.window.as_str(), ""));
            let is_of = scan.source == facts.source && scan.scope == facts.scope;
            is_of
                && (window == "all" || is_near)
                && (kind.is_empty() || kind == facts.kind.as_str())
        };
        Ok(self.store.scans().await?.into_iter().filter(covers).collect())
    }

    /// Returns what was decided; of what was decided as a list the list.
    async fn decisions(
        &self,
        id: &str,
        messages: &[OutboxEntry],
    ) -> Result<Vec<(Timestamp, Decided)>, CatalogError> {
        let certificates = vec![id.to_owned()];
        let query = AuditQuery { certificates, limit: DECISIONS, ..AuditQuery::default() };
        let mut found = decided(self.store.audit(&query).await?);
        let missing: Vec<_> = messages
            .iter()
            .map(|message| &message.event)
            .filter(|event| !found.iter().any(|(_, it)| it.id.as_ref() == Some(&event.id)))
            .map(|event| (event.at, event.kind()))
            .take(NAMED)
            .collect();
        for (at, kind) in missing {
            let query = AuditQuery { since: Some(at), limit: NAMED, ..AuditQuery::default() };
            let lists = decided(self.store.audit(&query).await?);
            let mut lists = lists
                .into_iter()
                .filter(|(when, it)| *when == at && it.event == kind && it.count > 1);
            if let Some(list) = lists.next().filter(|list| !found.contains(list)) {
                found.push(list);
            }
        }
        found.sort_by_key(|(at, _)| *at);
        Ok(found)
    }

    async fn successor(
        &self,
        entry: &Entry,
    ) -> Result<Option<(Entry, &'static str)>, CatalogError> {
        let Some(successor) = self.maybe(entry.successor.as_deref()).await? else {
            return Ok(None);
        };
        let kept = self.store.kept(&[entry.row]).await?.into_iter().flatten().next();
        let linked = kept.is_some_and(|kept| kept.successors.contains(&successor.facts.serial));
        let rule = match (linked, entry.facts.kind, entry.facts.place.is_empty()) {
            (true, ..) => "provider_link",
            (false, Kind::Device, _) => "same_holder",
            (false, _, false) => "same_place",
            (false, _, true) => "same_names",
        };
        Ok(Some((successor, rule)))
    }

    async fn maybe(&self, id: Option<&str>) -> Result<Option<Entry>, CatalogError> {
        match id {
            Some(id) => self.one(id).await,
            None => Ok(None),
        }
    }

    async fn named(&self, moment: &Moment, rows: &[RowId]) -> Result<Vec<Entry>, CatalogError> {
        let some = rows.get(..rows.len().min(NAMED)).unwrap_or_default();
        Ok(self.entries(moment, some).await?.into_iter().flatten().collect())
    }
}

/// Returns how a certificate stands; nothing when nobody answers any more.
async fn ask(standings: &mpsc::Sender<StandingRequest>, entry: &Entry) -> Option<Standing> {
    let (answer, answered) = oneshot::channel();
    let place = (entry.facts.source.clone(), entry.facts.place.clone());
    standings.send(StandingRequest { row: entry.row, place, answer }).await.ok()?;
    answered.await.ok()
}

fn decided(entries: Vec<(i64, crate::store::AuditEntry)>) -> Vec<(Timestamp, Decided)> {
    let decision = |(_, entry): (i64, crate::store::AuditEntry)| match entry.what {
        Audited::Decision(decided) => Some((entry.at, decided)),
        _ => None,
    };
    entries.into_iter().filter_map(decision).collect()
}

fn older(view: &View, row: RowId) -> Vec<RowId> {
    let older = view.undeployed().iter().filter(|(_, newer)| **newer == row);
    older.map(|(older, _)| *older).take(NAMED).collect()
}

fn reason(entry: &Entry, standing: &Standing, now: Timestamp) -> &'static str {
    match entry.facts.status {
        Status::Revoked => return "revoked",
        Status::Retired => return "retired",
        Status::Superseded => return "superseded",
        Status::Undated => return "undated",
        Status::Active | Status::Inactive | Status::Pending => {}
    }
    let (Some(rung), Some(end)) = (entry.rung, entry.facts.not_after) else { return "no_rung" };
    if entry.snoozed_until.is_some() {
        return "snoozed";
    }
    if let Some(held) = standing.held {
        return held;
    }
    match standing.notified {
        None if has_long_ended(end, now) => "long_ended",
        None => "first_sight",
        Some(said) if rung.is_tighter_than(said.rung) => "tighter_rung",
        Some(_) => "already_said",
    }
}
