//! The table.

use std::io::{self, Write};

use super::columns::{self, called, remaining, text};
use crate::web::Certificate;

const HEADER: [&str; 8] = ["EXPIRES", "IN", "STATUS", "KIND", "SOURCE", "SCOPE", "SERIAL", "NAME"];

/// Prints aligned columns, and how many were left out. The last column has what letters a name may have, so that odd widths
/// bend nothing else.
pub(in crate::cli) fn print(
    rows: &[Certificate],
    left_out: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "no certificates");
    }
    let rows: Vec<_> = rows.iter().map(cells).collect();
    columns::print(HEADER, &rows, out)?;
    match left_out {
        0 => Ok(()),
        more => writeln!(out, "and {more} more"),
    }
}

fn cells(row: &Certificate) -> [String; 8] {
    let named = |name: &Option<String>| name.clone().unwrap_or_default();
    [
        row.not_after.clone().unwrap_or_else(|| "unknown".to_owned()),
        row.remaining_seconds.map(remaining).unwrap_or_default(),
        row.status.clone(),
        row.kind.clone(),
        text(&row.source),
        text(&row.scope),
        text(&row.serial),
        text(&called(&named(&row.common_name), &named(&row.holder))),
    ]
}
