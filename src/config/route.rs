//! `[[route]]`: which events go to which channels.

use chrono_tz::Tz;

use super::matcher::{match_keys, matcher};
use super::mute::mute;
use super::name::Names;
use super::source::timezone;
use super::spelling::{known, quoted};
use super::{ChannelConfig, Config, Fields, Key, Placed, Route, Shape};
use crate::expiry::{Event, Field, Severity, Timestamp, Topic};

impl Config {
    /// Returns the channels that `event` goes to, each once. The daily digest goes to those that it names.
    ///
    /// The first route that matches wins, unless it says `continue`. What a channel does is never said to that
    /// channel; when its route leads nowhere else, every other channel is told, since somebody must be.
    pub fn route(&self, event: &Event) -> Vec<&str> {
        if event.daily().is_some() {
            let named = self.digest.iter().flat_map(|digest| &digest.channels);
            return named.map(String::as_str).collect();
        }
        let mut channels: Vec<&str> = Vec::new();
        for route in self.chosen(event) {
            for name in &route.channels {
                if !channels.contains(&name.as_str()) {
                    channels.push(name);
                }
            }
        }
        if let Topic::ChannelDown { channel, .. }
        | Topic::ChannelUp { channel }
        | Topic::NotificationDead { channel, .. } = &event.topic
        {
            channels.retain(|name| name != channel);
            if channels.is_empty() {
                let others = self.channels.iter().map(|other| other.name.as_str());
                channels.extend(others.filter(|name| name != channel));
            }
        }
        channels
    }

    /// Returns whether no route but the last chooses `event`.
    pub fn goes_by_default(&self, event: &Event) -> bool {
        if event.daily().is_some() {
            return false;
        }
        let chosen = self.chosen(event);
        let ends = chosen.first().zip(self.routes.last());
        ends.is_some_and(|(first, last)| std::ptr::eq(*first, last))
    }

    /// Returns until when `event` waits before it goes to a channel: every route that leads there is muted. What is critical
    /// never waits, nor do the daily digest and a canary: somebody waits for that.
    pub fn muted_until(&self, event: &Event, channel: &str, now: Timestamp) -> Option<Timestamp> {
        if event.severity == Severity::Critical || event.daily().is_some() || event.is_canary() {
            return None;
        }
        let leading = self
            .chosen(event)
            .into_iter()
            .filter(|route| route.channels.iter().any(|one| one == channel));
        let ends: Option<Vec<Timestamp>> = leading.map(|route| route.mute.until(now)).collect();
        ends?.into_iter().min()
    }

    /// Returns what every route makes of `event`, in their order.
    pub fn try_routes(&self, event: &Event) -> Vec<RouteTrial> {
        let mut is_taken = false;
        let trial = |(number, route): (u64, &Route)| {
            let (why_not, is_tried) = (route.matcher.why_not(event), !is_taken);
            is_taken |= why_not.is_none() && !route.continues;
            RouteTrial {
                number,
                asks: route.matcher.to_string(),
                why_not,
                is_tried,
                continues: route.continues,
                channels: route.channels.clone(),
            }
        };
        (1..).zip(&self.routes).map(trial).collect()
    }

    /// Returns the routes that choose `event`: the first that matches, and others where it says `continue`.
    fn chosen(&self, event: &Event) -> Vec<&Route> {
        let mut chosen = Vec::new();
        for route in self.routes.iter().filter(|route| route.matcher.matches(event)) {
            chosen.push(route);
            if !route.continues {
                break;
            }
        }
        chosen
    }
}

/// What a route makes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTrial {
    /// Its place; the first is 1.
    pub number: u64,
    /// What it asks for, in words; nothing for one that takes everything.
    pub asks: String,
    /// What the event does not have of it.
    pub why_not: Option<String>,
    /// Whether it is tried: no route above it took the event for good.
    pub is_tried: bool,
    /// Whether routes below it are tried as well.
    pub continues: bool,
    /// Where it leads.
    pub channels: Vec<String>,
}

/// Returns what may stand in a `[[route]]`.
pub(super) fn route_keys() -> Vec<Key> {
    vec![
        Key::new(
            "match",
            Shape::Table(|| match_keys(&Field::ALL)),
            "What an event must be like; left out, every event is. What an event does not have is not matched.",
        ),
        Key::required(
            "channels",
            Shape::Texts,
            "The names of the channels that are told, or `[]` for nobody.",
        ),
        Key::new("continue", Shape::Boolean, "Whether later routes are tried as well.").or("false"),
        Key::new(
            "mute",
            Shape::Texts,
            "Times in which warnings wait; what is critical never does: `Sat-Sun`, `22:00-07:00`, `Mon-Fri 18:00-08:00`.",
        ),
        Key::new("timezone", Shape::Timezone, "The zone of the times in `mute`.").or("\"UTC\""),
    ]
}

