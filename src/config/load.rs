//! Reads the whole file.

use super::alerts::{alerts, ladders};
use super::channel::channels;
use super::digest::digest;
use super::heartbeat::heartbeat;
use super::metrics::metrics;
use super::name::Names;
use super::route::routes;
use super::server::{server, store};
use super::source::sources;
use super::{Config, Environment, Fields, FullScanDefault, Mistakes, tree};

/// Reads a configuration from text, reporting every mistake.
///
/// There is a configuration whenever the text is TOML at all, so that the options of its sources and channels can
/// be checked in the same breath. It may be used when `errors` is still empty after that, and never before.
pub fn load(
    text: &str,
    environment: &Environment,
    full_scan: FullScanDefault,
) -> (Option<Config>, Mistakes) {
    let mut mistakes = Mistakes::default();
    let Some(table) = tree::parse(text, &mut mistakes) else { return (None, mistakes) };
    let mut root = Fields::of(&table, 0..0, environment, &mut mistakes);
    let (store, audit_max) = store(&mut root);
    let server = server(&mut root, &store);
    let mut names = Names::default();
    let sources = sources(&mut root, &mut names.sources, full_scan);
    let mut alerts = alerts(&mut root);
    alerts.ladders = ladders(&mut root, &names.sources, &alerts.ladders);
    let channels = channels(&mut root, &mut names.channels, &alerts);
    let routes = routes(&mut root, &names, &channels);
    let digest = digest(&mut root, &names.channels, alerts.timezone);
    let heartbeat = heartbeat(&mut root);
    let metrics = metrics(&mut root, names.sources.len());
    root.finish();
    let config = Config {
        server,
        store,
        audit_max,
        sources,
        alerts,
        channels,
        routes,
        digest,
        heartbeat,
        metrics,
    };
    (Some(config), mistakes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use chrono_tz::Tz;

    use super::*;
    use crate::config::{Hosts, Schedule, StoreUrl};
    use crate::expiry::{EVENT_KINDS, Field, Language, Matcher, Patterns};

    fn full_scan(kind: &str) -> Option<Duration> {
        let days = match kind {
            "tencent-mqtt" => 1,
            "enos" => 7,
            _ => return None,
        };
        Some(Duration::from_hours(24 * days))
    }

    fn rendered(text: &str) -> String {
        let (_, mistakes) = load(text, &Environment::of([]), full_scan);
        mistakes.render("x.toml", text)
    }

    #[test]
    fn every_file_in_config_loads() {
        let mut loaded = Vec::new();
        for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config")).unwrap() {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let (config, mistakes) = load(&text, &Environment::of([]), full_scan);
            assert_eq!(mistakes.render(&path.to_string_lossy(), &text), "");
            assert!(!config.unwrap().sources.is_empty());
            loaded.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
        loaded.sort_unstable();
        assert_eq!(loaded, ["demo.toml", "notafter.toml"]);
    }

    #[test]
    fn settings_that_the_reference_switches_off_load_when_switched_on() {
        let reference = include_str!("../../config/notafter.toml");
        let mut switched = 0;
        let text: Vec<_> = reference
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if setting.starts_with(|first: char| first.is_ascii_lowercase()) => {
                    switched += 1;
                    setting
                }
                _ => line,
            })
            .collect();
        assert_eq!(rendered(&text.join("\n")), "");
        assert_eq!(switched, 63);
        for kind in EVENT_KINDS {
            assert!(reference.contains(kind.as_str()), "{}", kind.as_str());
        }
    }

    #[test]
    fn the_smallest_configuration_has_defaults() {
        let text = "[[source]]\nname = 'm'\nkind = 'files'\nschedule = 'every 1h'\noptions.paths = ['/x']\n\
                    [[source]]\nname = 'q'\nkind = 'tencent-mqtt'\nschedule = '@daily'\n\
                    [[source]]\nname = 'e'\nkind = 'enos'\nschedule = '@daily'";
        let (config, mistakes) =
            load(text, &Environment::of([("STATE_DIRECTORY", "/var/lib/notafter")]), full_scan);
        let config = config.unwrap();
        assert_eq!(
            mistakes.render("x.toml", text),
            "x.toml:1:1: warning: no channel is configured: alerts are off, and only metrics tell\n"
        );
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:10793");
        assert_eq!(config.server.external_url, None);
        assert_eq!(config.store, StoreUrl::Sqlite("/var/lib/notafter/notafter.db".into()));
        assert_eq!(config.alerts.group_wait, Duration::from_secs(30));
        assert_eq!(config.alerts.language, Language::En);
        assert_eq!(config.metrics.max_series_per_source, 10_000);
        let full: Vec<_> = config.sources.iter().map(|source| source.full_scan.clone()).collect();
        let every = |days: u64| Some(Schedule::Every(Duration::from_hours(24 * days)));
        assert_eq!(full, [None, every(1), every(7)]);
    }

    const EVERYTHING: &str = r#"
