//! `[[source]]`: where certificates come from.

use std::time::Duration;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::labels::labels;
use super::name::{NAME, unique_name};
use super::spelling::{nearest, quoted};
use super::{Fields, FullScanDefault, Key, Options, Placed, Schedule, Shape, SourceConfig};

const DAY: Duration = Duration::from_hours(24);

/// What may stand in a `[[source]]` beside its options.
pub(super) const KEYS: &[Key] = &[
    Key::required(
        "name",
        NAME,
        "Unique; a metric label. a-z, 0-9, `_`, `.`, `-`, at most 64, begins with a letter or a digit.",
    ),
    Key::required("kind", Shape::Text, "Which provider."),
    Key::required(
        "schedule",
        Shape::Schedule,
        "When to read it: `every 10m` (1s to 366d), or cron with 5 fields, or with 6, seconds first. Unlike in cron, day of month and \
         day of week must both match.",
    ),
    Key::new("timezone", Shape::Timezone, "For cron.").or("\"UTC\""),
    Key::new(
        "labels",
        Shape::Labels,
        "Of every certificate of it, for routes to choose by and metrics to show; at most 32.",
    ),
];

/// Reads every `[[source]]`. One with mistakes is kept where it can be, so that its options are checked as well.
///
/// `names` holds the names of all, of those as well that cannot be kept.
pub(super) fn sources(
    root: &mut Fields<'_>,
    names: &mut Vec<String>,
    full_scan: FullScanDefault,
) -> Vec<SourceConfig> {
    const NOTHING: &str = "there is nothing to watch; add a `[[source]]`";
    root.require("source", &format!(": {NOTHING}"));
    let mut sources = Vec::new();
    let tables = root.list_of_tables("source");
    if tables.as_ref().is_some_and(Vec::is_empty) {
        root.mistake(root.span(), NOTHING);
    }
    for (table, span) in tables.unwrap_or_default() {
        sources.extend(source(&mut root.inside(table, span), names, full_scan));
    }
    sources
}

fn source(
    fields: &mut Fields<'_>,
    names: &mut Vec<String>,
    full_scan_default: FullScanDefault,
) -> Option<SourceConfig> {
    let name = unique_name(fields, names);
    let kind = fields.required_string("kind");
    let zone = timezone(fields).unwrap_or(Tz::UTC);
    fields.require("schedule", ", such as `schedule = \"every 1h\"`");
    let schedule = schedule(fields, "schedule", zone).map(|schedule| schedule.value);
    let labels = labels(fields);
    let mut options = options(fields);
    fields.report_unknown();
    let kind = kind?;
    let full_scan = full_scan_default(&kind.value).map(|default| {
        full_scan(fields, &mut options, zone, schedule.as_ref()).unwrap_or(Schedule::Every(default))
    });
    // What is missing has been reported: nothing is read with these stand-ins.
    let (name, schedule) = (name.unwrap_or_default(), schedule.unwrap_or(Schedule::Every(DAY)));
    Some(SourceConfig { name, kind, schedule, full_scan, labels, options })
}

/// Reads `[source.options]` or `[channel.options]`.
pub(super) fn options(fields: &mut Fields<'_>) -> Options {
    let environment = fields.environment().clone();
    let (table, span) = match fields.table("options") {
        Some((table, span)) => (table.clone(), span),
        None => (super::Table::default(), fields.span()),
    };
    Options { table, span, environment, taken: &[] }
}

fn full_scan(
    fields: &mut Fields<'_>,
    options: &mut Options,
    zone: Tz,
    near: Option<&Schedule>,
) -> Option<Schedule> {
    let written = {
        let mut inside = fields.inside(&options.table, options.span.clone());
        schedule(&mut inside, "full_scan", zone)
    };
    options.table.0.remove("full_scan");
    options.taken = &["full_scan"];
    let written = written?;
    let intervals = written.value.mean_interval().zip(near.and_then(Schedule::mean_interval));
    if intervals.is_some_and(|(full, near)| full < near) {
        fields.warn(
            written.span,
            "`full_scan` reads everything oftener than `schedule` reads what expires soon: \
             make `schedule` the shorter one",
        );
    }
    Some(written.value)
}

fn schedule(fields: &mut Fields<'_>, key: &'static str, zone: Tz) -> Option<Placed<Schedule>> {
    let text = fields.string(key)?;
    match Schedule::parse(&text.value, zone) {
        Ok(value) => {
            if let Some(surprise) = value.surprise() {
                fields.warn(text.span.clone(), format!("`{key}`: {surprise}"));
            }
            Some(Placed { value, span: text.span })
        }
        Err(why) => {
            fields.mistake(text.span, format!("`{key}`: {why}"));
            None
        }
    }
}

/// Reads `timezone`.
pub(super) fn timezone(fields: &mut Fields<'_>) -> Option<Tz> {
    let text = fields.string("timezone")?;
    let zone = text.value.parse();
    if zone.is_err() {
        let meant = nearest(&text.value, TZ_VARIANTS.iter().map(|zone| zone.name()));
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "write a name such as `Asia/Shanghai` or `UTC`".to_owned(),
        };
        fields.mistake(text.span, format!("unknown time zone {}; {hint}", quoted(&text.value)));
    }
    zone.ok()
}