/// Reads every `[[route]]` and checks that each event has a way and each channel an event.
pub(super) fn routes(
    root: &mut Fields<'_>,
    names: &Names,
    channels: &[ChannelConfig],
) -> Vec<Route> {
    let routes: Vec<Placed<Route>> = root
        .list_of_tables("route")
        .unwrap_or_default()
        .into_iter()
        .map(|(table, span)| {
            let mut fields = root.inside(table, span.clone());
            Placed { value: route(&mut fields, names), span }
        })
        .collect();
    check_ends(root, &routes, channels);
    check_reach(root, &routes, channels);
    routes.into_iter().map(|route| route.value).collect()
}

fn route(fields: &mut Fields<'_>, names: &Names) -> Route {
    let mut route =
        Route { continues: fields.boolean("continue").unwrap_or(false), ..Route::default() };
    if let Some((table, span)) = fields.table("match") {
        let mut asked = fields.inside(table, span);
        route.matcher = matcher(&mut asked, &Field::ALL, &names.sources);
    }
    let zone = timezone(fields).unwrap_or(Tz::UTC);
    route.mute = mute(fields, zone);
    fields.require("channels", ": the names of those to tell, or `[]` for nobody");
    let channels: Vec<_> = names.channels.iter().map(String::as_str).collect();
    for name in fields.placed_strings("channels").map(|list| list.value).unwrap_or_default() {
        if !channels.contains(&name.value.as_str()) {
            let hint = known(&name.value, &channels);
            fields.mistake(name.span, format!("unknown channel {}; {hint}", quoted(&name.value)));
        }
        route.channels.push(name.value);
    }
    fields.report_unknown();
    route
}

/// Every event must have a way.
fn check_ends(root: &mut Fields<'_>, routes: &[Placed<Route>], channels: &[ChannelConfig]) {
    let example = channels.first().map_or("NAME", |channel| channel.name.as_str());
    let add = format!("add `[[route]]` with `channels = [\"{example}\"]` at the end");
    match (routes.last(), channels.first()) {
        (None, None) => {
            root.warn(
                root.span(),
                "no channel is configured: alerts are off, and only metrics tell",
            );
        }
        (None, Some(first)) => {
            let place = first.kind.span.clone();
            root.mistake(place, format!("no route leads to a channel: {add}"));
        }
        (Some(last), _) if !last.value.matcher.is_empty() => {
            let above = routes.iter().rev().find(|route| route.value.matcher.is_empty());
            let mend = above.map_or(add, |route| {
                let to = match route.value.channels.as_slice() {
                    [] => "nobody".to_owned(),
                    channels => quoted(&channels.join(", ")),
                };
                format!("move the one to {to}, which stands above and does, to the end")
            });
            root.mistake(
                last.span.clone(),
                format!("the last route must match everything: {mend}"),
            );
        }
        (Some(_), _) => {}
    }
}

