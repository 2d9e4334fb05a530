//! Certificates as a table for people, as JSON and CSV for programs.

use std::io::{self, Write};

use clap::ValueEnum;

pub(super) use crate::expiry::text::printable;
use crate::expiry::{Facts, Sighting, Timestamp};

mod csv;
mod json;
mod table;

/// How certificates are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// One list of objects.
    Json,
    /// With a header; for spreadsheets.
    Csv,
}

/// Certificates and how to print them.
pub(super) struct Listing {
    pub(super) rows: Vec<Facts>,
    pub(super) now: Timestamp,
    /// At most this many; all when there is no limit.
    pub(super) limit: Option<usize>,
}

impl Listing {
    /// Returns a listing of `rows`: what expires soonest first, what has no notAfter last.
    pub(super) fn soonest_first(
        mut rows: Vec<Facts>,
        now: Timestamp,
        limit: Option<usize>,
    ) -> Self {
        rows.sort_by(|a, b| order(a).cmp(&order(b)));
        Self { rows, now, limit }
    }

    /// Prints it.
    pub(super) fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => table::print(self, out),
            Format::Json => json::print(self, out),
            Format::Csv => csv::print(self, out),
        }
    }

    fn shown(&self) -> &[Facts] {
        let end = self.limit.unwrap_or(usize::MAX).min(self.rows.len());
        self.rows.get(..end).unwrap_or_default()
    }

    fn left_out(&self) -> usize {
        self.rows.len() - self.shown().len()
    }
}

/// Unknown is never zero: it is after everything that is known.
fn order(row: &Facts) -> (bool, Option<Timestamp>, &str, &str, &str, &str) {
    let end = row.not_after;
    (end.is_none(), end, &row.source, &row.scope, &row.issuer, &row.serial)
}

/// Returns what a scan saw in the shape that the store gives.
pub(super) fn facts(source: &str, scope: &str, sighting: Sighting) -> Facts {
    let status = sighting.effective_status();
    Facts::of(source.to_owned(), scope.to_owned(), sighting, status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expiry::{Kind, Status};

    const NOW: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z

    fn row(serial: &str, ends_in: Option<i64>, name: &str) -> Facts {
        Facts {
            source: "iot".to_owned(),
            scope: "mqtt-1".to_owned(),
            issuer: "ca-1".to_owned(),
            serial: serial.to_owned(),
            place: String::new(),
            fingerprint: None,
            collides: false,
            kind: Kind::Device,
            status: if ends_in.is_some() { Status::Active } else { Status::Undated },
            common_name: name.to_owned(),
            holder: "pump, \"7\"".to_owned(),
            unit: String::new(),
            not_before: None,
            not_after: ends_in.map(|seconds| Timestamp::from_seconds(NOW + seconds)),
        }
    }

    fn printed(format: Format, limit: Option<usize>) -> String {
        let rows = vec![
            row("05", None, "no end"),
            row("04", Some(40 * 86_400), "证书\u{202E}gpj.exe"),
            row("03", Some(90), "=HYPERLINK(\"http://x\")"),
            row("02", Some(3 * 3600), "\u{1b}[2J"),
            row("01", Some(-2 * 86_400), ""),
        ];
        let mut out = Vec::new();
        let listing = Listing::soonest_first(rows, Timestamp::from_seconds(NOW), limit);
        listing.print(format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_for_people() {
        insta::assert_snapshot!(printed(Format::Table, None), @r#"
        EXPIRES               IN      STATUS   KIND    SOURCE  SCOPE   SERIAL  NAME
        2025-12-30T00:00:00Z  2d ago  active   device  iot     mqtt-1  01      pump, "7"
        2026-01-01T00:01:30Z  90s     active   device  iot     mqtt-1  03      =HYPERLINK("http://x") (pump, "7")
        2026-01-01T03:00:00Z  3h      active   device  iot     mqtt-1  02      \u{1b}[2J (pump, "7")
        2026-02-10T00:00:00Z  40d     active   device  iot     mqtt-1  04      证书\u{202e}gpj.exe (pump, "7")
        unknown                       undated  device  iot     mqtt-1  05      no end (pump, "7")
        "#);
        insta::assert_snapshot!(printed(Format::Table, Some(1)), @r#"
        EXPIRES               IN      STATUS  KIND    SOURCE  SCOPE   SERIAL  NAME
        2025-12-30T00:00:00Z  2d ago  active  device  iot     mqtt-1  01      pump, "7"
        and 4 more
        "#);
    }

    #[test]
    fn json_is_a_list_of_objects() {
        insta::assert_snapshot!(printed(Format::Json, Some(2)), @r#"
        [
        {"source":"iot","scope":"mqtt-1","issuer":"ca-1","serial":"01","kind":"device","status":"active","common_name":"","holder":"pump, \"7\"","unit":"","not_before":null,"not_after":"2025-12-30T00:00:00Z","remaining_seconds":-172800},
        {"source":"iot","scope":"mqtt-1","issuer":"ca-1","serial":"03","kind":"device","status":"active","common_name":"=HYPERLINK(\"http://x\")","holder":"pump, \"7\"","unit":"","not_before":null,"not_after":"2026-01-01T00:01:30Z","remaining_seconds":90}
        ]
        "#);
        let all: serde_json::Value = serde_json::from_str(&printed(Format::Json, None)).unwrap();
        let ends: Vec<_> =
            all.as_array().unwrap().iter().map(|row| row["remaining_seconds"].as_i64()).collect();
        assert_eq!(ends, [Some(-172_800), Some(90), Some(10_800), Some(3_456_000), None]);
    }

    #[test]
    fn csv_cells_are_never_formulas() {
        insta::assert_snapshot!(printed(Format::Csv, None), @r#"
        source,scope,issuer,serial,kind,status,common_name,holder,unit,not_before,not_after
        iot,mqtt-1,ca-1,01,device,active,,"pump, ""7""",,,2025-12-30T00:00:00Z
        iot,mqtt-1,ca-1,03,device,active,"'=HYPERLINK(""http://x"")","pump, ""7""",,,2026-01-01T00:01:30Z
        iot,mqtt-1,ca-1,02,device,active,\u{1b}[2J,"pump, ""7""",,,2026-01-01T03:00:00Z
        iot,mqtt-1,ca-1,04,device,active,证书\u{202e}gpj.exe,"pump, ""7""",,,2026-02-10T00:00:00Z
        iot,mqtt-1,ca-1,05,device,undated,no end,"pump, ""7""",,,
        "#);
    }

    #[test]
    fn nothing_to_list() {
        let empty = |format| {
            let mut out = Vec::new();
            let listing = Listing::soonest_first(Vec::new(), Timestamp::from_seconds(NOW), None);
            listing.print(format, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(empty(Format::Table), "no certificates\n");
        assert_eq!(empty(Format::Json), "[]\n");
        assert_eq!(empty(Format::Csv).lines().count(), 1);
    }
}