server = { listen = "[::1]:9", external_url = "https://certs.example.com/x/", hosts = ["*.svc"] }
store.url = "sqlite:/srv/x.db"
[[source]]
name = "iot.prod_1"
kind = "tencent-mqtt"
schedule = "0 30 3 * * *"
timezone = "Asia/Shanghai"
[source.options]
region = "ap-guangzhou"
full_scan = "30 4 * * SUN"
[alerts]
ladder = ["1d", "60d", "12h", "expired"]
group_wait = "0s"
language = "zh"
[[channel]]
name = "ops"
kind = "feishu"
[[channel]]
name = "dev"
kind = "slack"
language = "en"
[[route]]
channels = ["dev"]
continue = true
[route.match]
source = "iot*"
scope = "mqtt-?"
place = ["/p*"]
kind = "c*"
status = "!inactive"
severity = ["info", "critical"]
issuer = "i"
serial = "s"
common_name = "n"
holder = ["h", "!hh"]
organizational_unit = "u"
labels = { team = ["a", "b*"], env = "!prod" }
rung = "7d"
event = "certificate.*"
[[route]]
match = {}
channels = ["ops"]
[metrics]
max_series_per_source = 0
"#;

    #[test]
    fn every_key_is_read() {
        let (config, mistakes) = load(EVERYTHING, &Environment::of([]), full_scan);
        let config = config.unwrap();
        assert_eq!(mistakes.render("x.toml", EVERYTHING), "");
        assert_eq!(config.server.listen.to_string(), "[::1]:9");
        let external_url = config.server.external_url.unwrap();
        assert_eq!(external_url.as_str(), "https://certs.example.com/x");
        let hosts = Hosts::new(vec!["*.svc".to_owned()], Some(&external_url));
        assert_eq!(config.server.hosts, hosts);
        assert_eq!(config.store, StoreUrl::Sqlite("/srv/x.db".into()));
        let [source] = config.sources.as_slice() else { panic!("one source") };
        let cron = |expression: &str| Schedule::Cron {
            expression: expression.to_owned(),
            timezone: Tz::Asia__Shanghai,
        };
        assert_eq!(
            (source.name.as_str(), source.kind.value.as_str()),
            ("iot.prod_1", "tencent-mqtt")
        );
        assert_eq!(source.schedule, cron("0 30 3 * * *"));
        assert_eq!(source.full_scan, Some(cron("0 30 4 * * SUN")));
        let options: Vec<_> = source.options.table.0.keys().collect();
        assert_eq!(options, ["region"]);
        assert_eq!(config.alerts.group_wait, Duration::ZERO);
        assert_eq!(config.alerts.language, Language::Zh);
        let channels: Vec<_> = config
            .channels
            .iter()
            .map(|c| (c.name.as_str(), c.kind.value.as_str(), c.language))
            .collect();
        assert_eq!(channels, [("ops", "feishu", Language::Zh), ("dev", "slack", Language::En)]);
        let mut matcher = Matcher::default();
        for (field, patterns) in [
            (Field::Source, &["iot*"][..]),
            (Field::Scope, &["mqtt-?"]),
            (Field::Place, &["/p*"]),
            (Field::Kind, &["c*"]),
            (Field::Status, &["!inactive"]),
            (Field::Severity, &["info", "critical"]),
            (Field::Issuer, &["i"]),
            (Field::Serial, &["s"]),
            (Field::CommonName, &["n"]),
            (Field::Holder, &["h", "!hh"]),
            (Field::OrganizationalUnit, &["u"]),
            (Field::Rung, &["7d"]),
            (Field::Event, &["certificate.*"]),
        ] {
            matcher.ask(field, Patterns::new(patterns));
        }
        matcher.ask_label("team".to_owned(), Patterns::new(["a", "b*"]));
        matcher.ask_label("env".to_owned(), Patterns::new(["!prod"]));
        let routes: Vec<_> =
            config.routes.into_iter().map(|r| (r.matcher, r.channels, r.continues)).collect();
        assert_eq!(
            routes,
            [
                (matcher, vec!["dev".to_owned()], true),
                (Matcher::default(), vec!["ops".to_owned()], false)
            ]
        );
        assert_eq!(config.metrics.max_series_per_source, 0);
    }

    const MISTAKEN: &str = r#"sources = 1
