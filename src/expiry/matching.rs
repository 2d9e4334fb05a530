//! What of an event is held against a matcher.

use std::borrow::Cow;

use super::event::{Event, Topic};
use super::facts::Facts;
use super::matcher::{Field, Matcher, Patterns};

impl Matcher {
    /// Returns whether `event` has everything that is asked for.
    ///
    /// What an event does not have (a clock has no holder) matches only where nothing is asked, not even after `!`.
    pub fn matches(&self, event: &Event) -> bool {
        let fits = |(field, patterns): (&Field, &Patterns)| {
            field.of(event).is_some_and(|found| patterns.matches(&found))
        };
        let labelled = |(name, patterns): (&String, &Patterns)| {
            label(event, name).is_some_and(|found| patterns.matches(found))
        };
        self.fields.iter().all(fits) && self.labels.iter().all(labelled)
    }
}

impl Matcher {
    /// Returns the first thing that is asked for and that `event` does not have; `None` where it has everything.
    pub fn why_not(&self, event: &Event) -> Option<String> {
        for (field, patterns) in &self.fields {
            let word = field.as_str();
            match field.of(event) {
                None => return Some(format!("an event of this kind has no {word}")),
                Some(found) if !patterns.matches(&found) => {
                    return Some(format!("{word} is `{found}`, and {patterns} is asked for"));
                }
                Some(_) => {}
            }
        }
        for (name, patterns) in &self.labels {
            match label(event, name) {
                None => return Some("an event of this kind has no labels".to_owned()),
                Some(found) if !patterns.matches(found) => {
                    return Some(format!("label {name} is `{found}`, and {patterns} is asked for"));
                }
                Some(_) => {}
            }
        }
        None
    }
}

impl Field {
    /// Returns what an event has in it; `None`: an event of this kind has nothing of the kind.
    fn of(self, event: &Event) -> Option<Cow<'_, str>> {
        match self {
            Self::Source => event.source().map(Cow::Borrowed),
            Self::Scope => scope(event).map(Cow::Borrowed),
            Self::Place => place(event).map(Cow::Borrowed),
            Self::Severity => Some(Cow::Borrowed(event.severity.as_str())),
            Self::Event => Some(Cow::Borrowed(event.kind())),
            Self::Rung => rung(event).map(Cow::Owned),
            _ => event.facts().and_then(|facts| self.of_certificate(facts)).map(Cow::Borrowed),
        }
    }

    fn of_certificate(self, facts: &Facts) -> Option<&str> {
        Some(match self {
            Self::Source => &facts.source,
            Self::Scope => &facts.scope,
            Self::Place => &facts.place,
            Self::Kind => facts.kind.as_str(),
            Self::Status => facts.status.as_str(),
            Self::Issuer => &facts.issuer,
            Self::Serial => &facts.serial,
            Self::CommonName => &facts.common_name,
            Self::Holder => &facts.holder,
            Self::OrganizationalUnit => &facts.unit,
            Self::Severity | Self::Rung | Self::Event => return None,
        })
    }
}

fn scope(event: &Event) -> Option<&str> {
    match &event.topic {
        Topic::InventoryShrunk { scope, .. }
        | Topic::InventoryRestored { scope, .. }
        | Topic::InventoryContradicts { scope, .. }
        | Topic::InventoryConsistent { scope, .. } => Some(scope),
        _ => event.facts().map(|facts| facts.scope.as_str()),
    }
}

fn place(event: &Event) -> Option<&str> {
    match &event.topic {
        Topic::PlaceUnreadable { place, .. }
        | Topic::PlaceReadable { place, .. }
        | Topic::Endpoint { place, .. } => Some(place),
        _ => event.facts().map(|facts| facts.place.as_str()),
    }
}

fn rung(event: &Event) -> Option<String> {
    match &event.topic {
        Topic::Expiring { rung, .. }
        | Topic::NotDeployed { rung, .. }
        | Topic::Canary { rung, .. } => Some(rung.as_label()),
        _ => None,
    }
}

/// Returns a label of the certificate that an event is about: empty where it has no such label.
fn label<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    event.facts().map(|facts| facts.labels.get(name).map_or("", String::as_str))
}

