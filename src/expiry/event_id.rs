//! Ids that follow from what is said: what is decided twice has one id, whoever decides it.

use sha2::{Digest as _, Sha256};

use super::certificate::Timestamp;
use super::endpoint::EndpointNews;
use super::event::{Event, Severity, Topic};
use super::facts::Facts;
use super::ladder::Rung;

/// Of the digest, 128 bits are kept.
const BYTES: usize = 16;

/// What makes an event due that was said before, or for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A rung is said for the first time.
    First,
    /// A rung is said again, for the how manieth time.
    Reminder(u16),
    /// A condition follows from what happened then.
    Since(Timestamp),
    /// The snooze with this id ended, and the rung stands still.
    Snooze(String),
    /// The delivery with this id was given up, and it is said again.
    GivenUp(String),
}

/// Returns the id of an event: 128 bits of a digest over what it is about and its occasion.
pub fn event_id(topic: &Topic, severity: Severity, occasion: &Occasion) -> String {
    let mut parts = vec![topic.kind().to_owned()];
    match topic.facts() {
        Some(facts) => parts.extend(certificate(topic, facts)),
        None => parts.extend(subject(topic)),
    }
    parts.push(stage(topic));
    parts.push(severity.as_str().to_owned());
    parts.push(match occasion {
        Occasion::First => "0".to_owned(),
        Occasion::Reminder(count) => format!("reminder {count}"),
        Occasion::Since(at) => at.seconds().to_string(),
        Occasion::Snooze(id) => format!("snooze {id}"),
        Occasion::GivenUp(id) => id.clone(),
    });
    digest(parts.iter().map(String::as_str))
}

/// Returns the event as it is said again after the delivery of it was given up.
pub fn said_again(event: &Event, at: Timestamp) -> Event {
    let id = event_id(&event.topic, event.severity, &Occasion::GivenUp(event.id.clone()));
    Event { id, at, ..event.clone() }
}

/// Returns the id of a message: that of its only event, or a digest over those of all.
pub fn batch_id<'a>(events: impl IntoIterator<Item = &'a Event>) -> String {
    let mut ids: Vec<&str> = events.into_iter().map(|event| event.id.as_str()).collect();
    ids.sort_unstable();
    match ids.as_slice() {
        [only] => (*only).to_owned(),
        _ => digest(ids.into_iter()),
    }
}

/// Returns what names a certificate. What is said once of an authority is said for every place with it.
fn certificate(topic: &Topic, facts: &Facts) -> [String; 7] {
    let place = match topic {
        Topic::EndsFirst { .. } => String::new(),
        _ => facts.place.clone(),
    };
    let fingerprint = facts.fingerprint.filter(|_| facts.collides);
    [
        facts.source.clone(),
        facts.scope.clone(),
        place,
        facts.issuer.clone(),
        facts.serial.clone(),
        fingerprint.map(hex::encode).unwrap_or_default(),
        facts.not_after.map(|end| end.seconds().to_string()).unwrap_or_default(),
    ]
}

/// Returns what an event about the daemon itself is about.
fn subject(topic: &Topic) -> Vec<String> {
    let source = topic.source().unwrap_or_default().to_owned();
    match topic {
        Topic::InventoryShrunk { scope, .. }
        | Topic::InventoryRestored { scope, .. }
        | Topic::InventoryContradicts { scope, .. }
        | Topic::InventoryConsistent { scope, .. } => vec![source, scope.clone()],
        Topic::PlaceUnreadable { place, .. }
        | Topic::PlaceReadable { place, .. }
        | Topic::Endpoint { place, .. } => vec![source, place.clone()],
        Topic::ChannelDown { channel, .. }
        | Topic::ChannelUp { channel }
        | Topic::NotificationDead { channel, .. } => vec![channel.clone()],
        Topic::DailyDigest(digest) => vec![digest.channel.clone()],
        _ => vec![source],
    }
}

