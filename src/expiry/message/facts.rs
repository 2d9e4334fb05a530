//! What is known about one event: labels and values.

use super::Fact;
use super::phrases::{FACT, Phrases, SENTENCE, WHOLE, number};
use super::words::{self, Label};
use crate::expiry::certificate::Kind;
use crate::expiry::endpoint::EndpointNews;
use crate::expiry::event::{Event, Topic};
use crate::expiry::facts::Facts;
use crate::expiry::month::Month;
use crate::expiry::text::inert;

/// What the name of an MQTT instance begins with.
const INSTANCE: &str = "mqtt-";

impl Phrases {
    /// Returns what is known about the event, one fact a line.
    pub(super) fn facts(self, event: &Event) -> Vec<Fact> {
        match &event.topic {
            Topic::Expiring { facts, .. } | Topic::NotDeployed { facts, .. } => {
                let more = self.what_to_know(&event.topic);
                self.told([&self.identity(facts)[..], &more].concat())
            }
            Topic::EndsFirst { facts, .. } => {
                let more = self.what_to_know(&event.topic);
                let to_do = words::renew_authority(self.language).to_owned();
                let to_do = [(Label::Hint, to_do)];
                self.told([&self.identity(facts)[..], &more, &to_do].concat())
            }
            Topic::Gone { facts, elsewhere } => {
                let other = elsewhere.as_ref().map(|other| self.newer(other)).unwrap_or_default();
                self.told([&self.identity(facts)[..], &[(Label::Newer, other)]].concat())
            }
            Topic::Renewed { facts, successor, successor_not_after } => {
                let new = [
                    (Label::SuccessorNotAfter, self.time(*successor_not_after)),
                    (Label::Successor, inert(successor, FACT)),
                ];
                self.told([&new, &self.identity(facts)[..]].concat())
            }
            Topic::Canary { facts, .. } => {
                let what = (Label::Detail, words::canary(self.language).to_owned());
                self.told([&[what], &self.identity(facts)[..]].concat())
            }
            Topic::DailyDigest(digest) => self.daily_facts(digest),
            topic => self.told(self.own_facts(topic)),
        }
    }

    fn told(self, facts: Vec<(Label, String)>) -> Vec<Fact> {
        let filled = facts.into_iter().filter(|(_, value)| !value.is_empty());
        let fact = |(label, value): (Label, String)| {
            let is_end = matches!(label, Label::NotAfter | Label::SuccessorNotAfter);
            Fact { label: label.word(self.language).to_owned(), value, is_end }
        };
        filled.map(fact).collect()
    }

    /// Returns facts in lines of their own.
    pub(super) fn lines(self, facts: Vec<(Label, String)>) -> Vec<String> {
        self.told(facts).iter().map(|fact| fact.line(self.language)).collect()
    }

    fn identity(self, facts: &Facts) -> Vec<(Label, String)> {
        // The authority of a device is known by its serial, an authority's own issuer by its name.
        let by_serial = facts.scope.starts_with(INSTANCE) && facts.kind != Kind::Ca;
        let issuer = if by_serial { Label::IssuerSerial } else { Label::Issuer };
        vec![
            (Label::NotAfter, self.time_if(facts.not_after)),
            (Label::CommonName, inert(&facts.common_name, FACT)),
            (Label::Holder, inert(&facts.holder, FACT)),
            (Label::Unit, inert(&facts.unit, FACT)),
            (Label::Source, inert(&facts.source, FACT)),
            within(&facts.scope),
            (Label::Place, inert(&facts.place, FACT)),
            (issuer, inert(&facts.issuer, FACT)),
            (Label::Serial, inert(&facts.serial, FACT)),
            (Label::Fingerprint, fingerprint(facts)),
            (Label::Labels, inert(&labels(facts), FACT)),
        ]
    }

    fn cliff_facts(
        self,
        source: &str,
        month: Month,
        [ending, renewed]: [u64; 2],
    ) -> Vec<(Label, String)> {
        vec![
            (Label::Source, inert(source, FACT)),
            (Label::Month, month.to_string()),
            (Label::Ending, ending.to_string()),
            (Label::MostRenewed, renewed.to_string()),
            (Label::Hint, words::spread_renewals(self.language).to_owned()),
        ]
    }