#[cfg(test)]
mod tests {
    use super::super::certificate::{Kind, Status, Timestamp};
    use super::super::event::Severity;
    use super::super::ladder::Rung;
    use super::*;

    fn event(severity: Severity, topic: Topic) -> Event {
        Event { id: "e".into(), at: Timestamp::from_seconds(0), severity, topic }
    }

    fn expiring() -> Event {
        let facts = Facts {
            source: "iot-prod".into(),
            scope: "mqtt-1".into(),
            place: "/a.pem".into(),
            issuer: "CN=Root".into(),
            serial: "0a".into(),
            common_name: "pump-7".into(),
            holder: "client-7".into(),
            unit: "plant-7".into(),
            ..Facts::bare(Kind::Device, Status::Inactive)
        };
        let rung = Rung::Before(7 * 86_400);
        let (leaves, newer, unserved, places) = (None, None, false, None);
        let topic = Topic::Expiring { facts, rung, leaves, newer, unserved, places };
        event(Severity::Warning, topic)
    }

    fn matcher(field: Field, texts: &[&str]) -> Matcher {
        let mut matcher = Matcher::default();
        matcher.ask(field, Patterns::new(texts));
        matcher
    }

    #[test]
    fn every_field_is_asked_of_a_certificate() {
        let words = [
            "iot-prod",
            "mqtt-1",
            "/a.pem",
            "device",
            "inactive",
            "warning",
            "CN=Root",
            "0a",
            "pump-7",
            "client-7",
            "plant-7",
            "7d",
            "certificate.expiring",
        ];
        for (field, word) in Field::ALL.into_iter().zip(words) {
            assert!(matcher(field, &[word]).matches(&expiring()), "{field:?}");
            assert!(!matcher(field, &["other"]).matches(&expiring()), "{field:?}");
            assert_eq!(Field::from_word(field.as_str()), Some(field));
        }
    }

    #[test]
    fn one_of_a_list_is_enough_and_none_may_be_what_is_excluded() {
        for (patterns, expected) in [
            (&["plant-?"][..], true),
            (&["a", "plant-*"], true),
            (&["a", "b"], false),
            (&["!a"], true),
            (&["!plant-7"], false),
            (&["!a", "!plant-?"], false),
            (&["plant-*", "!plant-7"], false),
            (&["plant-*", "!plant-8"], true),
        ] {
            let matcher = matcher(Field::OrganizationalUnit, patterns);
            assert_eq!(matcher.matches(&expiring()), expected, "{patterns:?}");
        }
    }

    #[test]
    fn what_an_event_does_not_have_is_not_matched() {
        let stale = event(
            Severity::Critical,
            Topic::SourceStale { source: "iot".into(), last_proven: None, error: None },
        );
        assert!(matcher(Field::Event, &["source.*"]).matches(&stale));
        assert!(matcher(Field::Source, &["!web"]).matches(&stale));
        for field in [Field::Kind, Field::Holder, Field::Rung, Field::Place, Field::Scope] {
            assert!(!matcher(field, &["!x"]).matches(&stale), "{field:?}");
        }
        let unreadable = Topic::PlaceUnreadable {
            source: "m".into(),
            place: "/b.pem".into(),
            error: String::new(),
        };
        assert!(matcher(Field::Place, &["/b*"]).matches(&event(Severity::Warning, unreadable)));
    }

    #[test]
    fn labels_are_asked_of_certificates() {
        let mut event = expiring();
        if let Topic::Expiring { facts, .. } = &mut event.topic {
            facts.labels.insert("team".into(), "iot".into());
        }
        let asking = |name: &str, patterns: &[&str]| {
            let mut matcher = Matcher::default();
            matcher.ask_label(name.to_owned(), Patterns::new(patterns));
            matcher
        };
        for (name, patterns, expected) in [
            ("team", &["io?", "web"][..], true),
            ("team", &["!iot"], false),
            ("env", &["*"], true),
            ("env", &["prod"], false),
            ("env", &["!prod"], true),
        ] {
            assert_eq!(asking(name, patterns).matches(&event), expected, "{name} {patterns:?}");
        }
        let about_us = super::super::event::Event { topic: Topic::ClockRecovered, ..event };
        assert!(!asking("team", &["!x"]).matches(&about_us));
    }
}
