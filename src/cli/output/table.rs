//! The table.

use std::io::{self, Write};

use super::{Listing, printable};
use crate::expiry::text::{cut_chars, iso};
use crate::expiry::{Facts, Timestamp};

const HEADER: [&str; 8] = ["EXPIRES", "IN", "STATUS", "KIND", "SOURCE", "SCOPE", "SERIAL", "NAME"];
/// Longer names push a line over the edge of every terminal.
const LONGEST: usize = 64;

/// Prints aligned columns. The last has what letters a name may have, so that odd widths bend nothing else.
pub(super) fn print(listing: &Listing, out: &mut dyn Write) -> io::Result<()> {
    if listing.rows.is_empty() {
        return writeln!(out, "no certificates");
    }
    let rows: Vec<_> = listing.shown().iter().map(|row| cells(row, listing.now)).collect();
    let mut widths = HEADER.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    line(&HEADER.map(str::to_owned), &widths, out)?;
    for row in &rows {
        line(row, &widths, out)?;
    }
    match listing.left_out() {
        0 => Ok(()),
        more => writeln!(out, "and {more} more"),
    }
}

fn line(cells: &[String; 8], widths: &[usize; 8], out: &mut dyn Write) -> io::Result<()> {
    let padded: Vec<_> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    writeln!(out, "{}", padded.join("  ").trim_end())
}

fn cells(row: &Facts, now: Timestamp) -> [String; 8] {
    let text = |text: &str| cut_chars(&printable(text), LONGEST);
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

fn name(row: &Facts) -> String {
    match (row.common_name.as_str(), row.holder.as_str()) {
        ("", holder) => holder.to_owned(),
        (name, "") => name.to_owned(),
        (name, holder) if name == holder => name.to_owned(),
        (name, holder) => format!("{name} ({holder})"),
    }
}

/// Returns whole units, rounded down: what is left is at least that much.
fn remaining(seconds: i64) -> String {
    let length = match seconds.unsigned_abs() {
        length @ 172_800.. => format!("{}d", length / 86_400),
        length @ 7_200.. => format!("{}h", length / 3_600),
        length @ 120.. => format!("{}m", length / 60),
        length => format!("{length}s"),
    };
    if seconds < 0 { format!("{length} ago") } else { length }
}