    /// Returns the facts of an event that is about the daemon itself.
    fn own_facts(self, topic: &Topic) -> Vec<(Label, String)> {
        match topic {
            Topic::FleetCliff { source, month, ending, renewed } => {
                self.cliff_facts(source, *month, [*ending, *renewed])
            }
            Topic::SourceStale { source, last_proven, error } => vec![
                (Label::Source, inert(source, FACT)),
                (Label::LastProven, self.time_if(*last_proven)),
                (Label::Error, inert(error.as_deref().unwrap_or_default(), SENTENCE)),
            ],
            Topic::SourceRecovered { source } => vec![(Label::Source, inert(source, FACT))],
            Topic::Endpoint { source, place, news } => vec![
                (Label::Source, inert(source, FACT)),
                (Label::Place, inert(place, FACT)),
                endpoint_fact(news),
            ],
            Topic::PlaceUnreadable { source, place, error } => vec![
                (Label::Source, inert(source, FACT)),
                (Label::Place, inert(place, FACT)),
                (Label::Error, inert(error, SENTENCE)),
            ],
            Topic::PlaceReadable { source, place } => at_place(source, place),
            Topic::InventoryShrunk { source, scope, known, missing } => {
                shrunk_facts(source, scope, Some((*known, *missing)))
            }
            Topic::InventoryRestored { source, scope, accepted } => {
                let accepted = accepted.map(|accepted| (accepted.known, accepted.missing));
                shrunk_facts(source, scope, accepted)
            }
            Topic::InventoryContradicts { source, scope, unlisted } => vec![
                (Label::Source, inert(source, FACT)),
                within(scope),
                (Label::Missing, unlisted.to_string()),
            ],
            Topic::InventoryConsistent { source, scope } => {
                vec![(Label::Source, inert(source, FACT)), within(scope)]
            }
            Topic::ChannelDown { channel, code, hint } => vec![
                (Label::Channel, inert(channel, FACT)),
                (Label::Code, inert(code, FACT)),
                (Label::Hint, inert(hint, SENTENCE)),
            ],
            Topic::ChannelUp { channel } => vec![(Label::Channel, inert(channel, FACT))],
            Topic::NotificationDead { channel, code } => {
                vec![(Label::Channel, inert(channel, FACT)), (Label::Code, inert(code, FACT))]
            }
            Topic::ClockSuspect { detail } => vec![(Label::Detail, inert(detail, SENTENCE))],
            Topic::ClockOffset { source, seconds } => {
                vec![(Label::Source, inert(source, FACT)), (Label::Offset, seconds.to_string())]
            }
            Topic::Expiring { .. }
            | Topic::NotDeployed { .. }
            | Topic::Renewed { .. }
            | Topic::Gone { .. }
            | Topic::EndsFirst { .. }
            | Topic::ClockRecovered
            | Topic::DailyDigest(_)
            | Topic::Canary { .. }
            | Topic::Test => Vec::new(),
        }
    }
}

fn at_place(source: &str, place: &str) -> Vec<(Label, String)> {
    vec![(Label::Source, inert(source, FACT)), (Label::Place, inert(place, FACT))]
}

/// Returns the fingerprint, where nothing else tells the certificate from another one.
fn fingerprint(facts: &Facts) -> String {
    facts.fingerprint.filter(|_| facts.collides).map(hex::encode).unwrap_or_default()
}

/// Returns its labels in one line.
fn labels(facts: &Facts) -> String {
    let pairs = facts.labels.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(", ")
}

fn endpoint_fact(news: &EndpointNews) -> (Label, String) {
    match news {
        EndpointNews::Invalid(invalid) => (Label::Detail, inert(&invalid.detail, SENTENCE)),
        EndpointNews::Unreachable { error } => (Label::Error, inert(error, SENTENCE)),
        EndpointNews::Reachable => (Label::Detail, String::new()),
    }
}

fn shrunk_facts(source: &str, scope: &str, counts: Option<(u64, u64)>) -> Vec<(Label, String)> {
    vec![
        (Label::Source, inert(source, FACT)),
        within(scope),
        (Label::Known, number(counts.map(|(known, _)| known))),
        (Label::Missing, number(counts.map(|(_, missing)| missing))),
    ]
}

/// Returns the scope, which says nothing where a source has one only.
fn within(scope: &str) -> (Label, String) {
    match scope {
        WHOLE => (Label::Scope, String::new()),
        scope if scope.starts_with(INSTANCE) => (Label::Instance, inert(scope, FACT)),
        scope => (Label::Scope, inert(scope, FACT)),
    }
}
