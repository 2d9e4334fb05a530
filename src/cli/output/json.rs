//! JSON: the objects of the API.

use std::io::{self, Write};

use serde::Serialize;

use crate::expiry::text::iso;
use crate::expiry::{Facts, Timestamp};

/// What is not known is `null`.
#[derive(Serialize)]
struct Item<'a> {
    id: String,
    source: &'a str,
    scope: &'a str,
    place: &'a str,
    issuer: &'a str,
    serial: &'a str,
    fingerprint: Option<String>,
    kind: &'static str,
    status: &'static str,
    common_name: Option<&'a str>,
    holder: Option<&'a str>,
    organizational_unit: Option<&'a str>,
    not_before: Option<String>,
    not_after: Option<String>,
    remaining_seconds: Option<i64>,
}

/// Prints objects of one list, one a line; `first` when none was printed before.
pub(super) fn rows(
    rows: &[Facts],
    first: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (index, row) in rows.iter().enumerate() {
        out.write_all(if first && index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &item(row, now))?;
    }
    Ok(())
}

fn item(row: &Facts, now: Timestamp) -> Item<'_> {
    Item {
        id: row.id(),
        source: &row.source,
        scope: &row.scope,
        place: &row.place,
        issuer: &row.issuer,
        serial: &row.serial,
        fingerprint: row.fingerprint.as_ref().map(hex::encode),
        kind: row.kind.as_str(),
        status: row.status.as_str(),
        common_name: known(&row.common_name),
        holder: known(&row.holder),
        organizational_unit: known(&row.unit),
        not_before: row.not_before.map(iso),
        not_after: row.not_after.map(iso),
        remaining_seconds: row.not_after.map(|end| end.since(now)),
    }
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