[server]
listen = "localhost:10793"
external_url = "https://user:s3cr3t@certs.example.com"
web_config_file = "web.yml"
port = 1
[store]
url = "postgres://user:s3cr3t@db/notafter"
[[source]]
name = "IoT"
kind = "tencent-mqtt"
schedule = "every 10"
timezone = "Asia/Shanghia"
[source.options]
full_scan = "sometimes"
[[source]]
name = "web"
knd = "tencent-ssl"
schedule = "61 * * * *"
[[source]]
name = "web"
kind = 7
[[source]]
name = "plant"
kind = "enos"
schedule = "0 0 30 2 *"
options = "none"
[alerts]
ladder = ["30d", "expired", "7 days ago", "0s", "30d", 7]
group_wait = "2h"
language = "de"
[[channel]]
name = "ops"
kind = "slack"
langauge = "zh"
[[route]]
match = { source = "wbe", kind = "devise", severity = ["warn", "critical"], region = "x" }
channels = ["oops"]
continue = "yes"
[[route]]
match = { holder = "" }
[metrics]
max_series_per_source = 2000000
"#;

    #[test]
    fn every_mistake_is_reported_at_once_with_its_place() {
        insta::assert_snapshot!(rendered(MISTAKEN), @r#"
        x.toml:1:1: unknown key `sources`; did you mean `source`? (known: alerts, channel, digest, heartbeat, ladder, metrics, route, server, source, store)
        x.toml:3:10: `listen`: not an IP address with a port, such as `127.0.0.1:10793` or `[::1]:10793`
        x.toml:4:16: `external_url` must not hold a user name or a password
        x.toml:5:19: `web_config_file`: No such file or directory (os error 2)
        x.toml:6:1: unknown key `port`; known: allow_unauthenticated, external_url, hosts, listen, socket, web_config_file
        x.toml:8:7: `url`: this kind of store is not known: write `sqlite:PATH`, such as `sqlite:notafter.db` or `sqlite:/var/lib/notafter/notafter.db`
        x.toml:10:8: `IoT` is not a name: a name is 1 to 64 of a-z, 0-9, `_`, `.` and `-`, and begins with a letter or a digit
        x.toml:12:12: `schedule`: not a duration: write a number with its unit, such as `10m`, `36h` or `30d`
        x.toml:13:12: unknown time zone `Asia/Shanghia`; did you mean `Asia/Shanghai`?
        x.toml:15:13: `full_scan`: write `every 10m`, or cron with 5 fields, or with 6, seconds first
        x.toml:16:1: missing key `kind`
        x.toml:18:1: unknown key `knd`; did you mean `kind`? (known: kind, labels, name, options, schedule, timezone)
        x.toml:19:12: `schedule`: `61` is no minute: write 0 to 59, `*`, a list `1,2`, a range `1-5` or a step `*/2`
        x.toml:20:1: missing key `schedule`, such as `schedule = "every 1h"`
        x.toml:21:8: the name `web` is taken above
        x.toml:22:8: `kind`: expected a string, found an integer
        x.toml:26:12: `schedule`: this time never comes
        x.toml:27:11: `options`: expected a table, found a string
        x.toml:29:18: `ladder`: `expired` is always the last rung; it may be left out
        x.toml:29:29: `ladder`: not a duration: write a number with its unit, such as `10m`, `36h` or `30d`
        x.toml:29:43: `ladder`: a rung is a whole number of seconds, above 0 and below 136 years
        x.toml:29:49: `ladder`: this rung is in it already
        x.toml:29:56: `ladder`: expected a string, found an integer
        x.toml:30:14: `group_wait` must be at most 1h
        x.toml:31:12: unknown language `de`; known: en, zh
        x.toml:34:8: warning: no route leads to the channel `ops`
        x.toml:35:1: unknown key `langauge`; did you mean `language`? (known: ca_file, kind, language, name, options, proxy, timeout, timezone)
        x.toml:37:20: no source matches `wbe`; did you mean `web`? (known: web, plant)
        x.toml:37:34: no kind matches `devise`; did you mean `device`? (known: device, ca, server, client)
        x.toml:37:56: no severity matches `warn`; known: info, warning, critical
        x.toml:37:77: unknown key `region`; known: common_name, event, holder, issuer, kind, labels, organizational_unit, place, rung, scope, serial, severity, source, status
        x.toml:38:13: unknown channel `oops`; did you mean `ops`? (known: ops)
        x.toml:39:12: `continue`: expected `true` or `false`, found a string
        x.toml:40:1: missing key `channels`: the names of those to tell, or `[]` for nobody
        x.toml:41:20: `holder` is empty
        x.toml:43:25: `max_series_per_source` for 2 sources makes a scrape of about 2022 MiB, more than the 16 MiB of `max_scrape_bytes`: write 15703 or less, or, where your scraper takes it, `max_scrape_bytes = "2022MiB"`
        "#);
    }

    #[test]
    fn a_mistake_never_repeats_what_may_be_secret() {
        assert!(!rendered(MISTAKEN).contains("s3cr3t"));
    }

    #[test]
    fn a_syntax_error_has_a_place_and_no_text_of_the_line() {
        insta::assert_snapshot!(rendered("[server]\nlisten = \"a\nsecret = s3cr3t"), @r#"x.toml:2:12: invalid basic string, expected `"`"#);
        insta::assert_snapshot!(rendered("a = 1\na = 2"), @"x.toml:2:1: duplicate key `a`");
        insta::assert_snapshot!(rendered("[server]\n[alerts]\n[server]"), @"x.toml:3:2: duplicate key `server`");
        insta::assert_snapshot!(rendered("[[source]"), @"x.toml:1:10: unclosed array table, expected `]`");
    }

    #[test]
    fn nothing_to_watch_and_nowhere_to_say_it() {
        insta::assert_snapshot!(rendered(""), @r"
        x.toml:1:1: missing key `source`: there is nothing to watch; add a `[[source]]`
        x.toml:1:1: warning: no channel is configured: alerts are off, and only metrics tell
        ");
    }

    #[test]
    fn what_is_legal_and_surely_not_meant_is_a_warning() {
        let text = "[store]\nurl = 'sqlite:/does/not/exist/x.db'\n[[source]]\nname = 'm'\nkind = 'tencent-mqtt'\n\
                    schedule = '0 9 1 * 1'\noptions.full_scan = 'every 1h'\n\
                    [[channel]]\nname = 'ops'\nkind = 'slack'\n[[route]]\nchannels = ['ops']\n";
        insta::assert_snapshot!(rendered(text), @r"
        x.toml:2:7: warning: the directory of the store, `/does/not/exist`, does not exist: create it
        x.toml:6:12: warning: `schedule`: day of month and day of week must both match, unlike in cron, where one of them is enough; write `*` for the one that does not matter
        x.toml:7:21: warning: `full_scan` reads everything oftener than `schedule` reads what expires soon: make `schedule` the shorter one
        ");
    }

    const SOURCE: &str = "[[source]]\nname = 's'\nkind = 'files'\nschedule = 'every 1h'\n";
    const CHANNEL: &str = "[[channel]]\nname = 'ops'\nkind = 'slack'\n";

    #[test]
    fn routes_that_lead_nowhere() {
        insta::assert_snapshot!(rendered(&format!("{SOURCE}{CHANNEL}")), @r#"x.toml:7:8: no route leads to a channel: add `[[route]]` with `channels = ["ops"]` at the end"#);
        let unreached = "[[route]]\nchannels = []\n[[route]]\nmatch = {kind = 'ca'}\nchannels = ['ops']\n[[route]]\nchannels = ['ops']";
        insta::assert_snapshot!(rendered(&format!("{SOURCE}{CHANNEL}{unreached}")), @r"
        x.toml:7:8: warning: no route leads to the channel `ops`
        x.toml:10:1: warning: this route is never reached: a route above it matches everything and does not `continue`
        x.toml:13:1: warning: this route is never reached: a route above it matches everything and does not `continue`
        ");
        let moved =
            "[[route]]\nchannels = ['ops']\n[[route]]\nmatch = {kind = 'ca'}\nchannels = []";
        insta::assert_snapshot!(rendered(&format!("{SOURCE}{CHANNEL}{moved}")), @r"
        x.toml:10:1: the last route must match everything: move the one to `ops`, which stands above and does, to the end
        x.toml:10:1: warning: this route is never reached: a route above it matches everything and does not `continue`
        ");
        let ends = "[[route]]\nmatch = {kind = 'ca'}\nchannels = ['ops']\n";
        insta::assert_snapshot!(rendered(&format!("{SOURCE}{CHANNEL}{ends}")), @r#"x.toml:8:1: the last route must match everything: add `[[route]]` with `channels = ["ops"]` at the end"#);
    }
}
