//! `[[channel]]`: where messages go.

use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::SecretString;

use super::alerts::{LANGUAGES, language};
use super::name::{NAME, unique_name};
use super::source::{options, timezone};
use super::{Alerts, ChannelConfig, Fields, Key, Options, Placed, Shape};
use crate::expiry::Language;

/// The time for one request, connection included.
const TIMEOUT: Duration = Duration::from_secs(15);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(2);

/// What every channel can be told, beside its name or among its options.
const SHARED: &[&str] = &["timezone", "language", "proxy", "ca_file", "timeout"];

/// What may stand in a `[[channel]]`, beside what every channel can be told and its options.
pub(super) const KEYS: &[Key] = &[
    Key::required(
        "name",
        NAME,
        "Unique; a metric label. a-z, 0-9, `_`, `.`, `-`, at most 64, begins with a letter or a digit.",
    ),
    Key::required("kind", Shape::Text, "Which service."),
];

/// What every channel can be told.
pub(super) const SHARED_KEYS: &[Key] = &[
    Key::new(
        "timezone",
        Shape::Timezone,
        "The zone of the times in its messages. Without it that of [alerts] holds.",
    ),
    Key::new("language", LANGUAGES, "en or zh. Without it that of [alerts] holds."),
    Key::new(
        "proxy",
        Shape::SecretOrText,
        "The proxy for its requests, http://… or https://…; one with a password is a secret. Without it HTTPS_PROXY and NO_PROXY of \
         the environment hold.",
    ),
    Key::new(
        "ca_file",
        Shape::Path,
        "Authorities in PEM that are trusted beside those of this machine.",
    ),
    Key::new(
        "timeout",
        Shape::Duration,
        "For one request, connection included; above 0 and at most 2m.",
    )
    .or("\"15s\""),
];

/// Reads every `[[channel]]`; `alerts` says what holds for those that do not say.
///
/// `names` holds the names of all, of those as well that cannot be kept.
pub(super) fn channels(
    root: &mut Fields<'_>,
    names: &mut Vec<String>,
    alerts: &Alerts,
) -> Vec<ChannelConfig> {
    let mut channels = Vec::new();
    for (table, span) in root.list_of_tables("channel").unwrap_or_default() {
        channels.extend(channel(&mut root.inside(table, span), names, alerts));
    }
    channels
}

fn channel(
    fields: &mut Fields<'_>,
    names: &mut Vec<String>,
    alerts: &Alerts,
) -> Option<ChannelConfig> {
    let name = unique_name(fields, names).unwrap_or_default();
    let kind = fields.required_string("kind");
    let mut options = options(fields);
    let shared = shared(fields, &mut options);
    fields.report_unknown();
    Some(ChannelConfig {
        name,
        kind: kind?,
        language: shared.language.unwrap_or(alerts.language),
        timezone: shared.timezone.unwrap_or(alerts.timezone),
        proxy: shared.proxy,
        ca_file: shared.ca_file,
        timeout: shared.timeout.unwrap_or(TIMEOUT),
        options,
    })
}

struct Shared {
    timezone: Option<Tz>,
    language: Option<Language>,
    proxy: Option<Placed<SecretString>>,
    ca_file: Option<Placed<PathBuf>>,
    timeout: Option<Duration>,
}

impl Shared {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            timezone: timezone(fields),
            language: language(fields),
            proxy: fields.proxy("proxy"),
            ca_file: fields.absolute("ca_file"),
            timeout: timeout(fields),
        }
    }
}

/// Reads what every channel can be told, and takes it out of the options where it stands there.
fn shared(fields: &mut Fields<'_>, options: &mut Options) -> Shared {
    for key in SHARED {
        if let (true, Some(twice)) = (fields.has(key), options.table.0.get(*key)) {
            let text = format!("`{key}` stands beside the name of the channel as well");
            fields.mistake(twice.key.clone(), text);
        }
    }
    let inner = Shared::read(&mut fields.inside(&options.table, options.span.clone()));
    options.table.0.retain(|key, _| !SHARED.contains(&key.as_str()));
    options.taken = SHARED;
    let outer = Shared::read(fields);
    Shared {
        timezone: outer.timezone.or(inner.timezone),
        language: outer.language.or(inner.language),
        proxy: outer.proxy.or(inner.proxy),
        ca_file: outer.ca_file.or(inner.ca_file),
        timeout: outer.timeout.or(inner.timeout),
    }
}

