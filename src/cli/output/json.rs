//! JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::Listing;
use crate::expiry::text::iso;
use crate::expiry::{Facts, Timestamp};

#[derive(Serialize)]
struct Item<'a> {
    source: &'a str,
    scope: &'a str,
    issuer: &'a str,
    serial: &'a str,
    kind: &'static str,
    status: &'static str,
    common_name: &'a str,
    holder: &'a str,
    unit: &'a str,
    not_before: Option<String>,
    not_after: Option<String>,
    remaining_seconds: Option<i64>,
}

/// Prints one list, an object a line.
pub(super) fn print(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "[")?;
    for (index, row) in listing.shown().iter().enumerate() {
        write!(out, "{}", if index == 0 { "\n" } else { ",\n" })?;
        serde_json::to_writer(&mut *out, &item(row, listing.now))?;
    }
    writeln!(out, "{}]", if listing.shown().is_empty() { "" } else { "\n" })
}

fn item(row: &Facts, now: Timestamp) -> Item<'_> {
    Item {
        source: &row.source,
        scope: &row.scope,
        issuer: &row.issuer,
        serial: &row.serial,
        kind: row.kind.as_str(),
        status: row.status.as_str(),
        common_name: &row.common_name,
        holder: &row.holder,
        unit: &row.unit,
        not_before: row.not_before.map(iso),
        not_after: row.not_after.map(iso),
        remaining_seconds: row.not_after.map(|end| end.since(now)),
    }
}
