//! The story of one certificate as programs get it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SnoozeObject;
use super::certificate::{Certificate, rfc3339};
use crate::catalog::{Entry, Story};
use crate::expiry::{Bound, Rung, Timestamp, Topic};
use crate::store::{Decided, OutboxEntry, ScanRecord};

/// The story of one certificate. What is not known is `null`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    /// The certificate.
    pub certificate: Certificate,
    /// Every name that it covers.
    pub names: Vec<String>,
    /// When it was first seen.
    #[schema(required, format = DateTime)]
    pub first_seen: Option<String>,
    /// When the last proven scan ended that it is in.
    #[schema(required, format = DateTime)]
    pub last_seen: Option<String>,
    /// Since when its place cannot be read: what is known of it is from before.
    #[schema(required, format = DateTime)]
    pub unreadable_since: Option<String>,
    /// The last scans of what it is in, with their proof.
    pub scans: Vec<SeenBy>,
    /// Ends that it had before, the oldest first; ten at most.
    pub former_ends: Vec<FormerEnd>,
    /// What took its place.
    #[schema(required)]
    pub successor: Option<Other>,
    /// By which rule: `provider_link`, `same_holder`, `same_place` or `same_names`.
    #[schema(required)]
    pub succession_rule: Option<String>,
    /// When it comes to each rung of its ladder.
    pub ladder: Vec<Step>,
    /// Why something is said of it now, or nothing is.
    #[schema(
        pattern = "^(first_sight|tighter_rung|already_said|long_ended|no_rung|superseded|revoked|retired|undated|snoozed|renewing|missed)$"
    )]
    pub reason: String,
    /// What was decided about it, the oldest first.
    pub decisions: Vec<Decision>,
    /// What was said of it, the newest first.
    pub messages: Vec<Said>,
    /// The channels that were told of the alert that is open.
    pub told: Vec<String>,
    /// Snoozes that cover it, or did.
    pub snoozes: Vec<SnoozeObject>,
    /// Where it is served.
    pub deployment: Deployment,
}

/// The last scan of something that the certificate is in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SeenBy {
    /// `near` or `all`, and the kind where it is read by kind.
    pub window: String,
    /// When it ended.
    #[schema(required, format = DateTime)]
    pub ended: Option<String>,
    /// Whether it was proven whole.
    pub proven: bool,
    /// The provider's total.
    pub reported: u64,
    /// Certificates that were read.
    pub collected: u64,
    /// When the last proven one ended.
    #[schema(required, format = DateTime)]
    pub last_proven: Option<String>,
    /// What went wrong.
    #[schema(required)]
    pub error: Option<String>,
}

/// An end that it had.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FormerEnd {
    /// The end.
    #[schema(required, format = DateTime)]
    pub not_after: Option<String>,
    /// When another one was seen.
    #[schema(required, format = DateTime)]
    pub until: Option<String>,
}

/// Another certificate.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Other {
    /// Its id.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Its scope.
    pub scope: String,
    /// Its place; empty where its provider lists certificates.
    pub place: String,
    /// Its serial.
    pub serial: String,
    /// When it expires.
    #[schema(required, format = DateTime)]
    pub not_after: Option<String>,
}

/// A rung and when it is crossed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// The rung.
    pub rung: String,
    /// When.
    #[schema(required, format = DateTime)]
    pub at: Option<String>,
    /// Whether that was.
    pub crossed: bool,
}

/// What was decided.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    /// When.
    #[schema(required, format = DateTime)]
    pub at: Option<String>,
    /// The kind of event.
    pub event: String,
    /// The rung.
    #[schema(required)]
    pub rung: Option<String>,
    /// How much it asks of the reader.
    pub severity: String,
    /// Why.
    pub reason: String,
    /// To whom.
    pub channels: Vec<String>,
    /// How many certificates it is about: more than one for a list.
    pub count: u64,
}

/// A message, or an event that waits to be in one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Said {
    /// The channel.
    pub channel: String,
    /// The id that the receiver sees.
    #[schema(required)]
    pub message: Option<String>,
    /// The id of the event.
    pub event: String,
    /// The kind of event.
    pub kind: String,
    /// The rung.
    #[schema(required)]
    pub rung: Option<String>,
    /// How far it has come.
    #[schema(pattern = "^(waiting|dead|sent)$")]
    pub state: String,
    /// When it was decided.
    #[schema(required, format = DateTime)]
    pub decided_at: Option<String>,
    /// When it was delivered or given up.
    #[schema(required, format = DateTime)]
    pub ended_at: Option<String>,
    /// The service's word for why it was given up.
    #[schema(required)]
    pub code: Option<String>,
}

