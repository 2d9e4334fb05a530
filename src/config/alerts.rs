//! `[alerts]`: what is worth saying, and when.

use std::time::Duration;

use chrono_tz::Tz;

use super::source::timezone;
use super::spelling::{known, quoted};
use super::{Alerts, Fields, Placed, duration};
use crate::expiry::{Ladder, Language, Reminding};

const DEFAULT_GROUP_WAIT: Duration = Duration::from_secs(30);
const EXPIRED: &str = "expired";
const NEVER: &str = "never";
/// Seconds; whoever is reminded more often reads none of it.
const SHORTEST_REMINDER: u32 = 60;
/// An alert that waits longer for company is late.
const LONGEST_GROUP_WAIT: Duration = Duration::from_hours(1);

/// Reads `[alerts]`.
pub(super) fn alerts(root: &mut Fields<'_>) -> Alerts {
    let mut alerts = Alerts {
        ladder: Ladder::default(),
        group_wait: DEFAULT_GROUP_WAIT,
        reminding: Some(Reminding::default()),
        language: Language::En,
        timezone: Tz::UTC,
    };
    let Some((table, span)) = root.table("alerts") else { return alerts };
    let mut fields = root.inside(table, span);
    if let Some(rungs) = fields.placed_strings("ladder") {
        alerts.ladder = ladder(&mut fields, &rungs);
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

fn ladder(fields: &mut Fields<'_>, rungs: &Placed<Vec<Placed<String>>>) -> Ladder {
    let mut seconds: Vec<u32> = Vec::new();
    let last = rungs.value.len().saturating_sub(1);
    for (index, text) in rungs.value.iter().enumerate() {
        let place = text.span.clone();
        match rung(&text.value) {
            _ if text.value == EXPIRED && index == last => {}
            _ if text.value == EXPIRED => {
                fields.mistake(
                    place,
                    "`ladder`: `expired` is always the last rung; it may be left out",
                );
            }
            Ok(rung) if seconds.contains(&rung) => {
                fields.mistake(place, "`ladder`: this rung is in it already");
            }
            Ok(rung) => seconds.push(rung),
            Err(why) => fields.mistake(place, format!("`ladder`: {why}")),
        }
    }
    if rungs.value.iter().all(|text| text.value == EXPIRED) {
        let warning = "`ladder`: without a rung, alerts begin when a certificate has expired";
        fields.warn(rungs.span.clone(), warning);
    }
    Ladder::new(seconds).unwrap_or_else(|error| {
        fields.mistake(rungs.span.clone(), format!("`ladder`: {error}"));
        Ladder::default()
    })
}

fn rung(text: &str) -> Result<u32, String> {
    let length = duration(text)?;
    match u32::try_from(length.as_secs()) {
        Ok(seconds) if seconds > 0 && length.subsec_nanos() == 0 => Ok(seconds),
        _ => Err("a rung is a whole number of seconds, above 0 and below 136 years".to_owned()),
    }
}
