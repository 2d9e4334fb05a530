//! An event as labels of Prometheus and Alertmanager: what tells one alert from another, and stays.

use std::collections::BTreeMap;

use crate::expiry::text::inert;
use crate::expiry::{Event, Facts, Topic};

/// Labels are read by people in pages and messages of others.
const LONGEST: usize = 128;

/// Returns the labels of what an event is about. Empty ones are left out.
pub(super) fn of(event: &Event) -> BTreeMap<&'static str, String> {
    let (certificate, name) = (event.facts(), alert_name(begun(event.kind())));
    let mut labels = match certificate {
        Some(facts) => of_certificate(facts),
        None => of_condition(event),
    };
    labels.insert("alertname", name);
    labels.insert("job", "notafter".to_owned());
    labels.insert("severity", event.severity.as_str().to_owned());
    labels.retain(|_, value| !value.is_empty());
    labels
}

/// Returns the labels that a certificate has in the metrics: `cert` is its serial, and part of its fingerprint where two in
/// one place share it.
pub(super) fn of_certificate(facts: &Facts) -> BTreeMap<&'static str, String> {
    let part = facts.fingerprint.filter(|_| facts.collides).map(hex::encode);
    let part: String = part.unwrap_or_default().chars().take(8).collect();
    let serial = inert(&facts.serial, LONGEST);
    let cert = if part.is_empty() { serial } else { format!("{serial}-{part}") };
    BTreeMap::from([
        ("source", inert(&facts.source, LONGEST)),
        ("scope", inert(&facts.scope, LONGEST)),
        ("place", inert(&facts.place, LONGEST)),
        ("issuer", inert(&facts.issuer, LONGEST)),
        ("cert", cert),
    ])
}

fn of_condition(event: &Event) -> BTreeMap<&'static str, String> {
    let mut labels =
        BTreeMap::from([("source", inert(event.source().unwrap_or_default(), LONGEST))]);
    match &event.topic {
        Topic::PlaceUnreadable { place, .. }
        | Topic::PlaceReadable { place, .. }
        | Topic::Endpoint { place, .. } => {
            labels.insert("place", inert(place, LONGEST));
        }
        Topic::InventoryShrunk { scope, .. }
        | Topic::InventoryRestored { scope, .. }
        | Topic::InventoryContradicts { scope, .. }
        | Topic::InventoryConsistent { scope, .. } => {
            labels.insert("scope", inert(scope, LONGEST));
        }
        Topic::ChannelDown { channel, .. }
        | Topic::ChannelUp { channel }
        | Topic::NotificationDead { channel, .. } => {
            labels.insert("channel", inert(channel, LONGEST));
        }
        _ => {}
    }
    labels
}

/// Returns the kind that began what an event of this kind ends; else the kind itself.
fn begun(kind: &str) -> &str {
    match kind {
        "certificate.renewed" | "certificate.gone" => "certificate.expiring",
        "source.recovered" => "source.stale",
        "place.readable" => "place.unreadable",
        "endpoint.reachable" => "endpoint.unreachable",
        "inventory.restored" => "inventory.shrunk",
        "inventory.consistent" => "inventory.contradicts",
        "channel.up" => "channel.down",
        "clock.recovered" => "clock.suspect",
        kind => kind,
    }
}

/// Returns `CertificateNotDeployed` for `certificate.not_deployed`.
pub(super) fn alert_name(kind: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    kind.split(['.', '_']).map(word).collect()
}

/// The envelope of chat messages says nothing where the sender is named.
pub(super) fn without_envelope(title: &str) -> &str {
    title.trim_start_matches("[notafter] ")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, NOW};
    use super::*;
    use crate::expiry::Severity;

    #[test]
    fn every_label_is_a_label_and_nothing_in_it_acts() {
        for topic in sample::topics("<!channel> @all\n[x](y)") {
            let event = Event { id: "1".into(), at: NOW, severity: Severity::Warning, topic };
            let labels = of(&event);
            assert_eq!(labels["job"], "notafter");
            assert!(
                labels["alertname"].bytes().all(|byte| byte.is_ascii_alphabetic()),
                "{labels:?}"
            );
            for value in labels.values() {
                assert!(!value.is_empty() && !value.contains(['<', '@', '\n', '[']), "{labels:?}");
            }
        }
        assert_eq!(alert_name("certificate.not_deployed"), "CertificateNotDeployed");
    }

    #[test]
    fn what_tells_certificates_apart_is_in_the_labels() {
        let facts = crate::expiry::Facts {
            fingerprint: Some([7; 32]),
            collides: true,
            ..sample::facts("a", 3)
        };
        let labels = of_certificate(&facts);
        assert_eq!(labels["cert"], "04a1b2c3-07070707");
        assert_eq!((labels["source"].as_str(), labels["scope"].as_str()), ("web-certs", "all"));
    }
}
