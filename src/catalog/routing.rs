//! Which route an event takes, to which channels, and why not to the others.

use super::topic::alert;
use super::{Catalog, CatalogError, Entry};
use crate::config::{Config, RouteTrial};
use crate::expiry::{
    Accepted, DailyDigest, EVENT_KINDS, EndpointNews, Event, EventKind, Facts, Invalid,
    InvalidReason, Kind, Month, Rung, Severity, Status, Timestamp, Topic, severity,
};

/// What is asked: a certificate, or an event about something else.
#[derive(Clone, Debug)]
pub enum RouteQuery {
    /// What will be said of the certificate with this id next.
    Certificate(String),
    /// An event of this kind.
    Event {
        /// Its kind.
        kind: EventKind,
        /// The source that it is about.
        source: String,
        /// The scope.
        scope: String,
        /// The place.
        place: String,
        /// The channel.
        channel: String,
    },
}

/// Where an event goes.
#[derive(Clone, Debug)]
pub struct Routing {
    /// The event.
    pub event: Event,
    /// What each route makes of it.
    pub trials: Vec<RouteTrial>,
    /// The channels that it goes to, each with the time until which it waits there.
    pub channels: Vec<(String, Option<Timestamp>)>,
    /// The other channels, and why it does not go there.
    pub others: Vec<(String, String)>,
}

impl Catalog {
    /// Tells where an event goes; `None` where there is no such certificate.
    pub async fn routing(&self, query: &RouteQuery) -> Result<Option<Routing>, CatalogError> {
        let moment = self.moment();
        let event = match query {
            RouteQuery::Certificate(id) => match self.one(id).await? {
                Some(entry) => self.next_event(&entry, moment.now),
                None => return Ok(None),
            },
            RouteQuery::Event { kind, source, scope, place, channel } => {
                let names = [source, scope, place, channel].map(String::clone);
                let Some((severity, topic)) = topic(*kind, names) else {
                    let detail = format!("`{}` is about a certificate: name one", kind.as_str());
                    return Err(CatalogError::Mistaken(detail));
                };
                Event { id: String::new(), at: moment.now, severity, topic }
            }
        };
        Ok(Some(routing(&moment.config, event, moment.now)))
    }

    /// Returns what is said of a certificate now, or at the next rung.
    fn next_event(&self, entry: &Entry, now: Timestamp) -> Event {
        let ahead = self.steps(entry).into_iter().find(|(_, at)| *at > now);
        let rung = entry.rung.or(ahead.map(|(rung, _)| rung)).unwrap_or(Rung::Expired);
        let facts = entry.facts.clone();
        let severity = severity(facts.status, rung);
        let topic = alert(facts, rung, entry.not_deployed.is_some());
        Event { id: String::new(), at: now, severity, topic }
    }
}

fn routing(config: &Config, event: Event, now: Timestamp) -> Routing {
    let trials = config.try_routes(&event);
    let chosen: Vec<String> = config.route(&event).into_iter().map(str::to_owned).collect();
    let others = config.channels.iter().filter(|channel| !chosen.contains(&channel.name));
    let others = others.map(|channel| (channel.name.clone(), why_not(&channel.name, &trials)));
    let others = others.collect();
    let muted = |name: String| {
        let until = config.muted_until(&event, &name, now);
        (name, until)
    };
    let channels = chosen.into_iter().map(muted).collect();
    Routing { event, trials, channels, others }
}

fn why_not(channel: &str, trials: &[RouteTrial]) -> String {
    let leading = trials.iter().filter(|trial| trial.channels.iter().any(|one| one == channel));
    let reasons: Vec<String> = leading
        .map(|trial| match &trial.why_not {
            Some(why) => format!("route {}: {why}", trial.number),
            None if !trial.is_tried => format!(
                "route {}: one above it took the event and does not `continue`",
                trial.number
            ),
            None => format!("route {}: what is said of a channel is not said to it", trial.number),
        })
        .collect();
    if reasons.is_empty() { "no route leads there".to_owned() } else { reasons.join("; ") }
}

