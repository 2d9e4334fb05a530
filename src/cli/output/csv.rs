//! CSV (RFC 4180) that is safe to open in a spreadsheet.

use std::io::{self, Write};

use super::{Listing, printable};
use crate::expiry::Facts;
use crate::expiry::text::iso;

const HEADER: [&str; 11] = [
    "source",
    "scope",
    "issuer",
    "serial",
    "kind",
    "status",
    "common_name",
    "holder",
    "unit",
    "not_before",
    "not_after",
];

/// Prints a header and a line for each certificate. An unknown time is an empty cell.
pub(super) fn print(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADER)?;
    for row in listing.shown() {
        writer.write_record(cells(row))?;
    }
    writer.flush()
}

fn cells(row: &Facts) -> [String; 11] {
    [
        cell(&row.source),
        cell(&row.scope),
        cell(&row.issuer),
        cell(&row.serial),
        row.kind.to_string(),
        row.status.to_string(),
        cell(&row.common_name),
        cell(&row.holder),
        cell(&row.unit),
        row.not_before.map(iso).unwrap_or_default(),
        row.not_after.map(iso).unwrap_or_default(),
    ]
}

/// Spreadsheets run cells that begin like a formula (OWASP, CSV injection); an apostrophe keeps them text.
fn cell(text: &str) -> String {
    let escape = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = printable(text);
    if escape { format!("'{text}") } else { text }
}
