//! Certificates as a table for people, as JSON and CSV for programs.

use std::io::{self, Write};

use clap::ValueEnum;

pub(super) use crate::expiry::text::printable;
use crate::expiry::{Facts, Sighting, Timestamp};
use crate::source::Places;
use crate::web::{Certificate, csv_header, csv_rows};

mod chains;
mod columns;
mod table;

pub(super) use chains::print as chains;
pub(super) use columns::{print as columns, text};
pub(super) use table::print as table;

/// Places with something wrong that are named.
const NAMED: usize = 10;

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

impl Format {
    /// Returns how many certificates are printed where nobody said: more lines than that are not read by anybody.
    pub(super) fn default_limit(self) -> Option<usize> {
        (self == Self::Table).then_some(50)
    }
}

/// Prints certificates as they come, for programs: however many there are, few are held.
pub(super) struct Printer<'a> {
    csv: bool,
    out: &'a mut (dyn Write + Send),
    is_empty: bool,
}

impl<'a> Printer<'a> {
    /// Begins to print.
    pub(super) fn begin(csv: bool, out: &'a mut (dyn Write + Send)) -> io::Result<Self> {
        if csv {
            csv_header(out)?;
        } else {
            out.write_all(b"[")?;
        }
        Ok(Self { csv, out, is_empty: true })
    }