/// Where a certificate is served.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Deployment {
    /// `served`; `not_deployed`: it is served, and a newer one should be; `served_nowhere` that is looked at, although its
    /// names are; or `unknown`.
    #[schema(pattern = "^(served|not_deployed|served_nowhere|unknown)$")]
    pub state: String,
    /// Where it is served.
    pub served_at: Vec<Other>,
    /// Where its provider uses it, product and region; empty where that is nowhere, `null` where it is not known.
    #[schema(required)]
    pub bound: Option<Vec<String>>,
    /// The one that should be served in its place.
    #[schema(required)]
    pub newer: Option<Other>,
    /// Since when that one is valid.
    #[schema(required, format = DateTime)]
    pub since: Option<String>,
    /// Where an older one is served although this one is known.
    pub older: Vec<Other>,
}

impl Explained {
    /// Returns the object of a story.
    pub fn of(story: &Story, now: Timestamp) -> Self {
        let successor = story.successor.as_ref();
        Self {
            certificate: Certificate::of(&story.entry, now),
            names: story.entry.names.clone(),
            first_seen: rfc3339(story.entry.first_seen),
            last_seen: story.last_seen.and_then(rfc3339),
            unreadable_since: story.standing.hidden_since.and_then(rfc3339),
            scans: story.scans.iter().map(SeenBy::of).collect(),
            former_ends: story.former_ends.iter().map(former_end).collect(),
            successor: successor.map(|(entry, _)| Other::of(entry)),
            succession_rule: successor.map(|(_, rule)| (*rule).to_owned()),
            ladder: story.steps.iter().map(|step| Step::of(step, now)).collect(),
            reason: story.reason.to_owned(),
            decisions: story.decisions.iter().map(Decision::of).collect(),
            messages: story.messages.iter().map(Said::of).collect(),
            told: story.told.clone(),
            snoozes: story.snoozes.iter().map(|one| SnoozeObject::of(one, now)).collect(),
            deployment: Deployment::of(story),
        }
    }
}

impl SeenBy {
    fn of(scan: &ScanRecord) -> Self {
        Self {
            window: scan.window.clone(),
            ended: rfc3339(scan.ended),
            proven: scan.proven,
            reported: scan.reported,
            collected: scan.collected,
            last_proven: scan.last_proven.and_then(rfc3339),
            error: scan.error.clone(),
        }
    }
}

fn former_end((not_after, until): &(Timestamp, Timestamp)) -> FormerEnd {
    FormerEnd { not_after: rfc3339(*not_after), until: rfc3339(*until) }
}

impl Other {
    fn of(entry: &Entry) -> Self {
        let facts = &entry.facts;
        Self {
            id: facts.id(),
            source: facts.source.clone(),
            scope: facts.scope.clone(),
            place: facts.place.clone(),
            serial: facts.serial.clone(),
            not_after: facts.not_after.and_then(rfc3339),
        }
    }
}

impl Step {
    fn of((rung, at): &(Rung, Timestamp), now: Timestamp) -> Self {
        Self { rung: rung.as_label(), at: rfc3339(*at), crossed: *at <= now }
    }
}

impl Decision {
    fn of((at, decided): &(Timestamp, Decided)) -> Self {
        Self {
            at: rfc3339(*at),
            event: decided.event.clone(),
            rung: decided.rung.clone(),
            severity: decided.severity.clone(),
            reason: decided.reason.clone(),
            channels: decided.channels.clone(),
            count: decided.count,
        }
    }
}

impl Said {
    fn of(entry: &OutboxEntry) -> Self {
        let rung = match &entry.event.topic {
            Topic::Expiring { rung, .. } | Topic::NotDeployed { rung, .. } => Some(rung.as_label()),
            _ => None,
        };
        Self {
            channel: entry.channel.clone(),
            message: entry.message.clone(),
            event: entry.event.id.clone(),
            kind: entry.event.kind().to_owned(),
            rung,
            state: entry.standing.as_str().to_owned(),
            decided_at: rfc3339(entry.decided),
            ended_at: entry.ended.and_then(rfc3339),
            code: entry.code.clone(),
        }
    }
}

impl Deployment {
    fn of(story: &Story) -> Self {
        let standing = &story.standing;
        let is_served = standing.is_served || !story.served_at.is_empty();
        let state = match (&story.newer, is_served, standing.served_nowhere) {
            (Some(_), ..) => "not_deployed",
            (None, true, _) => "served",
            (None, false, true) => "served_nowhere",
            (None, false, false) => "unknown",
        };
        let is_placed = !story.entry.facts.place.is_empty();
        let own = standing.is_served || story.newer.is_some() && is_placed;
        let own = Some(&story.entry).filter(|_| own);
        let bound = standing.bound.as_ref().and_then(|bound| match bound {
            Bound::To(places) => Some(places.to_vec()).filter(|places| !places.is_empty()),
            Bound::Nowhere => Some(Vec::new()),
            Bound::Unknown => None,
        });
        Self {
            state: state.to_owned(),
            served_at: own.into_iter().chain(&story.served_at).map(Other::of).collect(),
            bound,
            newer: story.newer.as_ref().map(Other::of),
            since: story.newer.as_ref().and_then(|newer| newer.facts.not_before).and_then(rfc3339),
            older: story.older.iter().map(Other::of).collect(),
        }
    }
}
