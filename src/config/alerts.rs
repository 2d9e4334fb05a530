//! `[alerts]`: what is worth saying, and when.

use std::time::Duration;

use chrono_tz::Tz;

use super::matcher::{match_keys, matcher};
use super::source::timezone;
use super::spelling::{known, quoted};
use super::{Alerts, Fields, Key, Placed, Shape, duration};
use crate::expiry::{Field, Ladder, Ladders, Language, Reminding, Rung};

const DEFAULT_GROUP_WAIT: Duration = Duration::from_secs(30);
const EXPIRED: &str = "expired";
const NEVER: &str = "never";
/// What a ladder is chosen by: what is known of every certificate without a look into the store.
const MATCHED: [Field; 4] = [Field::Source, Field::Scope, Field::Kind, Field::Issuer];
/// 136 years, in seconds.
const LONGEST_RUNG: u32 = u32::MAX - 101;
/// Seconds; whoever is reminded more often reads none of it.
const SHORTEST_REMINDER: u32 = 60;
/// An alert that waits longer for company is late.
const LONGEST_GROUP_WAIT: Duration = Duration::from_hours(1);

pub(super) const LANGUAGES: Shape = Shape::Word(&["en", "zh"]);

/// What may stand in `[alerts]`.
pub(super) const ALERTS: &[Key] = &[
    Key::new(
        "ladder",
        Shape::Rungs,
        "How long before a certificate expires. Only the tightest rung crossed is said, once; for short lifetimes rungs shrink. \
         `expired` is always the last rung and may be left out.",
    )
    .or(r#"["30d", "14d", "7d", "3d", "1d"]"#),
    Key::new(
        "group_wait",
        Shape::Duration,
        "How long the first event for a channel waits for others; at most 1h. More than 5 become one message.",
    )
    .or("\"30s\""),
    Key::new(
        "language",
        LANGUAGES,
        "The language of messages where a channel does not say: en or zh.",
    )
    .or("\"en\""),
    Key::new(
        "timezone",
        Shape::Timezone,
        "The zone of the times in messages where a channel does not say.",
    )
    .or("\"UTC\""),
    Key::new(
        "remind_from",
        Shape::Duration,
        "From the rung of this length on, an active certificate is said again every so often.",
    )
    .or("\"3d\""),
    Key::new(
        "remind_every",
        Shape::DurationOr(NEVER),
        "How often it is said again, at least 1m; `never` switches it off. After `expired` seven times, then weekly, and after 30 \
         days never.",
    )
    .or("\"24h\""),
];

/// Returns what may stand in a `[[ladder]]`.
pub(super) fn ladder_keys() -> Vec<Key> {
    vec![
        Key::required(
            "match",
            Shape::Table(|| match_keys(&MATCHED)),
            "Which certificates have this ladder.",
        ),
        Key::required(
            "rungs",
            Shape::Rungs,
            "Lengths of time before the end, or parts of the lifetime such as `25%`.",
        ),
    ]
}

/// Reads `[alerts]`.
pub(super) fn alerts(root: &mut Fields<'_>) -> Alerts {
    let mut alerts = Alerts {
        ladders: Ladder::default().into(),
        group_wait: DEFAULT_GROUP_WAIT,
        reminding: Some(Reminding::default()),
        language: Language::En,
        timezone: Tz::UTC,
    };
    let Some((table, span)) = root.table("alerts") else { return alerts };
    let mut fields = root.inside(table, span);
    if let Some(rungs) = fields.placed_strings("ladder") {
        alerts.ladders = ladder(&mut fields, "ladder", &rungs).into();
    }
    if let Some(wait) = fields.duration("group_wait") {
        if wait.value > LONGEST_GROUP_WAIT {
            fields.mistake(wait.span, "`group_wait` must be at most 1h");
        }
        alerts.group_wait = wait.value;
    }
    alerts.reminding = reminding(&mut fields);
    alerts.language = language(&mut fields).unwrap_or(alerts.language);
    alerts.timezone = timezone(&mut fields).unwrap_or(alerts.timezone);
    fields.finish();
    alerts
}

/// Reads `remind_from` and `remind_every`.
fn reminding(fields: &mut Fields<'_>) -> Option<Reminding> {
    let Reminding { from, every } = Reminding::default();
    let from = seconds(fields, "remind_from").map_or(from, |written| written.value);
    if fields.is_word("remind_every", NEVER) {
        return None;
    }
    let Some(written) = seconds(fields, "remind_every") else {
        return Some(Reminding { from, every });
    };
    if written.value < SHORTEST_REMINDER {
        let text = format!("`remind_every` must be at least 1m, or `{NEVER}`");
        fields.mistake(written.span, text);
    }
    Some(Reminding { from, every: written.value })
}

fn seconds(fields: &mut Fields<'_>, key: &'static str) -> Option<Placed<u32>> {
    let length = fields.duration(key)?;
    let value = u32::try_from(length.value.as_secs()).unwrap_or(u32::MAX);
    Some(Placed { value, span: length.span })
}

/// Reads `language`.
pub(super) fn language(fields: &mut Fields<'_>) -> Option<Language> {
    let word = fields.string("language")?;
    match word.value.as_str() {
        "en" => Some(Language::En),
        "zh" => Some(Language::Zh),
        other => {
            let hint = known(other, &["en", "zh"]);
            fields.mistake(word.span, format!("unknown language {}; {hint}", quoted(other)));
            None
        }
    }
}

/// Reads every `[[ladder]]`: those that have one of their own, before the others have `last`.
pub(super) fn ladders(root: &mut Fields<'_>, sources: &[String], last: &Ladders) -> Ladders {
    let mut rules = Vec::new();
    for (table, span) in root.list_of_tables("ladder").unwrap_or_default() {
        let mut fields = root.inside(table, span);
        let asked = fields
            .table("match")
            .map(|(table, span)| matcher(&mut fields.inside(table, span), &MATCHED, sources));
        fields.require("match", ", such as `match = { kind = \"ca\" }`");
        fields.require("rungs", ", such as `rungs = [\"90d\", \"25%\", \"7d\"]`");
        let rungs = fields.placed_strings("rungs");
        let rungs = rungs.map(|rungs| ladder(&mut fields, "rungs", &rungs));
        fields.report_unknown();
        rules.extend(asked.zip(rungs));
    }
    last.with(rules)
}

fn ladder(fields: &mut Fields<'_>, key: &str, rungs: &Placed<Vec<Placed<String>>>) -> Ladder {
    let mut read: Vec<Rung> = Vec::new();
    let last = rungs.value.len().saturating_sub(1);
    for (index, text) in rungs.value.iter().enumerate() {
        let place = text.span.clone();
        match rung(&text.value) {
            _ if text.value == EXPIRED && index == last => {}
            _ if text.value == EXPIRED => {
                fields.mistake(
                    place,
                    format!("`{key}`: `expired` is always the last rung; it may be left out"),
                );
            }
            Ok(rung) if read.contains(&rung) => {
                fields.mistake(place, format!("`{key}`: this rung is in it already"));
            }
            Ok(rung) => read.push(rung),
            Err(why) => fields.mistake(place, format!("`{key}`: {why}")),
        }
    }
    if rungs.value.iter().all(|text| text.value == EXPIRED) {
        let warning =
            format!("`{key}`: without a rung, alerts begin when a certificate has expired");
        fields.warn(rungs.span.clone(), warning);
    }
    Ladder::of_rungs(read)
}

fn rung(text: &str) -> Result<Rung, String> {
    if text.ends_with('%') {
        let unfit = || "a part of the lifetime is a whole number from 1% to 99%".to_owned();
        return Rung::from_label(text).ok_or_else(unfit);
    }
    let length = duration(text)?;
    match u32::try_from(length.as_secs()) {
        Ok(seconds @ 1..=LONGEST_RUNG) if length.subsec_nanos() == 0 => Ok(Rung::Before(seconds)),
        _ => Err("a rung is a whole number of seconds, above 0 and below 136 years".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, load};
    use crate::expiry::Kind;

    fn read(ladders: &str) -> (Ladders, String) {
        let text = format!(
            "[[source]]\nname = 's'\nkind = 'files'\nschedule = 'every 1h'\n\
             [[channel]]\nname = 'c'\nkind = 'slack'\n[[route]]\nchannels = ['c']\n{ladders}\n"
        );
        let (config, mistakes) = load(&text, &Environment::of([]), |_| None);
        (config.unwrap().alerts.ladders, mistakes.render("x", &text))
    }

    fn labels(ladders: &Ladders, kind: Kind) -> Vec<String> {
        ladders.of("s", "all", kind, "").rungs().map(|rung| rung.as_label()).collect()
    }

    #[test]
    fn some_certificates_have_a_ladder_of_their_own() {
        let (ladders, mistakes) = read(
            "[alerts]\nladder = ['20d']\n\
             [[ladder]]\nmatch = { kind = 'ca' }\nrungs = ['7d', '25%', '365d', 'expired']\n\
             [[ladder]]\nmatch = { source = 's*', issuer = ['a', '!b'] }\nrungs = []",
        );
        assert!(mistakes.contains("`rungs`: without a rung, alerts begin when"), "{mistakes}");
        assert_eq!(mistakes.lines().count(), 1, "{mistakes}");
        assert_eq!(labels(&ladders, Kind::Ca), ["365d", "25%", "7d", "expired"]);
        assert_eq!(labels(&ladders, Kind::Server), ["20d", "expired"]);
        assert!(ladders.asks_issuer());
    }

    #[test]
    fn mistakes_in_a_ladder_are_named() {
        let (_, mistakes) = read(
            "[[ladder]]\nmatch = { kind = 'x', holder = 'y' }\nrungs = ['0%', '100%', '5%', '5%', '1000000d']\n\
             [[ladder]]\nrung = 1",
        );
        for said in [
            "no kind matches `x`",
            "unknown key `holder`; known: issuer, kind, scope, source",
            "`rungs`: a part of the lifetime is a whole number from 1% to 99%",
            "`rungs`: this rung is in it already",
            "`rungs`: a rung is a whole number of seconds, above 0 and below 136 years",
            "missing key `match`, such as",
            "missing key `rungs`, such as",
            "unknown key `rung`",
        ] {
            assert!(mistakes.contains(said), "{said}: {mistakes}");
        }
    }
}