    /// Prints some more.
    pub(super) fn rows(&mut self, rows: &[Certificate]) -> io::Result<()> {
        if self.csv {
            return csv_rows(rows, self.out);
        }
        for row in rows {
            self.out.write_all(if self.is_empty { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *self.out, row)?;
            self.is_empty = false;
        }
        Ok(())
    }

    /// Prints the end.
    pub(super) fn end(self) -> io::Result<()> {
        match (self.csv, self.is_empty) {
            (true, _) => Ok(()),
            (false, true) => self.out.write_all(b"]\n"),
            (false, false) => self.out.write_all(b"\n]\n"),
        }
    }
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
    pub(super) fn print(&self, format: Format, out: &mut (dyn Write + Send)) -> io::Result<()> {
        let rows = self.shown().iter().map(|row| Certificate::of_facts(row, self.now));
        let rows: Vec<_> = rows.collect();
        if format == Format::Table {
            return table(&rows, self.left_out(), out);
        }
        let mut printer = Printer::begin(format == Format::Csv, out)?;
        printer.rows(&rows)?;
        printer.end()
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
fn order(row: &Facts) -> (bool, Option<Timestamp>, [&str; 5]) {
    let end = row.not_after;
    (end.is_none(), end, [&row.source, &row.scope, &row.issuer, &row.serial, &row.place])
}

/// Returns the first places of a source with something wrong, with the reason, and its globs that match nothing.
pub(super) fn wrong_places(places: &Places) -> Vec<String> {
    let wrong: Vec<String> = places.problems().collect();
    let more = wrong.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("and {more} more places"));
    let globs = places.globs_without_match.iter().map(|glob| format!("`{glob}` matches nothing"));
    wrong.into_iter().take(NAMED).chain(more).chain(globs).collect()
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
        let status = if ends_in.is_some() { Status::Active } else { Status::Undated };
        Facts {
            source: "iot".to_owned(),
            scope: "mqtt-1".to_owned(),
            issuer: "ca-1".to_owned(),
            serial: serial.to_owned(),
            common_name: name.to_owned(),
            holder: "pump, \"7\"".to_owned(),
            not_after: ends_in.map(|seconds| Timestamp::from_seconds(NOW + seconds)),
            ..Facts::bare(Kind::Device, status)
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
    fn what_is_printed_as_it_comes_is_what_is_printed_at_once() {
        let rows = vec![row("01", Some(1), "a"), row("02", Some(2), "b"), row("03", None, "c")];
        let now = Timestamp::from_seconds(NOW);
        for format in [Format::Json, Format::Csv] {
            let (mut one, mut many) = (Vec::new(), Vec::new());
            Listing::soonest_first(rows.clone(), now, None).print(format, &mut one).unwrap();
            let mut printer = Printer::begin(format == Format::Csv, &mut many).unwrap();
            let objects = rows.iter().map(|row| Certificate::of_facts(row, now));
            objects.for_each(|row| printer.rows(&[row]).unwrap());
            printer.rows(&[]).unwrap();
            printer.end().unwrap();
            assert_eq!(String::from_utf8(many).unwrap(), String::from_utf8(one).unwrap());
        }
    }

    #[test]
    fn every_part_of_an_identity_is_in_the_id() {
        let plain = row("01", Some(1), "a");
        let placed = Facts { place: "/a.pem".to_owned(), ..plain.clone() };
        let second = Facts { fingerprint: Some([7; 32]), collides: true, ..placed.clone() };
        let ids = [
            plain.id(),
            Facts { source: "other".to_owned(), ..plain.clone() }.id(),
            Facts { scope: "other".to_owned(), ..plain.clone() }.id(),
            Facts { issuer: "other".to_owned(), ..plain.clone() }.id(),
            row("02", Some(1), "a").id(),
            placed.id(),
            second.id(),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
        let same = Facts { status: Status::Revoked, not_after: None, ..plain.clone() };
        assert_eq!(same.id(), plain.id(), "what changes is no part of it");
        assert_eq!(Facts { collides: false, ..second }.id(), placed.id());
    }

    #[test]
    fn json_is_a_list_of_objects() {
        insta::assert_snapshot!(printed(Format::Json, Some(2)), @r#"
        [
        {"id":"3773e1aafe2a263455181f932c060186","source":"iot","scope":"mqtt-1","place":"","issuer":"ca-1","serial":"01","fingerprint":null,"kind":"device","status":"active","common_name":null,"holder":"pump, \"7\"","organizational_unit":null,"labels":{},"not_before":null,"not_after":"2025-12-30T00:00:00Z","remaining_seconds":-172800,"rung":null,"first_seen":null,"snoozed_until":null,"successor":null},
        {"id":"e316a53e00d758e21e8cb1d4e7daf33e","source":"iot","scope":"mqtt-1","place":"","issuer":"ca-1","serial":"03","fingerprint":null,"kind":"device","status":"active","common_name":"=HYPERLINK(\"http://x\")","holder":"pump, \"7\"","organizational_unit":null,"labels":{},"not_before":null,"not_after":"2026-01-01T00:01:30Z","remaining_seconds":90,"rung":null,"first_seen":null,"snoozed_until":null,"successor":null}
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
        id,source,scope,place,issuer,serial,fingerprint,kind,status,common_name,holder,organizational_unit,labels,not_before,not_after,remaining_seconds,rung,first_seen,snoozed_until,successor
        3773e1aafe2a263455181f932c060186,iot,mqtt-1,,ca-1,01,,device,active,,"pump, ""7""",,,,2025-12-30T00:00:00Z,-172800,,,,
        e316a53e00d758e21e8cb1d4e7daf33e,iot,mqtt-1,,ca-1,03,,device,active,"'=HYPERLINK(""http://x"")","pump, ""7""",,,,2026-01-01T00:01:30Z,90,,,,
        0130d1ce56ca6fd006211440e31aca2a,iot,mqtt-1,,ca-1,02,,device,active,\u{1b}[2J,"pump, ""7""",,,,2026-01-01T03:00:00Z,10800,,,,
        a6e60cdfc6313c4b249ebba16e182381,iot,mqtt-1,,ca-1,04,,device,active,证书\u{202e}gpj.exe,"pump, ""7""",,,,2026-02-10T00:00:00Z,3456000,,,,
        b7633720631b44c47077bf2937784da1,iot,mqtt-1,,ca-1,05,,device,undated,no end,"pump, ""7""",,,,,,,,,
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
