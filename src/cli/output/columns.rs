//! Columns of text, aligned.

use std::io::{self, Write};

use crate::expiry::Facts;
use crate::expiry::text::{cut_chars, printable};

/// Longer names push a line over the edge of every terminal.
const LONGEST: usize = 64;

/// Prints aligned columns. The last has what letters a name may have, so that odd widths bend nothing else.
pub(in crate::cli) fn print<const N: usize>(
    header: [&str; N],
    rows: &[[String; N]],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut widths = header.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    line(&header.map(str::to_owned), &widths, out)?;
    rows.iter().try_for_each(|row| line(row, &widths, out))
}

fn line(cells: &[String], widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
    let padded: Vec<_> =
        cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    writeln!(out, "{}", padded.join("  ").trim_end())
}

/// Returns a text as it may stand in a cell.
pub(in crate::cli) fn text(text: &str) -> String {
    cut_chars(&printable(text), LONGEST)
}

/// Returns what a certificate is called, with who presents it.
pub(super) fn name(row: &Facts) -> String {
    called(&row.common_name, &row.holder)
}

/// Returns a common name with who presents it.
pub(super) fn called(common_name: &str, holder: &str) -> String {
    match (common_name, holder) {
        ("", holder) => holder.to_owned(),
        (name, "") => name.to_owned(),
        (name, holder) if name == holder => name.to_owned(),
        (name, holder) => format!("{name} ({holder})"),
    }
}

/// Returns whole units, rounded down: what is left is at least that much.
pub(super) fn remaining(seconds: i64) -> String {
    let length = match seconds.unsigned_abs() {
        length @ 172_800.. => format!("{}d", length / 86_400),
        length @ 7_200.. => format!("{}h", length / 3_600),
        length @ 120.. => format!("{}m", length / 60),
        length => format!("{length}s"),
    };
    if seconds < 0 { format!("{length} ago") } else { length }
}