fn timeout(fields: &mut Fields<'_>) -> Option<Duration> {
    let timeout = fields.duration("timeout")?;
    if timeout.value.is_zero() || timeout.value > LONGEST_TIMEOUT {
        fields.mistake(timeout.span, "`timeout` must be above 0 and at most 2m");
        return None;
    }
    Some(timeout.value)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::config::{Config, Environment, load};

    fn read(text: &str) -> (Vec<ChannelConfig>, String) {
        let environment = Environment::of([("PROXY", "http://user:s3cr3t@proxy:3128")]);
        let (config, mistakes) = load(text, &environment, |_| None);
        let channels = config.map(|Config { channels, .. }| channels).unwrap_or_default();
        let lines = mistakes.render("x", text);
        (
            channels,
            lines.lines().filter(|line| !line.contains("[source]")).collect::<Vec<_>>().join("\n"),
        )
    }

    fn with(lines: &str) -> (Vec<ChannelConfig>, String) {
        read(&format!(
            "[[source]]\nname = 's'\nkind = 'k'\nschedule = '@daily'\n[[route]]\nchannels = ['ops']\n\
             [alerts]\ntimezone = 'Asia/Shanghai'\nlanguage = 'zh'\n[[channel]]\nname = 'ops'\nkind = 'slack'\n{lines}"
        ))
    }

    #[test]
    fn what_every_channel_can_be_told_is_read_in_either_place() {
        let lines = "timezone = 'Europe/Berlin'\nlanguage = 'en'\nproxy = { env = 'PROXY' }\n\
                     ca_file = '/etc/ca.pem'\ntimeout = '7s'\n";
        for text in [lines.to_owned(), format!("[channel.options]\n{lines}")] {
            let (channels, mistakes) = with(&text);
            let channel = &channels[0];
            assert_eq!(mistakes, "");
            assert_eq!(channel.timezone, Tz::Europe__Berlin);
            assert_eq!(channel.language, Language::En);
            let proxy = channel.proxy.as_ref().unwrap();
            assert_eq!(proxy.value.expose_secret(), "http://user:s3cr3t@proxy:3128");
            assert!(!format!("{channel:?}").contains("s3cr3t"), "{channel:?}");
            assert_eq!(channel.ca_file.as_ref().unwrap().value, PathBuf::from("/etc/ca.pem"));
            assert_eq!(channel.timeout, Duration::from_secs(7));
            assert!(channel.options.table.0.is_empty());
        }
    }

    #[test]
    fn what_a_channel_does_not_say_is_as_for_all() {
        let (channels, _) = with("");
        let channel = &channels[0];
        assert_eq!((channel.timezone, channel.language), (Tz::Asia__Shanghai, Language::Zh));
        assert_eq!(channel.timeout, Duration::from_secs(15));
        assert!(channel.proxy.is_none() && channel.ca_file.is_none());
    }

    #[test]
    fn mistakes_have_their_place_and_repeat_no_password() {
        let (_, mistakes) = with(
            "timezone = 'Asia/Shangai'\nproxy = 'http://u:s3cr3t@proxy'\nca_file = 'ca.pem'\ntimeout = '3m'\n\
             [channel.options]\ntimeout = '1s'\nproxy = 'socks5://p'\n",
        );
        assert!(!mistakes.contains("s3cr3t"), "{mistakes}");
        insta::assert_snapshot!(mistakes, @r#"
        x:13:12: unknown time zone `Asia/Shangai`; did you mean `Asia/Shanghai`?
        x:14:9: `proxy` holds a user: write it as a secret, such as `{ credential = "proxy-url" }`
        x:15:11: `ca_file` must begin with `/`
        x:16:11: `timeout` must be above 0 and at most 2m
        x:18:1: `timeout` stands beside the name of the channel as well
        x:19:1: `proxy` stands beside the name of the channel as well
        x:19:9: `proxy` must begin with `http://` or `https://`
        "#);
    }
}
