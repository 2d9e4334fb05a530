//! The table.

use std::io::{self, Write};

use super::Listing;
use super::columns::{self, name, remaining, text};
use crate::expiry::text::iso;
use crate::expiry::{Facts, Timestamp};

const HEADER: [&str; 8] = ["EXPIRES", "IN", "STATUS", "KIND", "SOURCE", "SCOPE", "SERIAL", "NAME"];

/// Prints aligned columns. The last has what letters a name may have, so that odd widths bend nothing else.
pub(super) fn print(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    if listing.rows.is_empty() {
        return writeln!(out, "no certificates");
    }
    let rows: Vec<_> = listing.shown().iter().map(|row| cells(row, listing.now)).collect();
    columns::print(HEADER, &rows, out)?;
    match listing.left_out() {
        0 => Ok(()),
        more => writeln!(out, "and {more} more"),
    }
}

fn cells(row: &Facts, now: Timestamp) -> [String; 8] {
    [
        row.not_after.map_or_else(|| "unknown".to_owned(), iso),
        row.not_after.map_or_else(String::new, |end| remaining(end.since(now))),
        row.status.to_string(),
        row.kind.to_string(),
        text(&row.source),
        text(&row.scope),
        text(&row.serial),
        text(&name(row)),
    ]
}
