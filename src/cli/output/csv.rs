//! CSV (RFC 4180) that is safe to open in a spreadsheet.

use std::io::{self, Write};

use super::printable;
use crate::expiry::Facts;
use crate::expiry::text::iso;

const HEADER: [&str; 14] = [
    "id",
    "source",
    "scope",
    "place",
    "issuer",
    "serial",
    "fingerprint",
    "kind",
    "status",
    "common_name",
    "holder",
    "organizational_unit",
    "not_before",
    "not_after",
];

/// Prints the header.
pub(super) fn header(out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(HEADER)?;
    writer.flush()
}

/// Prints a line for each certificate. What is not known is an empty cell.
pub(super) fn rows(rows: &[Facts], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    for row in rows {
        writer.write_record(cells(row))?;
    }
    writer.flush()
}

fn cells(row: &Facts) -> [String; HEADER.len()] {
    [
        row.id(),
        cell(&row.source),
        cell(&row.scope),
        cell(&row.place),
        cell(&row.issuer),
        cell(&row.serial),
        row.fingerprint.as_ref().map(hex::encode).unwrap_or_default(),
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