/// Returns an event of every kind that is not about a certificate: one for each source or channel where it is about one. How
/// everything stands goes to those that the digest names, and by no route.
pub(super) fn general_events<'a>(
    sources: impl Iterator<Item = &'a str>,
    channels: impl Iterator<Item = &'a str>,
    now: Timestamp,
) -> Vec<Event> {
    let each = sources.map(|source| (source, "")).chain(channels.map(|channel| ("", channel)));
    let mut found = Vec::new();
    for (source, channel) in each.chain([("", "")]) {
        for kind in EVENT_KINDS.into_iter().filter(|kind| *kind != EventKind::DigestDaily) {
            let names = [source, "", "", channel].map(str::to_owned);
            let Some((severity, topic)) = topic(kind, names) else { continue };
            let event = Event { id: String::new(), at: now, severity, topic };
            let is_wanted = match event.source() {
                Some(of) => of == source && !source.is_empty(),
                None => source.is_empty() && event.about() == channel,
            };
            if is_wanted {
                found.push(event);
            }
        }
    }
    found
}

/// Returns an event of a kind that is not about a certificate, with its severity.
fn topic(
    kind: EventKind,
    [source, scope, place, channel]: [String; 4],
) -> Option<(Severity, Topic)> {
    use EventKind as K;
    use Severity::{Critical, Info, Warning};
    let text = String::new;
    let invalid = || Invalid { reason: InvalidReason::Untrusted, detail: String::new() };
    let endpoint = |news| {
        let (source, place) = (source.clone(), place.clone());
        Topic::Endpoint { source, place, news }
    };
    Some(match kind {
        K::EndpointInvalid => (Critical, endpoint(EndpointNews::Invalid(invalid()))),
        K::EndpointUnreachable => (Warning, endpoint(EndpointNews::Unreachable { error: text() })),
        K::EndpointReachable => (Info, endpoint(EndpointNews::Reachable)),
        K::PlaceUnreadable => (Warning, Topic::PlaceUnreadable { source, place, error: text() }),
        K::PlaceReadable => (Info, Topic::PlaceReadable { source, place }),
        K::SourceStale => (Critical, Topic::SourceStale { source, last_proven: None, error: None }),
        K::FleetCliff => {
            let (month, ending, renewed) = (Month::new(1970, 1), 0, 0);
            (Warning, Topic::FleetCliff { source, month, ending, renewed })
        }
        K::SourceRecovered => (Info, Topic::SourceRecovered { source }),
        K::InventoryShrunk => {
            (Critical, Topic::InventoryShrunk { source, scope, known: 0, missing: 0 })
        }
        K::InventoryRestored => {
            let accepted: Option<Accepted> = None;
            (Info, Topic::InventoryRestored { source, scope, accepted })
        }
        K::InventoryContradicts => {
            (Critical, Topic::InventoryContradicts { source, scope, unlisted: 0 })
        }
        K::InventoryConsistent => (Info, Topic::InventoryConsistent { source, scope }),
        K::ChannelDown => (Critical, Topic::ChannelDown { channel, code: text(), hint: text() }),
        K::ChannelUp => (Info, Topic::ChannelUp { channel }),
        K::NotificationDead => (Critical, Topic::NotificationDead { channel, code: text() }),
        K::ClockSuspect => (Critical, Topic::ClockSuspect { detail: text() }),
        K::ClockOffset => (Critical, Topic::ClockOffset { source, seconds: 0 }),
        K::ClockRecovered => (Info, Topic::ClockRecovered),
        K::DigestDaily => {
            let digest = DailyDigest::new(channel, Timestamp::from_seconds(0));
            (Info, Topic::DailyDigest(Box::new(digest)))
        }
        K::Canary => {
            let facts = Facts { source, scope, place, ..Facts::bare(Kind::Server, Status::Active) };
            (Info, Topic::Canary { facts, rung: Rung::Before(86_400) })
        }
        K::Test => (Info, Topic::Test),
        _ => return None,
    })
}
