//! Keys by which receivers know what belongs together.

use sha2::{Digest, Sha256};

use crate::expiry::{EndpointNews, Event, Facts, Topic};

/// Returns a key that is the same whenever the parts are.
pub(super) fn key(parts: &[&str]) -> String {
    let all = [&["notafter/v1"], parts].concat();
    hex::encode(Sha256::digest(all.join("\u{1F}")))
}

/// Returns the key of what is wrong: the same for every event about one certificate, or about one condition.
pub(super) fn problem(event: &Event) -> String {
    if let Some(facts) = event.facts() {
        return of_certificate(facts);
    }
    let (condition, of, inside) = condition(event);
    key(&["problem", condition, of, inside])
}

/// Returns the key of a certificate's problem. Place and fingerprint are part of it only where there are any, so that old
/// keys hold.
pub(super) fn of_certificate(facts: &Facts) -> String {
    let fingerprint = facts.fingerprint.filter(|_| facts.collides).map(hex::encode);
    let identity = [&facts.source, &facts.scope, &facts.issuer, &facts.serial].map(String::as_str);
    let part = fingerprint.as_deref().unwrap_or_default();
    let placed = [facts.place.as_str(), part].into_iter().filter(|part| !part.is_empty());
    key(&["problem"].into_iter().chain(identity).chain(placed).collect::<Vec<_>>())
}

/// Returns whether the event says that a problem is over.
pub(super) const fn closes(topic: &Topic) -> bool {
    matches!(
        topic,
        Topic::Renewed { .. }
            | Topic::Gone { .. }
            | Topic::SourceRecovered { .. }
            | Topic::PlaceReadable { .. }
            | Topic::Endpoint { news: EndpointNews::Reachable, .. }
            | Topic::InventoryRestored { .. }
            | Topic::InventoryConsistent { .. }
            | Topic::ChannelUp { .. }
            | Topic::ClockRecovered
    )
}

/// Returns what begins with one event and ends with another, and of what. What has no end is a problem of its own.
fn condition(event: &Event) -> (&'static str, &str, &str) {
    match &event.topic {
        Topic::SourceStale { source, .. } | Topic::SourceRecovered { source } => {
            ("source", source, "")
        }
        Topic::PlaceUnreadable { source, place, .. } | Topic::PlaceReadable { source, place } => {
            ("place", source, place)
        }
        Topic::Endpoint { news: EndpointNews::Invalid(_), source, place } => {
            ("endpoint.invalid", source, place)
        }
        Topic::Endpoint { source, place, .. } => ("endpoint", source, place),
        Topic::InventoryShrunk { source, scope, .. }
        | Topic::InventoryRestored { source, scope, .. } => ("inventory", source, scope),
        Topic::InventoryContradicts { source, scope, .. }
        | Topic::InventoryConsistent { source, scope } => ("list", source, scope),
        Topic::ChannelDown { channel, .. } | Topic::ChannelUp { channel } => {
            ("channel", channel, "")
        }
        Topic::ClockSuspect { .. } | Topic::ClockRecovered => ("clock", "", ""),
        _ => (event.kind(), event.source().unwrap_or_default(), &event.id),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, NOW};
    use super::*;
    use crate::expiry::Severity;

    fn event(topic: Topic) -> Event {
        Event { id: "1".into(), at: NOW, severity: Severity::Info, topic }
    }

    #[test]
    fn keys_match_the_vectors() {
        let leaf = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        assert_eq!(
            key(&["expiring", leaf, "7d"]),
            "bf357983b9da429dfc20ce1af1d67ae8a0023839d5a91501f8d57ff187f7eeec"
        );
        assert_eq!(
            key(&["problem", "www.example.com:443"]),
            "79d96f893ee936ade3d14a4bbaf60bc9b5030c4b98b31329dc0e64ecc21bc2c4"
        );
    }

    #[test]
    fn what_ends_a_problem_has_the_key_of_what_began_it() {
        let topics: Vec<_> = sample::topics("x").into_iter().map(event).collect();
        let of = |kind: &str| {
            let event = topics.iter().find(|event| event.kind() == kind).unwrap();
            (problem(event), closes(&event.topic))
        };
        for (begins, ends) in [
            ("certificate.expiring", "certificate.renewed"),
            ("certificate.expiring", "certificate.gone"),
            ("source.stale", "source.recovered"),
            ("place.unreadable", "place.readable"),
            ("endpoint.unreachable", "endpoint.reachable"),
            ("inventory.shrunk", "inventory.restored"),
            ("inventory.contradicts", "inventory.consistent"),
            ("channel.down", "channel.up"),
            ("clock.suspect", "clock.recovered"),
        ] {
            assert_eq!(of(begins), (of(ends).0, false), "{begins}");
            assert!(of(ends).1, "{ends}");
        }
        assert_ne!(of("endpoint.invalid").0, of("endpoint.reachable").0);
        let open: Vec<_> = topics.iter().filter(|event| closes(&event.topic)).collect();
        assert_eq!(open.len(), 9);
    }
}