/// Returns the rung, the reason, or what tells two closings of one alert apart.
fn stage(topic: &Topic) -> String {
    match topic {
        Topic::Expiring { rung, .. } | Topic::NotDeployed { rung, .. } => match rung {
            Rung::Share(_) => rung.as_label(),
            rung => rung.seconds().to_string(),
        },
        Topic::Renewed { successor, successor_not_after, .. } => {
            format!("{successor} {}", successor_not_after.seconds())
        }
        Topic::FleetCliff { month, .. } => month.to_string(),
        Topic::Endpoint { news: EndpointNews::Invalid(invalid), .. } => {
            invalid.reason.as_str().to_owned()
        }
        _ => String::new(),
    }
}

fn digest<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    hex::encode(digest.get(..BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::certificate::{Kind, Status};
    use super::*;

    fn facts() -> Facts {
        Facts {
            source: "s".into(),
            scope: "all".into(),
            issuer: "ca".into(),
            serial: "01".into(),
            fingerprint: Some([7; 32]),
            common_name: "a.test".into(),
            not_after: Some(Timestamp::from_seconds(1_800_000_000)),
            ..Facts::bare(Kind::Server, Status::Active)
        }
    }

    fn id_of(facts: Facts, rung: Rung, severity: Severity, occasion: &Occasion) -> String {
        let topic = Topic::Expiring {
            facts,
            rung,
            leaves: None,
            newer: None,
            unserved: false,
            places: None,
        };
        event_id(&topic, severity, occasion)
    }

    #[test]
    fn what_is_decided_twice_has_one_id_and_everything_else_another() {
        let week = Rung::Before(7 * 86_400);
        let first = id_of(facts(), week, Severity::Warning, &Occasion::First);
        assert_eq!(first.len(), 32);
        let renamed = Facts { common_name: "b.test".into(), ..facts() };
        assert_eq!(id_of(renamed, week, Severity::Warning, &Occasion::First), first);
        let moved = Facts { scope: "al".into(), place: "l".into(), ..facts() };
        let later = Facts { not_after: None, ..facts() };
        let second = Facts { collides: true, ..facts() };
        let others = [
            id_of(moved, week, Severity::Warning, &Occasion::First),
            id_of(later, week, Severity::Warning, &Occasion::First),
            id_of(second, week, Severity::Warning, &Occasion::First),
            id_of(facts(), Rung::Expired, Severity::Warning, &Occasion::First),
            id_of(facts(), week, Severity::Critical, &Occasion::First),
            id_of(facts(), week, Severity::Warning, &Occasion::GivenUp(first.clone())),
            id_of(facts(), week, Severity::Warning, &Occasion::Since(Timestamp::from_seconds(1))),
            id_of(facts(), week, Severity::Warning, &Occasion::Reminder(1)),
            id_of(facts(), week, Severity::Warning, &Occasion::Reminder(2)),
            id_of(facts(), week, Severity::Warning, &Occasion::Snooze("s".into())),
        ];
        let distinct: std::collections::BTreeSet<_> = others.iter().chain([&first]).collect();
        assert_eq!(distinct.len(), others.len() + 1, "{others:?}");
    }

    /// Receivers keep ids: a change of this one means that everything is said again.
    #[test]
    fn ids_never_change() {
        let id = id_of(facts(), Rung::Before(86_400), Severity::Critical, &Occasion::First);
        insta::assert_snapshot!(id, @"4dbc743950ecde16b7e7c18748229064");
    }

    #[test]
    fn a_message_is_named_by_its_members_in_any_order() {
        let event = |id: &str| Event {
            id: id.to_owned(),
            at: Timestamp::from_seconds(0),
            severity: Severity::Info,
            topic: Topic::Test,
        };
        let (a, b) = (event("a"), event("b"));
        assert_eq!(batch_id([&a]), "a");
        assert_eq!(batch_id([&a, &b]), batch_id([&b, &a]));
        assert_ne!(batch_id([&a, &b]), batch_id([&event("ab"), &event("")]));
    }
}
