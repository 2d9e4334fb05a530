//! Certificates inside events, as they are written.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::expiry::{Facts, Fingerprint, Kind, Labels, Newer, Status, Timestamp};

#[derive(Serialize, Deserialize)]
pub(super) struct FactsRow<'a> {
    source: Cow<'a, str>,
    scope: Cow<'a, str>,
    issuer: Cow<'a, str>,
    serial: Cow<'a, str>,
    /// Absent in events of before places were known, as are the two after it.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    place: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    collides: bool,
    kind: Cow<'a, str>,
    status: Cow<'a, str>,
    common_name: Cow<'a, str>,
    holder: Cow<'a, str>,
    unit: Cow<'a, str>,
    not_before: Option<i64>,
    not_after: Option<i64>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    labels: Cow<'a, Labels>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct NewerRow<'a> {
    source: Cow<'a, str>,
    place: Cow<'a, str>,
    serial: Cow<'a, str>,
    not_after: Option<i64>,
    deployment_unknown: bool,
}

pub(super) fn newer_row(newer: &Newer) -> NewerRow<'_> {
    NewerRow {
        source: (&newer.source).into(),
        place: (&newer.place).into(),
        serial: (&newer.serial).into(),
        not_after: newer.not_after.map(Timestamp::seconds),
        deployment_unknown: newer.deployment_unknown,
    }
}

pub(super) fn newer(row: NewerRow<'_>) -> Newer {
    Newer {
        source: row.source.into_owned(),
        place: row.place.into_owned(),
        serial: row.serial.into_owned(),
        not_after: row.not_after.map(Timestamp::from_seconds),
        deployment_unknown: row.deployment_unknown,
    }
}

pub(super) fn facts_row(facts: &Facts) -> FactsRow<'_> {
    FactsRow {
        source: (&facts.source).into(),
        scope: (&facts.scope).into(),
        issuer: (&facts.issuer).into(),
        serial: (&facts.serial).into(),
        place: (&facts.place).into(),
        fingerprint: facts.fingerprint.map(hex::encode),
        collides: facts.collides,
        kind: facts.kind.as_str().into(),
        status: facts.status.as_str().into(),
        common_name: (&facts.common_name).into(),
        holder: (&facts.holder).into(),
        unit: (&facts.unit).into(),
        not_before: facts.not_before.map(Timestamp::seconds),
        not_after: facts.not_after.map(Timestamp::seconds),
        labels: Cow::Borrowed(&facts.labels),
    }
}

pub(super) fn facts(row: FactsRow<'_>) -> Result<Facts, String> {
    let kind = Kind::from_word(&row.kind)
        .ok_or_else(|| format!("names the unknown kind `{}`", row.kind))?;
    let status = Status::from_word(&row.status)
        .ok_or_else(|| format!("names the unknown status `{}`", row.status))?;
    Ok(Facts {
        source: row.source.into_owned(),
        scope: row.scope.into_owned(),
        issuer: row.issuer.into_owned(),
        serial: row.serial.into_owned(),
        place: row.place.into_owned(),
        fingerprint: row.fingerprint.as_deref().map(fingerprint).transpose()?,
        collides: row.collides,
        kind,
        status,
        common_name: row.common_name.into_owned(),
        holder: row.holder.into_owned(),
        unit: row.unit.into_owned(),
        not_before: row.not_before.map(Timestamp::from_seconds),
        not_after: row.not_after.map(Timestamp::from_seconds),
        labels: row.labels.into_owned(),
    })
}

fn fingerprint(hex: &str) -> Result<Fingerprint, String> {
    let mut bytes = Fingerprint::default();
    hex::decode_to_slice(hex, &mut bytes)
        .map_err(|error| format!("has a fingerprint that cannot be read: {error}"))?;
    Ok(bytes)
}