/// Every route must be reached, and every channel.
fn check_reach(root: &mut Fields<'_>, routes: &[Placed<Route>], channels: &[ChannelConfig]) {
    let catches = |route: &Placed<Route>| route.value.matcher.is_empty() && !route.value.continues;
    let reached = routes.iter().position(catches).map_or(routes.len(), |position| position + 1);
    for route in routes.iter().skip(reached) {
        root.warn(
            route.span.clone(),
            "this route is never reached: a route above it matches everything and does not `continue`",
        );
    }
    for channel in channels.iter().filter(|_| !routes.is_empty()) {
        let mut named = routes.iter().take(reached).flat_map(|route| &route.value.channels);
        if !named.any(|name| *name == channel.name) && !channel.name.is_empty() {
            root.warn(
                channel.kind.span.clone(),
                format!("no route leads to the channel `{}`", channel.name),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};
    use crate::expiry::{Facts, Kind, Rung, Status};

    const TEXT: &str = r#"
[[source]]
name = "iot-prod"
kind = "files"
schedule = "every 1h"
[[channel]]
name = "all"
kind = "slack"
[[channel]]
name = "plant"
kind = "slack"
[[channel]]
name = "cas"
kind = "slack"
[[channel]]
name = "ops"
kind = "slack"
[[route]]
match = { severity = ["critical"] }
channels = ["all"]
continue = true
[[route]]
match = { source = "iot-*", organizational_unit = "plant-?" }
channels = ["plant", "all"]
[[route]]
match = { source = "iot-*", kind = "ca" }
channels = ["cas"]
[[route]]
match = { scope = "quiet" }
channels = []
[[route]]
channels = ["ops"]
"#;

    fn event(severity: Severity, topic: Topic) -> Event {
        Event { id: "e".to_owned(), at: Timestamp::from_seconds(0), severity, topic }
    }

    fn expiring(severity: Severity, kind: Kind, unit: &str, scope: &str) -> Event {
        let facts = Facts {
            source: "iot-prod".to_owned(),
            scope: scope.to_owned(),
            serial: "01".to_owned(),
            unit: unit.to_owned(),
            not_after: Some(Timestamp::from_seconds(0)),
            ..Facts::bare(kind, Status::Active)
        };
        event(
            severity,
            Topic::Expiring {
                facts,
                rung: Rung::Expired,
                leaves: None,
                newer: None,
                unserved: false,
                places: None,
            },
        )
    }

    fn down(channel: &str) -> Event {
        let (code, hint) = (String::new(), String::new());
        event(Severity::Warning, Topic::ChannelDown { channel: channel.to_owned(), code, hint })
    }

    #[test]
    fn warnings_wait_where_every_route_to_the_channel_is_muted() {
        let text = TEXT.replace(
            "channels = [\"plant\", \"all\"]",
            "channels = [\"plant\", \"all\"]\nmute = [\"00:00-06:00\"]\ntimezone = \"Asia/Shanghai\"\ncontinue = true",
        );
        let (config, mistakes) = load(&text, &Environment::of([]), |_| None);
        assert_eq!(mistakes.render("x.toml", &text), "");
        let config = config.unwrap();
        let warning = expiring(Severity::Warning, Kind::Device, "plant-7", "a");
        // 2027-01-15T00:00:00+08:00
        let night = Timestamp::from_seconds(1_799_942_400);
        let morning = Some(night.plus(6 * 3600));
        assert_eq!(config.muted_until(&warning, "plant", night), morning);
        assert_eq!(config.muted_until(&warning, "plant", night.plus(6 * 3600)), None);
        assert_eq!(config.muted_until(&warning, "ops", night), None, "by the last route");
        let critical = expiring(Severity::Critical, Kind::Device, "plant-7", "a");
        assert_eq!(config.muted_until(&critical, "plant", night), None);
        assert!(!config.goes_by_default(&warning));
        assert!(config.goes_by_default(&expiring(Severity::Warning, Kind::Device, "", "a")));
    }

    #[test]
    fn the_first_route_wins_unless_it_continues() {
        use Severity::{Critical, Warning};
        let (config, mistakes) = load(TEXT, &Environment::of([]), |_| None);
        assert_eq!(mistakes.render("x.toml", TEXT), "");
        let config = config.unwrap();
        let stale = |source: &str| Topic::SourceStale {
            source: source.to_owned(),
            last_proven: None,
            error: None,
        };
        let shrunk = |scope: &str| Topic::InventoryShrunk {
            source: "iot-prod".to_owned(),
            scope: scope.to_owned(),
            known: 9,
            missing: 9,
        };
        for (event, expected) in [
            (expiring(Warning, Kind::Device, "plant-7", "a"), vec!["plant", "all"]),
            (expiring(Critical, Kind::Device, "plant-7", "a"), vec!["all", "plant"]),
            (expiring(Critical, Kind::Ca, "", "a"), vec!["all", "cas"]),
            (expiring(Warning, Kind::Device, "plant-17", "a"), vec!["ops"]),
            (expiring(Warning, Kind::Device, "", "quiet"), vec![]),
            // An event about a source has no unit and no kind.
            (event(Warning, stale("iot-prod")), vec!["ops"]),
            (event(Critical, stale("iot-prod")), vec!["all", "ops"]),
            (event(Warning, shrunk("quiet")), vec![]),
            (event(Warning, Topic::ClockRecovered), vec!["ops"]),
            (down("plant"), vec!["ops"]),
            (event(Warning, Topic::ChannelUp { channel: "plant".to_owned() }), vec!["ops"]),
            // Its only route leads to the channel itself.
            (down("ops"), vec!["all", "plant", "cas"]),
        ] {
            assert_eq!(config.route(&event), expected, "{event:?}");
            let tried = config.try_routes(&event);
            let taking = tried.iter().filter(|it| it.is_tried && it.why_not.is_none());
            let chosen: Vec<_> = taking.map(|it| it.number).collect();
            assert_eq!(chosen.len(), config.chosen(&event).len(), "{tried:?}");
        }
        let why = config.try_routes(&expiring(Warning, Kind::Device, "plant-17", "a"));
        let why: Vec<_> = why.into_iter().map(|it| it.why_not.unwrap_or_default()).collect();
        let expected = [
            "severity is `warning`, and `critical` is asked for",
            "organizational_unit is `plant-17`, and `plant-?` is asked for",
            "kind is `device`, and `ca` is asked for",
            "scope is `a`, and `quiet` is asked for",
            "",
        ];
        assert_eq!(why, expected);
    }
}
