//! `[digest]`: who hears how everything stands, and when.

use chrono_tz::Tz;

use super::alerts::{LANGUAGES, language};
use super::source::timezone;
use super::spelling::{known, quoted};
use super::{Fields, Key, Schedule, Shape};
use crate::expiry::Language;

/// Who hears how everything stands, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// When it goes out.
    pub schedule: Schedule,
    /// The channels that hear it.
    pub channels: Vec<String>,
    /// Its language, where that is not the channel's.
    pub language: Option<Language>,
}

impl Digest {
    /// Returns whether a channel hears it.
    pub fn goes_to(&self, channel: &str) -> bool {
        self.channels.iter().any(|name| name == channel)
    }
}

/// What may stand in `[digest]`.
pub(super) const KEYS: &[Key] = &[
    Key::required(
        "schedule",
        Shape::Schedule,
        "When it goes out: cron with 5 fields, or with 6, seconds first, or `every 24h`.",
    ),
    Key::required("channels", Shape::SomeTexts, "The names of the channels that hear it."),
    Key::new("timezone", Shape::Timezone, "Of the schedule. Without it that of [alerts] holds."),
    Key::new(
        "language",
        LANGUAGES,
        "Of the digest: en or zh. Without it that of each channel holds.",
    ),
];

/// Reads `[digest]`. `zone` is that of times where it does not say.
pub(super) fn digest(root: &mut Fields<'_>, names: &[String], zone: Tz) -> Option<Digest> {
    let (table, span) = root.table("digest")?;
    let mut fields = root.inside(table, span);
    let zone = timezone(&mut fields).unwrap_or(zone);
    let language = language(&mut fields);
    fields.require("schedule", ", such as `schedule = \"30 9 * * 1-5\"`");
    let schedule = fields.string("schedule").and_then(|text| {
        let read = Schedule::parse(&text.value, zone);
        if let Some(surprise) = read.as_ref().ok().and_then(Schedule::surprise) {
            fields.warn(text.span.clone(), format!("`schedule`: {surprise}"));
        }
        read.map_err(|why| fields.mistake(text.span, format!("`schedule`: {why}"))).ok()
    });
    let channels = channels(&mut fields, names);
    fields.finish();
    Some(Digest { schedule: schedule?, channels: channels?, language })
}

fn channels(fields: &mut Fields<'_>, names: &[String]) -> Option<Vec<String>> {
    fields.require("channels", ": the names of those who hear it");
    let listed = fields.placed_strings("channels")?;
    if listed.value.is_empty() {
        fields.mistake(listed.span, "`channels` names nobody: leave `[digest]` out instead");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut channels: Vec<String> = Vec::new();
    for name in listed.value {
        if !names.contains(&name.value.as_str()) {
            let hint = known(&name.value, &names);
            fields.mistake(name.span, format!("unknown channel {}; {hint}", quoted(&name.value)));
        } else if !channels.contains(&name.value) {
            channels.push(name.value);
        }
    }
    Some(channels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};

    fn read(digest: &str) -> (Option<Digest>, String) {
        let text = format!(
            "[[source]]\nname = 's'\nkind = 'files'\nschedule = 'every 1h'\n[alerts]\ntimezone = 'Asia/Shanghai'\n\
             [[channel]]\nname = 'ops'\nkind = 'slack'\n[[route]]\nchannels = ['ops']\n{digest}\n"
        );
        let (config, mistakes) = load(&text, &Environment::of([]), |_| None);
        (config.unwrap().digest, mistakes.render("x", &text))
    }

    #[test]
    fn it_is_read_with_its_own_language_and_zone_or_those_of_the_alerts() {
        let (digest, mistakes) = read("");
        assert_eq!((digest, mistakes.as_str()), (None, ""));
        let (digest, mistakes) =
            read("[digest]\nschedule = '30 9 * * 1-5'\nchannels = ['ops', 'ops']");
        assert_eq!(mistakes, "");
        let digest = digest.unwrap();
        assert_eq!(digest.schedule.to_string(), "0 30 9 * * 1-5 (Asia/Shanghai)");
        assert_eq!((digest.channels.len(), digest.language), (1, None));
        assert!(digest.goes_to("ops") && !digest.goes_to("op"));
        let (digest, mistakes) = read(
            "[digest]\nschedule = '@daily'\nchannels = ['ops']\ntimezone = 'UTC'\nlanguage = 'zh'",
        );
        assert_eq!(mistakes, "");
        let digest = digest.unwrap();
        assert_eq!(digest.schedule.to_string(), "0 0 0 * * * (UTC)");
        assert_eq!(digest.language, Some(Language::Zh));
    }

    #[test]
    fn mistakes_are_named() {
        let (_, mistakes) = read("[digest]\nschedul = 1\nlanguage = 'fr'");
        let (_, more) = read("[digest]\nschedule = '30 25 * * *'\nchannels = ['op']");
        let (_, nobody) = read("[digest]\nschedule = '30 9 1 * 1'\nchannels = []");
        for said in [
            "missing key `schedule`, such as",
            "missing key `channels`: the names of those who hear it",
            "unknown key `schedul`",
            "unknown language `fr`",
            "`schedule`: `25` is no hour",
            "unknown channel `op`; known: ops",
            "`channels` names nobody",
            "day of month and day of week must both match",
        ] {
            let all = [mistakes.as_str(), &more, &nobody].concat();
            assert!(all.contains(said), "{said}: {all}");
        }
    }
}
